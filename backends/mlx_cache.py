"""The key-value cache of an mlx-lm model: cut short, left out, measured."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import mlx.core as mx
from mlx_lm.models.cache import KVCache, make_prompt_cache

from backends.base import RequestError
from backends.cut import Cut
from backends.kv_policies import kept_positions


class ShortenedCache:
    """A cache that holds a part of the prompt. Its `offset`, from which positions go on, counts all of it."""

    def __init__(self, keys: Any, values: Any, *, left_out: int) -> None:
        self.held = KVCache()
        self.held.keys, self.held.values, self.held.offset = keys, values, keys.shape[2]
        self._left_out = left_out

    @property
    def offset(self) -> int:
        """Position of the next token."""
        return int(self.held.offset) + self._left_out

    def update_and_fetch(self, keys: Any, values: Any) -> Any:
        """Add keys and values, and return all that are held."""
        return self.held.update_and_fetch(keys, values)

    def make_mask(self, *arguments: Any, **options: Any) -> Any:
        """The mask over what is held."""
        return self.held.make_mask(*arguments, **options)

    def trim(self, positions: int) -> Any:
        """Remove the last positions."""
        return self.held.trim(positions)


class PositionOnly:
    """The cache of a layer without attention. GPT-2 asks layer 0 for the position, so it counts."""

    def __init__(self) -> None:
        self.offset = 0

    def make_mask(self, tokens: int, **_: Any) -> str | None:
        """As of an empty cache: the mask is causal whatever the length."""
        return None if tokens == 1 else "causal"

    def trim(self, positions: int) -> None:
        """Go back."""
        self.offset -= positions


def fresh_cache(model: Any, cut: Cut) -> list[Any]:
    """An empty cache for a request under `cut`.

    Raises:
        RequestError: The cut takes positions out of a cache that drops some by itself.
    """
    caches = make_prompt_cache(model)
    others = {type(cache).__name__ for cache in caches if type(cache) is not KVCache}
    if others and (cut.kv_keep < 1 or cut.lookup):
        raise RequestError(
            f"mlx: kv_keep and lookup need layers that hold all positions, but this model has "
            f"{', '.join(sorted(others))}; leave them out for this model"
        )
    return [cache if cut.attends(layer) else PositionOnly() for layer, cache in enumerate(caches)]


def shorten(caches: list[Any], cut: Cut, prompt_tokens: int, chosen: Mapping[int, Any]) -> None:
    """Keep only what `cut` says of every layer, in place, and queue that work.

    Args:
        caches: After the prefill of the whole prompt.
        cut: Its `kv_keep` may be 1; then nothing happens.
        prompt_tokens: Positions in the cache.
        chosen: By layer, positions (key-value heads, kept); empty if they are the same for all.
    """
    if cut.kv_keep == 1:
        return
    for_all = None if chosen else mx.array(kept_positions(cut, prompt_tokens))[None]
    for layer, cache in enumerate(caches):
        if isinstance(cache, PositionOnly):
            continue
        index = (chosen[layer] if for_all is None else for_all)[None, :, :, None]
        keys, values = (_taken(array, index) for array in cache.keys_and_values())
        mx.async_eval(keys, values)  # type: ignore[no-untyped-call]
        caches[layer] = ShortenedCache(keys, values, left_out=prompt_tokens - keys.shape[2])


def cache_lengths(caches: list[Any]) -> list[int]:
    """Positions that each layer holds; 0 where no attention ran."""
    return [_length(cache) for cache in caches]


def _taken(array: Any, index: Any) -> Any:
    """Positions `index` (1, key-value heads or 1, kept, 1) of `array` (1, key-value heads, T, width)."""
    _, heads, _, width = array.shape
    return mx.take_along_axis(array, mx.broadcast_to(index, (1, heads, index.shape[2], width)), axis=2)


def _length(cache: Any) -> int:
    if isinstance(cache, PositionOnly):
        return 0
    return int(cache.held.offset if isinstance(cache, ShortenedCache) else cache.offset)
