"""Read a GGUF file: its settings, and its weights as float32.

Only what the embedded model needs: version 3, little-endian, with weights in F32, F16, Q8_0 or Q4_1. The
format is described in the `docs/gguf.md` of ggml; the blocks in its `ggml-quants.c`.
"""

from __future__ import annotations

import math
import mmap
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

_NUMBERS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
_STRING, _ARRAY = 8, 9
_BLOCK = 32
"""Weights that share a scale."""
_Q4_1 = np.dtype([("scale", "<f2"), ("least", "<f2"), ("pairs", "u1", _BLOCK // 2)])
_Q8_0 = np.dtype([("scale", "<f2"), ("levels", "i1", _BLOCK)])
_F32, _F16 = np.dtype("<f4"), np.dtype("<f2")
_KINDS: dict[int, np.dtype[Any]] = {0: _F32, 1: _F16, 3: _Q4_1, 8: _Q8_0}


class NotReadable(Exception):
    """The file is not one that is read here; the message says why."""


@dataclass(frozen=True)
class Gguf:
    """A GGUF file."""

    settings: dict[str, Any]
    weights: dict[str, Floats]
    """By name; shapes are outermost dimension first, as numpy has them."""


def read_gguf(file: Path) -> Gguf:
    """Read all of a file.

    Raises:
        NotReadable: It is of another version, or holds weights of another kind.
    """
    with file.open("rb") as stream, mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as content:
        reader = _Reader(content)
        magic, version = content[:4], reader.skip(4).number("I")
        if magic != b"GGUF" or version != 3:
            raise NotReadable(f"{file.name} is no GGUF file of version 3")
        tensors, count = reader.number("Q"), reader.number("Q")
        settings = {reader.string(): reader.value(reader.number("I")) for _ in range(count)}
        places = [reader.place() for _ in range(tensors)]
        align = settings.get("general.alignment", 32)
        start = math.ceil(reader.offset / align) * align
        return Gguf(settings, {place.name: _weights(content, start, place) for place in places})


class _Place(NamedTuple):
    """Where a tensor is: its kind, and its offset from the start of all tensors."""

    name: str
    shape: tuple[int, ...]
    kind: int
    offset: int


class _Reader:
    """Reads one thing after the other."""

    def __init__(self, content: mmap.mmap) -> None:
        self._content = content
        self.offset = 0

    def skip(self, size_bytes: int) -> _Reader:
        self.offset += size_bytes
        return self

    def number(self, form: str) -> Any:
        (value,) = struct.unpack_from(f"<{form}", self._content, self.offset)
        self.offset += struct.calcsize(f"<{form}")
        return value

    def string(self) -> str:
        size_bytes = self.number("Q")
        self.offset += size_bytes
        return self._content[self.offset - size_bytes : self.offset].decode()

    def value(self, kind: int) -> Any:
        if kind == _STRING:
            return self.string()
        if kind == _ARRAY:
            item, count = self.number("I"), self.number("Q")
            return [self.value(item) for _ in range(count)]
        return self.number(_NUMBERS[kind])

    def place(self) -> _Place:
        name, dimensions = self.string(), self.number("I")
        shape = tuple(self.number("Q") for _ in range(dimensions))
        return _Place(name, shape[::-1], self.number("I"), self.number("Q"))


def _weights(content: mmap.mmap, start: int, place: _Place) -> Floats:
    if place.kind not in _KINDS:
        raise NotReadable(f"weights of kind {place.kind} are not read here; known are {sorted(_KINDS)}")
    stored = _KINDS[place.kind]
    count = math.prod(place.shape)
    blocks = count if stored in (_F32, _F16) else count // _BLOCK
    raw = np.frombuffer(content, dtype=stored, count=blocks, offset=start + place.offset).copy()
    return _as_float32(raw).reshape(place.shape)


def _as_float32(raw: NDArray[Any]) -> Floats:
    if raw.dtype in (_F32, _F16):
        return raw.astype(np.float32)
    scale = raw["scale"].astype(np.float32)[:, None]
    if raw.dtype == _Q8_0:
        return raw["levels"].astype(np.float32) * scale
    levels = np.concatenate([raw["pairs"] & 15, raw["pairs"] >> 4], axis=1).astype(np.float32)
    return levels * scale + raw["least"].astype(np.float32)[:, None]
