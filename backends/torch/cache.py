"""The cache of a transformers model: of a layer that runs without attention, and what all layers hold."""

from __future__ import annotations

from typing import Any

from torch import Tensor
from transformers.cache_utils import (
    DynamicCache,
    DynamicLayer,
    LinearAttentionAndFullAttentionLayer,
)

from backends.prepared import InCache
from backends.shape import KeptState
from backends.torch.stored import StoredLayer


class _NoAttention:
    """Holds no keys, and is as long as another layer of its kind.

    For the masks of all layers of a kind a model asks the first one how many positions there are.
    """

    def __init__(self, layers: list[Any], like: int) -> None:
        super().__init__()
        self.layers, self._like = layers, like
        self.is_sliding = layers[like].is_sliding

    def get_mask_sizes(self, query_length: int) -> tuple[int, int]:
        """Length and offset of what a query sees."""
        return self.layers[self._like].get_mask_sizes(query_length)  # type: ignore[no-any-return]

    def get_seq_length(self) -> int:
        """Positions so far."""
        return int(self.layers[self._like].get_seq_length())


class NoAttention(_NoAttention, DynamicLayer):  # type: ignore[misc]
    """Holds nothing."""


class StateAlone(_NoAttention, LinearAttentionAndFullAttentionLayer):  # type: ignore[misc]
    """Holds the state of a hybrid layer."""


def without_attention(layers: list[Any], layer: int, like: int) -> Any:
    """In the place of a layer's cache, as long as the layer `like` of the same kind."""
    if not isinstance(layers[layer], DynamicLayer):
        return layers[layer]  # of a state, or of nothing
    hybrid = isinstance(layers[layer], LinearAttentionAndFullAttentionLayer)
    return (StateAlone if hybrid else NoAttention)(layers, like)


def held_in(cache: DynamicCache) -> InCache:
    """What a cache holds, counted at its tensors."""
    layers: list[Any] = cache.layers  # a state-space layer holds a state and no positions
    keys = [getattr(layer, "keys", None) for layer in layers]  # nor has one that reads another layer's
    states = [_state_in(layer) for layer in layers]
    known = all(hasattr(layer, "keys") or hasattr(layer, "conv_states") for layer in layers)
    stored = [layer for layer in layers if isinstance(layer, StoredLayer)]
    return InCache(
        lengths=tuple(0 if held is None else held.shape[-2] for held in keys),
        bits=stored[0].bits if stored else None,
        bytes=sum(map(_bytes_in, layers)) if known else None,
        state=KeptState(
            bytes=sum(array[0].nbytes for held in states for array in held),
            numbers=sum(scan[0].numel() for held in states for scan in held[1:]),
        ),
    )


def _bytes_in(layer: Any) -> int:
    if isinstance(layer, StoredLayer):
        return layer.held_bytes
    held = [getattr(layer, "keys", None), getattr(layer, "values", None), *_state_in(layer)]
    return sum(int(array.nbytes) for array in held if array is not None)


def _state_in(layer: Any) -> list[Tensor]:
    """The window of a convolution, then what a scan carries on; nothing of a layer that only attends."""
    kinds = (getattr(layer, name, {}) for name in ("conv_states", "recurrent_states"))
    return [array for states in kinds for array in states.values() if array is not None]
