"""How much memory the weights of a folder take once they are loaded, read from the headers of its files."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from backends.base import ModelError
from backends.folder import NUMBER_BYTES, ModelFolder, layer_of
from backends.text_model import text_weight

STORED_BYTES = {
    "F64": 8,
    "F32": 4,
    "F16": 2,
    "BF16": 2,
    "I64": 8,
    "U64": 8,
    "I32": 4,
    "U32": 4,
    "I16": 2,
    "U16": 2,
}
"""Of a number in safetensors, by its name there; all others take one."""
FLOATS = ("F64", "F32", "F16", "BF16")
MOST_HEADER_BYTES = 2**25
"""A model of a hundred thousand arrays has half of it; safetensors itself allows 100 MB."""

MOST_AXES, MOST_BYTES = 8, 2**50


def loaded_bytes(folder: ModelFolder, dtype: str) -> int:
    """Bytes of the weights of a folder in `dtype`; what was quantised stays as it was saved.

    Raises:
        ModelError: A header can't be read.
    """
    total = 0
    for name, stored, shape in _arrays(folder.path):
        if folder.sees and text_weight(name) is None:
            continue
        number = layer_of(name)
        if number is not None and number >= folder.layers:
            continue
        converted = folder.quantised is None and stored in FLOATS
        each = NUMBER_BYTES.get(dtype, 4) if converted else STORED_BYTES.get(stored, 1)
        total += math.prod(shape) * each
    return total


def check_fits(folder: ModelFolder, dtype: str, *, limit_bytes: int | None, what: str) -> None:
    """Refuse weights that are larger than a device can hold, before any of them is read.

    Args:
        folder: that is to be loaded.
        dtype: in which.
        limit_bytes: of the device; None where it is not known.
        what: the limit in words.

    Raises:
        ModelError: They are larger; with the numbers.
    """
    needed = loaded_bytes(folder, dtype)
    if limit_bytes is not None and needed > limit_bytes:
        raise ModelError(
            f"the weights of {folder.path} take {needed / 1e9:.1f} GB as {dtype}, but {what} is "
            f"{limit_bytes / 1e9:.1f} GB",
            fix=SMALLER,
        )


SMALLER = "use a smaller model, fewer bits (dtype bfloat16, or quantised weights), or fewer layers"


def _arrays(path: Path) -> Iterator[tuple[str, str, list[int]]]:
    """Name, stored type and shape of every array in the weight files of a folder."""
    for file in sorted(path.glob("model*.safetensors")):
        for name, array in _header(file).items():
            if name != "__metadata__":
                yield name, str(array["dtype"]), list(array["shape"])


def _header(file: Path) -> dict[str, Any]:
    """The JSON before the arrays: eight bytes of its length, then itself.

    Raises:
        ModelError: it can't be read, or it speaks of bytes that the file has not.
    """
    try:
        with file.open("rb") as stream:
            size = file.stat().st_size
            length = int.from_bytes(stream.read(8), "little")
            if length > min(MOST_HEADER_BYTES, size):
                raise ValueError(f"a header of {length} bytes")
            header = json.loads(stream.read(length))
        for key, array in header.items():
            if key != "__metadata__":
                _check_array(key, array, held_bytes=size - 8 - length)
    except (OSError, ValueError, AttributeError, TypeError, LookupError, RecursionError) as error:
        raise ModelError(f"{file} can't be read ({error})", fix="fetch the model again") from error
    return dict(header)


def _check_array(key: str, array: dict[str, Any], *, held_bytes: int) -> None:
    """Raise `ValueError` unless an array lies within its file and has the size that its shape asks for."""
    if not isinstance(array, dict) or not {"dtype", "shape", "data_offsets"} <= set(array):
        raise ValueError("an array without a type, a shape or a place")
    begin, end = map(_count, array["data_offsets"])
    if not begin <= end <= held_bytes:
        raise ValueError(f"{key[:60]!r} lies at bytes {begin} to {end}, and the file has {held_bytes}")
    numbers = math.prod(map(_count, array["shape"][:MOST_AXES]))
    each = STORED_BYTES.get(str(array["dtype"]))
    if len(array["shape"]) > MOST_AXES or (each is not None and numbers * each != end - begin):
        raise ValueError(f"{key[:60]!r} has {end - begin} bytes, and its shape asks for others")


def _count(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < MOST_BYTES:
        raise ValueError(f"{str(value)[:40]} is no count")
    return value
