"""A cache that holds the newest positions; a layer of the model run to rebuild the others."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import mlx.core as mx
from mlx_lm.models.cache import KVCache, create_attention_mask

from backends.anatomy import layers_of
from backends.cut import Cut
from backends.direct import Direct
from backends.parts import Parts


class MlxRebuilding:
    """What MLX does for one request of a model."""

    def __init__(self, model: Any, cache: list[Any], cut: Cut, parts: Parts) -> None:
        self._model, self._cache, self._cut, self._parts = model, cache, cut, parts

    def tap(self, layer: int, note: Callable[[Any], None]) -> AbstractContextManager[None]:
        """Note what enters a layer."""
        return self._parts.tap(layers_of(self._model), layer, note, of_input=True)

    def join(self, streams: list[Any]) -> Any:
        """One after another."""
        return mx.concatenate(streams, axis=1)

    def run(self, layer: int, stream: Any) -> tuple[Any, Any, Any]:
        """Computed here, or the graph would hold what all layers rebuild; what is not needed never is."""
        once = KVCache()
        mask = "causal" if stream.shape[1] > 1 else None
        after = layers_of(self._model)[layer](stream, mask, once)
        keys, values = once.keys_and_values()
        mx.eval([keys, values] if self._cut.kv_direct == "layers" else [keys, values, after])
        return keys, values, after

    def shorten(self, direct: Direct) -> None:
        """Exchange the caches."""
        hot = [HotCache(held, layer, direct, self._cut.kv_hot) for layer, held in enumerate(self._cache)]
        mx.async_eval([held.keys_and_values() for held in hot], direct.noted)  # type: ignore[no-untyped-call]
        self._cache[:] = hot


class HotCache:
    """Keys and values of the newest positions of one layer. Its `offset` counts all that ever came."""

    def __init__(self, held: KVCache, layer: int, direct: Direct, hot: int) -> None:
        self._layer, self._direct, self._hot = layer, direct, hot
        self.offset = held.offset
        self.keys, self.values = (mx.contiguous(a[:, :, -hot:]) for a in held.keys_and_values())

    @property
    def held(self) -> int:
        """Positions that it holds."""
        return int(self.keys.shape[2])

    def keys_and_values(self) -> Any:
        """All that are held."""
        return self.keys, self.values

    def update_and_fetch(self, keys: Any, values: Any) -> Any:
        """Add keys and values (B, heads, 1, width), and give those of all positions."""
        old = self.offset - self.held
        of_keys, of_values = [self.keys, keys], [self.values, values]
        self.offset += keys.shape[2]
        self.keys, self.values = (
            mx.contiguous(mx.concatenate(new, axis=2)[:, :, -self._hot :]) for new in (of_keys, of_values)
        )
        if old:
            rebuilt = self._direct.rebuild(self._layer, old)
            of_keys, of_values = [rebuilt[0], *of_keys], [rebuilt[1], *of_values]
        return mx.concatenate(of_keys, axis=2), mx.concatenate(of_values, axis=2)

    def make_mask(self, *arguments: Any, **options: Any) -> Any:
        """The mask over all positions."""
        return create_attention_mask(*arguments, offset=self.offset, **options)
