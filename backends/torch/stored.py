"""A cache layer that is held in few bits. Nothing here reads them: the whole layer is cast before every use.

PyTorch has no attention over packed keys, so this saves memory, and reads and writes more than it saves.
The numbers are those of `mx.quantize`: for each group a scale and a bias, the edge of larger size exact.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor
from transformers.cache_utils import DynamicLayer

from backends.kv_bits import KvBits

SMALLEST = 1e-7


class Packed(NamedTuple):
    """Numbers (..., width) in bytes, with a scale and a bias for each group."""

    codes: Tensor
    scales: Tensor
    biases: Tensor


def packed(array: Tensor, bits: int, group: int) -> Packed:
    """The numbers of an array in 8 or 4 bits."""
    groups = array.float().reshape(*array.shape[:-1], -1, group)
    low, high = groups.amin(-1, keepdim=True), groups.amax(-1, keepdim=True)
    below = low.abs() > high.abs()
    step = ((high - low) / (2**bits - 1)).clamp(min=SMALLEST)
    step, edge = torch.where(below, step, -step), torch.where(below, low, high)
    zero = (edge / step).round()
    scale = torch.where(zero == 0, step, edge / zero).to(array.dtype)
    bias = torch.where(zero == 0, 0, edge).to(array.dtype)
    codes = (
        ((groups - bias.float()) / scale.float()).round().clamp(0, 2**bits - 1).to(torch.uint8).flatten(-2)
    )
    if bits == 4:
        codes = codes[..., 0::2] | codes[..., 1::2] << 4
    return Packed(codes, scale[..., 0], bias[..., 0])


def unpacked(held: Packed, group: int) -> Tensor:
    """The numbers again, in the type of the scales."""
    codes, scales, biases = held
    if codes.shape[-1] < scales.shape[-1] * group:
        codes = torch.stack([codes & 15, codes >> 4], -1).flatten(-2)
    groups = codes.reshape(*scales.shape, group).to(scales.dtype)
    return (groups * scales[..., None] + biases[..., None]).flatten(-2)


class StoredLayer(DynamicLayer):  # type: ignore[misc]
    """Keys and values of one layer, each packed or as they came."""

    def __init__(self, bits: KvBits, held: DynamicLayer) -> None:
        super().__init__()
        self.bits = bits
        self._keys, self._values = _Stored(bits.keys, bits.group), _Stored(bits.values, bits.group)
        self.update(held.keys, held.values)

    def update(self, key_states: Tensor, value_states: Tensor, *_: object, **__: object) -> tuple[Any, Any]:
        """Add keys and values (B, heads, L, width), and give all that are held, cast."""
        if not self.is_initialized:
            self.lazy_initialization(key_states, value_states)
        keys, values = self._keys.add(key_states), self._values.add(value_states)
        self._tell_lengths()
        return keys, values

    def crop(self, tokens_to_remove: int) -> None:
        """Remove so many of the last positions, a negative number."""
        if tokens_to_remove:
            for held in (self._keys, self._values):
                held.parts = [part[..., :tokens_to_remove, :] for part in held.parts]
            self._tell_lengths()

    @property
    def held_bytes(self) -> int:
        """Of all positions that it holds."""
        return sum(part.nbytes for held in (self._keys, self._values) for part in held.parts)

    def _tell_lengths(self) -> None:
        """The base class, and who counts, look at the shapes of these."""
        self.keys, self.values = self._keys.parts[0], self._values.parts[0]


class _Stored:
    """Keys or values: codes, scales and biases, or one tensor as it came."""

    def __init__(self, bits: int | None, group: int) -> None:
        self._bits, self._group = bits, group
        self.parts: list[Tensor] = []

    def add(self, new: Tensor) -> Tensor:
        parts = [new] if self._bits is None else list(packed(new, self._bits, self._group))
        if self.parts:
            parts = [torch.cat(both, dim=-2) for both in zip(self.parts, parts, strict=True)]
        self.parts = parts
        return parts[0] if self._bits is None else unpacked(Packed(*parts), self._group)
