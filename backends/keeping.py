"""Which positions the cache of a request keeps: chosen after the prompt and, if bounded, after every step."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from backends.cut import Cut
from backends.kv_policies import Arrays, AttentionSeen, kept_positions, looks_at_attention
from backends.library import Look

Keep = Callable[[int, Any], None]
"""Queues that a layer keeps positions `index` (1, key-value heads or 1, kept, 1) of its cache only."""


class Keeping:
    """The choice of positions for one request; nothing to do where all of them stay."""

    kept_bytes = rebuilt_bytes = 0

    def __init__(self, arrays: Arrays, cut: Cut, *, tokens: int, layers: Sequence[int], keep: Keep) -> None:
        """Of a prompt of so many `tokens`; `layers` are those whose attention runs, in their order."""
        self._bounded = cut.kv_bounded and cut.kv_keep < 1
        self._layers, self._keep = layers, keep
        self._seen: AttentionSeen | None = None
        self._for_all: list[Any] = []
        if looks_at_attention(cut):
            self._seen = AttentionSeen(arrays, cut, tokens=tokens, layers=layers)
        elif cut.kv_keep < 1:
            kept = cut.kept_positions(tokens)
            after = [tokens, kept + 1] if cut.kv_bounded else [tokens]
            self._for_all = [arrays.numbers(kept_positions(cut, held, kept))[None] for held in after]

    @property
    def look(self) -> Look | None:
        """What has to see the attention of the prompt, then of every step of a bounded cache; or nothing."""
        return self._seen.look if self._seen else None

    @property
    def noted(self) -> list[Any]:
        """Arrays that it goes on with."""
        return list(self._seen.noted.values()) if self._seen else []

    @property
    def after_step(self) -> Callable[[], None] | None:
        """What is due after every step, if anything."""
        return self.shorten if self._bounded else None

    def shorten(self) -> None:
        """Keep what stays of the prompt or, the next times, of the k + 1 positions that a step has left."""
        if self._seen:
            for layer, index in self._seen.choose().items():
                self._keep(layer, index[None, :, :, None])
        elif self._for_all:
            for layer in self._layers:
                self._keep(layer, self._for_all[0][None, :, :, None])
        if self._bounded:
            self._for_all = self._for_all[-1:]
        else:
            self._seen, self._for_all = None, []
