"""Caches for the layers of an mlx-lm model that hold a part of the prompt, or nothing."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import mlx.core as mx
from mlx_lm.models.cache import ArraysCache, CacheList, KVCache, RotatingKVCache, create_attention_mask

from backends.mlx.direct import HotCache
from backends.mlx.packed import PackedCache
from backends.prepared import InCache
from backends.shape import KeptState


class ShortenedCache:
    """A cache that holds a part of the prompt. Its `offset`, from which positions go on, counts all of it."""

    def __init__(self, keys: Any, values: Any, *, left_out: int) -> None:
        self._cache = KVCache()
        self._cache.keys, self._cache.values, self._cache.offset = keys, values, keys.shape[2]
        self._left_out = left_out

    @property
    def offset(self) -> int:
        """Position of the next token."""
        return self.held + self._left_out

    @property
    def held(self) -> int:
        """Positions that it holds."""
        return int(self._cache.offset)

    def update_and_fetch(self, keys: Any, values: Any) -> Any:
        """Add keys and values, and return all that are held."""
        return self._cache.update_and_fetch(keys, values)

    def make_mask(self, *arguments: Any, **options: Any) -> Any:
        """The mask over what is held."""
        return self._cache.make_mask(*arguments, **options)

    def trim(self, positions: int) -> Any:
        """Remove the last positions."""
        return self._cache.trim(positions)

    def keys_and_values(self) -> Any:
        """All that are held."""
        return self._cache.keys_and_values()


class BoundedCache:
    """A cache from which a position leaves after every step. Its `offset` counts all that ever came."""

    def __init__(self, keys: Any, values: Any, *, offset: int) -> None:
        self.keys, self.values, self.offset = keys, values, offset

    @property
    def held(self) -> int:
        """Positions that it holds."""
        return int(self.keys.shape[2])

    def keys_and_values(self) -> Any:
        """All that are held."""
        return self.keys, self.values

    def update_and_fetch(self, keys: Any, values: Any) -> Any:
        """Add keys and values, and return all that are held then."""
        self.keys = mx.concatenate([self.keys, keys], axis=2)
        self.values = mx.concatenate([self.values, values], axis=2)
        self.offset += keys.shape[2]
        return self.keys, self.values

    def make_mask(self, *arguments: Any, **options: Any) -> Any:
        """The mask over what is held."""
        return create_attention_mask(*arguments, offset=self.held, **options)


class PositionOnly:
    """The cache of a layer without attention. GPT-2 asks layer 0 for the position, so it counts."""

    state = ()
    """It holds no arrays."""

    def __init__(self) -> None:
        self.offset = 0

    def make_mask(self, *arguments: Any, **options: Any) -> Any:
        """The mask over all positions: a model may ask the first layer for that of every other."""
        return create_attention_mask(*arguments, offset=self.offset, **options)

    def trim(self, positions: int) -> None:
        """Go back."""
        self.offset -= positions


def without_attention(cache: Any) -> Any:
    """In the place of a layer's cache; a state is held still, if anything makes one."""
    if isinstance(cache, CacheList):
        return CacheList(*map(without_attention, cache.caches))
    return cache if isinstance(cache, ArraysCache) else PositionOnly()


def held_in(caches: list[Any]) -> InCache:
    """What the caches of all layers hold, counted at their arrays."""
    bits = {cache.bits_of for cache in caches if isinstance(cache, PackedCache)}
    states = [_state_in(cache) for cache in alone(caches)]
    return InCache(
        lengths=tuple(map(_positions_in, caches)),
        bits=bits.pop() if bits else None,
        bytes=_bytes_in(caches),
        state=KeptState(
            bytes=sum(array.nbytes // array.shape[0] for held in states for array in held),
            numbers=sum(scan.size // scan.shape[0] for held in states for scan in held[1:]),
        ),
    )


def _positions_in(cache: Any) -> int:
    if isinstance(cache, CacheList):  # of a hybrid layer: attention beside a state
        return max(map(_positions_in, cache.caches))
    if isinstance(cache, PositionOnly) or not hasattr(cache, "offset"):
        return 0  # left out, or a state that holds no positions
    return int(cache.held if isinstance(cache, ShortenedCache | BoundedCache | HotCache) else cache.offset)


def alone(caches: Iterable[Any]) -> list[Any]:
    """Those of hybrid layers one by one."""
    return [one for cache in caches for one in (cache.caches if isinstance(cache, CacheList) else [cache])]


def _state_in(cache: Any) -> list[Any]:
    """The window of a convolution, then what a scan carries on; nothing of a layer that only attends."""
    return [array for array in cache.cache if array is not None] if isinstance(cache, ArraysCache) else []


def _bytes_in(caches: list[Any]) -> int | None:
    """Of keys, values and states, without room to grow; None for other caches."""
    total = 0
    for cache in alone(caches):
        if isinstance(cache, PackedCache):
            total += cache.held_bytes
        elif isinstance(cache, KVCache | RotatingKVCache | ShortenedCache | BoundedCache | HotCache):
            total += sum(array.nbytes for array in cache.keys_and_values())
        elif isinstance(cache, ArraysCache):
            total += sum(array.nbytes for array in _state_in(cache))
        elif not isinstance(cache, PositionOnly):
            return None
    return total
