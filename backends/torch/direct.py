"""A cache layer that holds the newest positions; a layer of the model run to rebuild the others."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import torch
from torch import Tensor
from transformers import DynamicCache
from transformers.cache_utils import DynamicLayer

from backends.anatomy import decoder_of, layers_of
from backends.cut import Cut
from backends.direct import Direct
from backends.parts import Parts


class _Rebuilt(Exception):
    """The keys and values are there."""


class _Once:
    """Stands for the cache of the one layer that is run."""

    def __init__(self, *, stop: bool) -> None:
        self._stop = stop
        self.keys = self.values = torch.empty(0)

    def update(self, keys: Tensor, values: Tensor, *_: object, **__: object) -> tuple[Tensor, Tensor]:
        """Note them."""
        self.keys, self.values = keys, values
        if self._stop:
            raise _Rebuilt
        return keys, values


class TorchRebuilding:
    """What PyTorch does for one request of a model."""

    def __init__(self, model: Any, cache: DynamicCache, cut: Cut, parts: Parts) -> None:
        self._model, self._cache, self._cut, self._parts = model, cache, cut, parts

    def tap(self, layer: int, note: Callable[[Any], None]) -> AbstractContextManager[None]:
        """Note what enters a layer."""
        return self._parts.tap(layers_of(self._model), layer, note, of_input=True)

    def join(self, streams: list[Tensor]) -> Tensor:
        """One after another."""
        return torch.cat(streams, 1)

    def run(self, layer: int, stream: Tensor) -> tuple[Any, Any, Any]:
        """Up to the cache only, where the rest is not needed; queries are computed on the way."""
        module, base = layers_of(self._model)[layer], decoder_of(self._model)
        takes = inspect.signature(module.forward).parameters
        once = _Once(stop=self._cut.kv_direct == "layers")
        positions = torch.arange(stream.shape[1], device=stream.device)[None]
        options: dict[str, Any] = {"layer_past" if "layer_past" in takes else "past_key_values": once}
        options |= {"attention_mask": None, "position_ids": positions, "use_cache": True}
        if "position_embeddings" in takes:
            options["position_embeddings"] = base.rotary_emb(stream, position_ids=positions)
        try:
            after = module(stream, **options)
        except _Rebuilt:
            after = None
        return once.keys, once.values, after[0] if isinstance(after, tuple) else after

    def shorten(self, direct: Direct) -> None:
        """Exchange the layers of the cache."""
        for layer, held in enumerate(self._cache.layers):
            self._cache.layers[layer] = HotLayer(held, layer, direct, self._cut.kv_hot)


class HotLayer(DynamicLayer):  # type: ignore[misc]
    """Keys and values of the newest positions of one layer."""

    def __init__(self, held: DynamicLayer, layer: int, direct: Direct, hot: int) -> None:
        super().__init__()
        self.lazy_initialization(held.keys, held.values)
        self._layer, self._direct, self._hot, self._seen = layer, direct, hot, held.keys.shape[-2]
        self.keys, self.values = (array[..., -hot:, :].clone() for array in (held.keys, held.values))

    def update(self, key_states: Tensor, value_states: Tensor, *_: object, **__: object) -> tuple[Any, Any]:
        """Add keys and values (B, heads, 1, width), and give those of all positions."""
        old = self._seen - self.keys.shape[-2]
        keys, values = [self.keys, key_states], [self.values, value_states]
        self._seen += key_states.shape[-2]
        self.keys, self.values = (torch.cat(new, -2)[..., -self._hot :, :].clone() for new in (keys, values))
        if old:
            rebuilt = self._direct.rebuild(self._layer, old)
            keys, values = [rebuilt[0], *keys], [rebuilt[1], *values]
        return torch.cat(keys, -2), torch.cat(values, -2)
