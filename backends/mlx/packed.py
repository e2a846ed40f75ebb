"""A cache in few bits that is read as it is stored, keys and values in bits of their own.

mlx-lm's own quantised cache has one number of bits for both; the products are the same.
"""

from __future__ import annotations

from typing import Any

import mlx.core as mx
from mlx_lm.models.cache import KVCache, create_attention_mask

from backends.kv_bits import KvBits

STEP = 256
"""Positions by which it grows, as mlx-lm's caches do."""


class PackedCache:
    """Keys and values of one layer: packed numbers, scales and biases; or plain where they are as loaded."""

    def __init__(self, bits: KvBits, held: KVCache) -> None:
        self.bits_of, self.offset = bits, 0
        self._keys, self._values = _Grown(bits.keys, bits.group), _Grown(bits.values, bits.group)
        if held.keys is not None:
            self.update_and_fetch(*held.keys_and_values())

    def update_and_fetch(self, keys: Any, values: Any) -> Any:
        """Add keys and values (B, heads, L, width), and return all that are held, as they are stored."""
        self._keys.add(keys, self.offset)
        self._values.add(values, self.offset)
        self.offset += keys.shape[2]
        return self._keys.upto(self.offset), self._values.upto(self.offset)

    @property
    def state(self) -> Any:
        """Its arrays."""
        return self._keys.arrays, self._values.arrays

    @property
    def held_bytes(self) -> int:
        """Of all positions that it holds."""
        return sum(array.nbytes for one in (self._keys, self._values) for array in one.upto(self.offset))

    def make_mask(self, *arguments: Any, **options: Any) -> Any:
        """The mask over what is held."""
        return create_attention_mask(*arguments, offset=self.offset, **options)

    def trim(self, positions: int) -> None:
        """Remove the last positions."""
        self.offset -= positions

    def attend(self, queries: Any, keys: Any, values: Any, scale: float, mask: Any) -> Any:
        """Attention of `queries` (B, heads, L, width) to what `update_and_fetch` gave."""
        batch, heads, length, width = queries.shape
        kv_heads = keys[0].shape[1]
        grouped = (queries * scale).reshape(batch, kv_heads, heads // kv_heads, length, width)
        scores = self._keys.product(grouped, keys, transpose=True)
        if isinstance(mask, str):
            position = mx.arange(scores.shape[-1])
            mask = position[-length:, None] >= position
        if mask is not None:
            lowest = mx.array(mx.finfo(scores.dtype).min, scores.dtype)
            scores = mx.where(mask, scores, lowest) if mask.dtype == mx.bool_ else scores + mask
        weights = mx.softmax(scores, axis=-1, precise=True)
        return self._values.product(weights, values, transpose=False).reshape(batch, heads, length, -1)


class _Grown:
    """Arrays (B, heads, positions, ...) that grow together, one where nothing is quantised."""

    def __init__(self, bits: int | None, group: int) -> None:
        self._bits, self._group = bits, group
        self.arrays: list[Any] = []

    def add(self, new: Any, offset: int) -> None:
        """Positions `offset` and on."""
        packed = [new]
        if self._bits is not None:
            packed = list(mx.quantize(new, group_size=self._group, bits=self._bits))
        end = offset + new.shape[2]
        if not self.arrays:
            self.arrays = [array[:, :, :0] for array in packed]
        if end > self.arrays[0].shape[2]:
            more = -(-end // STEP) * STEP - offset
            self.arrays = [_longer(array[:, :, :offset], more) for array in self.arrays]
        for array, part in zip(self.arrays, packed, strict=True):
            array[:, :, offset:end] = part

    def upto(self, end: int) -> tuple[Any, ...]:
        """The arrays of all positions before `end`."""
        return tuple(array[:, :, :end] for array in self.arrays)

    def product(self, left: Any, arrays: Any, *, transpose: bool) -> Any:
        """`left` (B, kv heads, group, L, ...) times the numbers in `arrays`."""
        numbers, *shared = (array[:, :, None] for array in arrays)
        if self._bits is None:
            return left @ (numbers.swapaxes(-1, -2) if transpose else numbers)
        scales, biases = shared
        return mx.quantized_matmul(
            left, numbers, scales, biases, transpose=transpose, group_size=self._group, bits=self._bits
        )


def _longer(array: Any, more: int) -> Any:
    batch, heads, _, width = array.shape
    return mx.concatenate([array, mx.zeros((batch, heads, more, width), array.dtype)], axis=2)
