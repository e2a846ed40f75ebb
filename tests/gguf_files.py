"""GGUF files, written for tests from the description of the format."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

F32, F16, Q4_1, Q8_0 = 0, 1, 3, 8
U32, I32, FLOAT, STRING = 4, 5, 6, 8
ALIGN = 32
FORMS = {U32: "<I", I32: "<i", FLOAT: "<f"}


def write_gguf(
    file: Path, settings: dict[str, tuple[Any, Any]], weights: dict[str, tuple[int, tuple[int, ...], bytes]]
) -> Path:
    """Write settings (kind, or a tuple of it for a list; value) and weights (kind, shape, bytes)."""
    head = b"GGUF" + struct.pack("<IQQ", 3, len(weights), len(settings))
    for name, (kind, value) in settings.items():
        head += text(name)
        if isinstance(kind, tuple):
            head += struct.pack("<IIQ", 9, kind[0], len(value)) + b"".join(one(kind[0], v) for v in value)
        else:
            head += struct.pack("<I", kind) + one(kind, value)
    data = b""
    for name, (kind, shape, content) in weights.items():
        head += text(name) + struct.pack(f"<I{len(shape)}Q", len(shape), *reversed(shape))
        head += struct.pack("<IQ", kind, len(data))
        data += content + bytes(-len(content) % ALIGN)
    file.write_bytes(head + bytes(-len(head) % ALIGN) + data)
    return file


def one(kind: int, value: Any) -> bytes:
    return text(value) if kind == STRING else struct.pack(FORMS[kind], value)


def text(words: str) -> bytes:
    return struct.pack("<Q", len(words.encode())) + words.encode()
