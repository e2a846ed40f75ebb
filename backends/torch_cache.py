"""The key-value cache of a transformers model: cut short, measured, masked."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor
from transformers import DynamicCache
from transformers.cache_utils import DynamicLayer

from backends.base import RequestError
from backends.cut import Cut
from backends.kv_policies import kept_positions


def check_cache(cache: DynamicCache, cut: Cut) -> None:
    """Raise `RequestError` if `cut` takes positions out of a cache that drops some by itself."""
    others = {type(layer).__name__ for layer in cache.layers if type(layer) is not DynamicLayer}
    if others and (cut.kv_keep < 1 or cut.lookup):
        raise RequestError(
            f"torch: kv_keep and lookup need layers that hold all positions, but this model has "
            f"{', '.join(sorted(others))}; leave them out for this model"
        )


def shorten(
    cache: DynamicCache, cut: Cut, prompt_tokens: int, chosen: Mapping[int, Tensor], device: torch.device
) -> None:
    """Keep only what `cut` says of every layer; keys were rotated to their positions before.

    Args:
        cache: After the prefill of the whole prompt.
        cut: Its `kv_keep` may be 1; then nothing happens.
        prompt_tokens: Positions in the cache.
        chosen: By layer, positions (key-value heads, kept); empty if they are the same for all.
        device: Of the cache.
    """
    if cut.kv_keep == 1:
        return
    for_all = None if chosen else torch.tensor(kept_positions(cut, prompt_tokens), device=device)[None]
    for number, layer in enumerate(cache.layers):
        if layer.is_initialized:
            index = (chosen[number] if for_all is None else for_all)[None, :, :, None]
            layer.keys = torch.take_along_dim(layer.keys, index, 2)
            layer.values = torch.take_along_dim(layer.values, index, 2)


def cache_lengths(cache: DynamicCache) -> list[int]:
    """Positions that each layer holds; 0 where no attention ran."""
    return [layer.keys.shape[-2] if layer.is_initialized else 0 for layer in cache.layers]


def causal_mask(cache: DynamicCache, tokens: int, device: torch.device) -> Tensor | None:
    """For `tokens` after the cache: all of it, and each other up to themselves; (1, 1, tokens, positions).

    The model's own mask asks the cache of layer 0 for the length, which may hold nothing.
    """
    if tokens == 1:
        return None
    held = max(cache_lengths(cache))
    return torch.ones(tokens, held + tokens, dtype=torch.bool, device=device).tril(held)[None, None]
