"""Read a GGUF file: its header, and its weights as float32.

Version 3, little-endian. The header of any model is read; weights only in F32, F16, Q8_0 or Q4_1, which the
embedded model has. The format is described in the `docs/gguf.md` of ggml; the blocks in its `ggml-quants.c`.

A file may lie about every number in it, so none is believed before it was held against the size of the file.
"""

from __future__ import annotations

import math
import mmap
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

import numpy as np
from numpy.typing import NDArray

from backends.base import ModelError

Floats = NDArray[np.float32]

_NUMBERS = {0: "u1", 1: "i1", 2: "<u2", 3: "<i2", 4: "<u4", 5: "<i4", 6: "<f4", 7: "?", 10: "<u8", 11: "<i8"}
_NUMBERS |= {12: "<f8"}
_STRING, _ARRAY = 8, 9
_MOST_DIMENSIONS = 4
_BLOCK = 32
"""Weights that share a scale."""
_Q4_1 = np.dtype([("scale", "<f2"), ("least", "<f2"), ("pairs", "u1", _BLOCK // 2)])
_Q8_0 = np.dtype([("scale", "<f2"), ("levels", "i1", _BLOCK)])
_F32, _F16 = np.dtype("<f4"), np.dtype("<f2")
_KINDS: dict[int, np.dtype[Any]] = {0: _F32, 1: _F16, 3: _Q4_1, 8: _Q8_0}


class Tensor(NamedTuple):
    """Where a tensor is in the file, and what it is."""

    name: str
    shape: tuple[int, ...]
    """Outermost dimension first, as numpy has it."""
    kind: int
    """Number of ggml for how its weights are stored."""
    offset: int
    """From the start of the file."""
    size_bytes: int
    """Up to the next tensor, so with the padding that aligns it."""

    @property
    def elements(self) -> int:
        """Weights in it."""
        return math.prod(self.shape)


@dataclass(frozen=True)
class GgufHeader:
    """What a GGUF file says of itself."""

    settings: dict[str, Any]
    tensors: tuple[Tensor, ...]
    """In the order of the file's list."""


@dataclass(frozen=True)
class Gguf:
    """A GGUF file."""

    settings: dict[str, Any]
    weights: dict[str, Floats]
    """By name; shapes are outermost dimension first."""


def read_header(file: Path) -> GgufHeader:
    """Read settings and places of the tensors, no weights.

    Raises:
        ModelError: It can't be opened, is of another version, is cut short, or contradicts itself.
    """
    with _opened(file) as content:
        return _header(content, file)


def read_gguf(file: Path) -> Gguf:
    """Read all of a file.

    Raises:
        ModelError: As of `read_header`; or it holds weights of another kind.
    """
    with _opened(file) as content:
        header = _header(content, file)
        return Gguf(header.settings, {t.name: _weights(content, t, file) for t in header.tensors})


@contextmanager
def _opened(file: Path) -> Iterator[mmap.mmap]:
    try:
        with file.open("rb") as stream:
            content = mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ)
    except (OSError, ValueError) as error:  # ValueError: an empty file
        raise ModelError(f"{file} can't be read ({error})", fix="fetch the model again") from None
    with content:
        yield content


def _header(content: mmap.mmap, file: Path) -> GgufHeader:
    reader = _Reader(content, file)
    if content[:4] != b"GGUF" or len(content) < 24 or struct.unpack_from("<I", content, 4) != (3,):
        raise ModelError(f"{file.name} is no GGUF file of version 3", fix="convert it with a newer llama.cpp")
    reader.offset = 8
    tensors, settings = reader.count(least_bytes=24), reader.count(least_bytes=13)
    said = dict(reader.setting() for _ in range(settings))
    places = [reader.place() for _ in range(tensors)]
    if len({name for name, *_ in places}) < tensors:
        reader.refuse("names a tensor twice")
    align = said.get("general.alignment", 32)
    if not isinstance(align, int) or align < 1:
        reader.refuse(f"has general.alignment = {align!r}")
    start = math.ceil(reader.offset / align) * align
    return GgufHeader(said, tuple(_placed(places, start, len(content), reader)))


def _placed(places: list[tuple[Any, ...]], start: int, end: int, reader: _Reader) -> Iterator[Tensor]:
    """The tensors, each reaching to the next one's start, the last one to the end of the file."""
    starts = sorted({start + offset for *_, offset in places})
    following = dict(pairwise([*starts, end]))
    for name, shape, kind, offset in places:
        size_bytes = following[start + offset] - start - offset
        if size_bytes < 0 or len(starts) < len(places):
            reader.refuse(f"ends before its tensor {name!r}, or keeps two in one place")
        yield Tensor(name, shape, kind, start + offset, size_bytes)


class _Reader:
    """Reads one thing after the other."""

    def __init__(self, content: mmap.mmap, file: Path) -> None:
        self._content = content
        self._file = file
        self.offset = 0

    def refuse(self, why: str) -> NoReturn:
        raise ModelError(f"{self._file.name} is damaged: it {why}", fix="fetch the model again")

    def take(self, size_bytes: int) -> bytes:
        """The next so many bytes."""
        if size_bytes > len(self._content) - self.offset:
            self.refuse(f"ends at byte {len(self._content)}, in the middle of its header")
        self.offset += size_bytes
        return self._content[self.offset - size_bytes : self.offset]

    def number(self, form: str) -> Any:
        kind = np.dtype(form)
        return np.frombuffer(self.take(kind.itemsize), kind)[0].item()

    def count(self, *, least_bytes: int) -> int:
        """How many things of at least so many bytes follow."""
        (count,) = struct.unpack("<Q", self.take(8))
        if count * least_bytes > len(self._content) - self.offset:
            self.refuse(f"claims {count} parts, more than it has room for")
        return int(count)

    def string(self) -> str:
        content = self.take(self.count(least_bytes=1))
        try:
            return content.decode()
        except UnicodeDecodeError:
            self.refuse(f"has text that is no UTF-8 before byte {self.offset}")

    def setting(self) -> tuple[str, Any]:
        return self.string(), self.value(self.number("<u4"))

    def value(self, kind: int) -> Any:
        if kind == _STRING:
            return self.string()
        if kind == _ARRAY:
            return self.array()
        if kind not in _NUMBERS:
            self.refuse(f"has a value of unknown kind {kind} at byte {self.offset}")
        return self.number(_NUMBERS[kind])

    def array(self) -> list[Any]:
        item = self.number("<u4")
        if item == _STRING:
            return [self.string() for _ in range(self.count(least_bytes=8))]
        if item not in _NUMBERS:
            self.refuse(f"has a list of kind {item} at byte {self.offset}")
        form = np.dtype(_NUMBERS[item])
        count = self.count(least_bytes=form.itemsize)
        return list(np.frombuffer(self.take(count * form.itemsize), form).tolist())

    def place(self) -> tuple[str, tuple[int, ...], int, int]:
        """Name, shape, kind, and offset from the start of all tensors."""
        name, dimensions = self.string(), self.number("<u4")
        if not 1 <= dimensions <= _MOST_DIMENSIONS:
            self.refuse(f"has a tensor {name!r} of {dimensions} dimensions")
        shape = tuple(self.number("<u8") for _ in range(dimensions))
        return name, shape[::-1], self.number("<u4"), self.number("<u8")


def _weights(content: mmap.mmap, tensor: Tensor, file: Path) -> Floats:
    if tensor.kind not in _KINDS:
        raise ModelError(f"weights of kind {tensor.kind} are not read here; known are {sorted(_KINDS)}")
    stored = _KINDS[tensor.kind]
    blocks = tensor.elements if stored in (_F32, _F16) else tensor.elements // _BLOCK
    if blocks * stored.itemsize > tensor.size_bytes:
        raise ModelError(f"{file.name} is damaged: {tensor.name!r} is cut short", fix="fetch the model again")
    held = content[tensor.offset : tensor.offset + blocks * stored.itemsize]
    raw = np.frombuffer(held, stored)
    return _as_float32(raw).reshape(tensor.shape)


def _as_float32(raw: NDArray[Any]) -> Floats:
    if raw.dtype in (_F32, _F16):
        return raw.astype(np.float32)
    scale = raw["scale"].astype(np.float32)[:, None]
    if raw.dtype == _Q8_0:
        return raw["levels"].astype(np.float32) * scale
    levels = np.concatenate([raw["pairs"] & 15, raw["pairs"] >> 4], axis=1).astype(np.float32)
    return levels * scale + raw["least"].astype(np.float32)[:, None]
