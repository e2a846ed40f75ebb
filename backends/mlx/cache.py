"""Caches for the layers of an mlx-lm model that hold a part of the prompt, or nothing."""

from __future__ import annotations

from typing import Any

from mlx_lm.models.cache import KVCache, create_attention_mask


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
