"""Files as nobody meant them: bytes that changed, and documents with values of other kinds."""

from __future__ import annotations

import copy
import json
import random
from typing import Any
from zlib import crc32

HUGE = "an integer of more digits than Python reads"
VALUES: tuple[Any, ...] = (
    *(None, True, -1, 0, HUGE, 2**63, 1e308, -1e-308, 0.5, "", "x" * 5000, "../../etc/passwd", "/dev/zero"),
    *("[bold]markup[/", "<script>alert(1)</script>", "\ud800", "\0", "=HYPERLINK(1)", "\u202eabc", "NaN"),
    *([], {}, [[]], {"a": 1}, [1, 2, 3], float("nan"), float("inf")),
)
"""What may stand where something else was meant."""
PIECES = (
    b"\0" * 64,
    b"\xff\xfe",
    b"\n\n",
    b"[" * 3000,
    b"{" * 3000,
    b"9" * 5000,
    b"\r",
    b"\x1b[31m",
    b'"',
    b",",
)


def bytes_of(data: bytes, rng: random.Random) -> bytes:
    """The file with a few bytes changed, taken out, put in, doubled, or cut off."""
    for _ in range(rng.randint(1, 4)):
        at = rng.randrange(len(data) + 1)
        upto = min(len(data), at + rng.randint(1, 40))
        data = rng.choice(
            (
                data[:at] + bytes(byte ^ (1 << rng.randrange(8)) for byte in data[at:upto]) + data[upto:],
                data[:at] + data[upto:],
                data[:at] + rng.choice(PIECES) + data[at:],
                data[:at] + data[at:upto] * 3 + data[upto:],
                data[:at],
            )
        )
    return data


def document_of(document: Any, rng: random.Random) -> Any:
    """A JSON document with one value replaced, one key gone, or one too many."""
    changed = copy.deepcopy(document)
    place, key = _somewhere(changed, rng)
    if place is None:
        return rng.choice(VALUES)
    kind = rng.randrange(4)
    if kind == 0 and isinstance(place, dict):
        del place[key]
    elif kind == 1 and isinstance(place, dict):
        place[rng.choice(("extra", "", "schema", "type", "\ud800"))] = rng.choice(VALUES)
    else:
        place[key] = rng.choice(VALUES)
    return changed


def json_bytes(document: Any) -> bytes:
    """As a program of somebody else would write it: lone surrogates and NaN included."""
    text = json.dumps(document).replace(f'"{HUGE}"', "9" * 5000)
    return text.encode("utf-8", errors="surrogatepass")


def sealed(record: Any) -> bytes:
    """A record of a run with a checksum that fits, so that its content is what has to be refused."""
    if isinstance(record, dict):
        record = {key: value for key, value in record.items() if key != "crc32"}
    content = json_bytes(record)
    if not isinstance(record, dict) or not record:
        return content + b"\n"
    return content[:-1] + b', "crc32": "%08x"}\n' % crc32(content[:-1])


def _somewhere(document: Any, rng: random.Random) -> tuple[Any, Any]:
    """A random container in a document and a key of it; (None, None) if there is none."""
    place, key = None, None
    inner = document
    while isinstance(inner, dict | list) and inner:
        keys = list(inner) if isinstance(inner, dict) else range(len(inner))
        place, key = inner, rng.choice(keys)
        inner = inner[key]
        if rng.random() < 0.3:
            break
    return place, key
