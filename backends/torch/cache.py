"""The cache of a layer that runs without attention, for a transformers model."""

from __future__ import annotations

from typing import Any

from transformers.cache_utils import DynamicLayer


class NoAttention(DynamicLayer):  # type: ignore[misc]
    """Holds nothing, and is as long as another layer of its kind.

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
