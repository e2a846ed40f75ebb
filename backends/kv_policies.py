"""Which positions of the cache stay, written once for PyTorch and MLX.

Of T prompt tokens k = max(1, floor(kv_keep * T)) positions stay. Rotary positions stay as they were, also
where a paper numbers the kept ones anew.

`window`         The last k.
`sinks_window`   The first `kv_sinks` and the last ones (StreamingLLM, arXiv 2309.17453).
`heavy_hitters`  Half the budget for the last ones, half for the positions with the most attention, summed
                 over all queries so far; for each key-value head (H2O, arXiv 2306.14048).
`snapkv`         The last `snapkv_window`, and those to which these queries attend most, averaged over five
                 neighbours; for each key-value head (SnapKV, arXiv 2404.14469).
`tova`           Those to which the last query attends most, over all heads of a layer; none is protected
                 (TOVA, arXiv 2401.06104).

With `kv_bounded` the rule is applied again after every step, to k + 1 positions of which one leaves. What it
looks at goes on: sums over all queries, the last queries, or the last one.

`Arrays` names what differs between the libraries; everything else is spelled the same in both.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import cycle
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from backends.cut import Cut

NEIGHBOURS = 5
"""Positions that SnapKV averages over, as in its published code."""


class Arrays(Protocol):
    """An array library on one device."""

    @property
    def library(self) -> Any:
        """`torch` or `mlx.core`."""

    def numbers(self, values: list[int]) -> Any:
        """Integers as an array."""

    def float32(self, array: Any) -> Any:
        """The array in float32."""

    def numpy(self, array: Any) -> NDArray[np.float32]:
        """The array in float32, fetched."""

    def widened(self, array: Any, length: int) -> Any:
        """The array with zeros after its last axis, up to this length."""

    def taken(self, array: Any, index: Any) -> Any:
        """Elements `index` of the last axis; the other axes of `index` broadcast."""


@dataclass(frozen=True, kw_only=True)
class Prefix:
    """What the rules know of the positions before a query: arrays that broadcast to (heads, queries, L)."""

    position: Any
    """0 to L - 1; shape (L,)."""
    seen: Any
    """Positions before each query; shape (queries, 1)."""
    budget: Any
    """How many of them stay; shape (queries, 1)."""


def looks_at_attention(cut: Cut) -> bool:
    """Whether the choice of positions depends on the attention of the prompt."""
    return cut.kv_keep < 1 and cut.kv_policy in ("heavy_hitters", "snapkv", "tova")


def queries_looked_at(cut: Cut, tokens: int) -> int:
    """Last queries of `tokens` whose attention decides which positions `cut` keeps."""
    if not looks_at_attention(cut):
        return 0
    return min(tokens, {"heavy_hitters": tokens, "tova": 1}.get(cut.kv_policy, cut.snapkv_window))


def kept_positions(cut: Cut, tokens: int, kept: int) -> list[int]:
    """The `kept` positions that stay of `tokens`, for the policies that don't look at the attention."""
    sinks = min(cut.kv_sinks, kept - 1) if cut.kv_policy == "sinks_window" else 0
    return [*range(sinks), *range(tokens - kept + sinks, tokens)]


class AttentionSeen:
    """What each position of a cache gets of the attention that a policy looks at, noted chunk by chunk."""

    def __init__(self, arrays: Arrays, cut: Cut, *, tokens: int, layers: Sequence[int]) -> None:
        """Of a prompt of so many `tokens`; `layers` are those whose attention runs, in their order.

        `cut` has a policy for which `looks_at_attention` holds.
        """
        self._arrays, self._cut = arrays, cut
        self._kept = cut.kept_positions(tokens)
        looked_at = queries_looked_at(cut, tokens)
        self._from = tokens - looked_at
        # Sums are enough unless the first queries are to be forgotten while others come.
        forgets = cut.kv_bounded and cut.kv_policy != "heavy_hitters"
        self._rows = looked_at if forgets else None
        self._layers = cycle(layers)
        self._prefixes: dict[int, Prefix] = {}
        self.noted: dict[int, Any] = {}
        """By layer, in float32: shape (key-value heads, or 1 where all choose together; queries, or 1 for
        their sum; positions so far)."""

    def look(self, queries: Any, keys: Any, _values: Any, scale: float) -> None:
        """Note the attention of the next layer's queries.

        Args:
            queries: Of a chunk, shape (B, heads, L, width), positions applied; the rows of a batch are equal.
            keys: Of all positions up to its end, shape (B, key-value heads, L, width).
            scale: Factor of the scores.
        """
        layer, ends = next(self._layers), keys.shape[2]
        looking = min(queries.shape[2], ends - self._from)
        if looking <= 0:
            return
        groups = queries.shape[1] // keys.shape[1]
        # One key-value head at a time: all at once would take heads * L * L numbers.
        got = [
            _probabilities(
                self._arrays,
                queries[:1, head * groups : (head + 1) * groups],
                keys[:1, head : head + 1],
                scale,
                looking,
            )[0].sum(0)
            for head in range(keys.shape[1])
        ]
        if self._rows is None:
            got = [queries_of_head.sum(0)[None] for queries_of_head in got]
        self._note(layer, self._arrays.library.stack(got))

    def choose(self) -> dict[int, Any]:
        """Positions that stay, by layer: ascending, shape (key-value heads or 1, k); others are forgotten."""
        arrays, library = self._arrays, self._arrays.library
        noted = library.concatenate(list(self.noted.values()))  # all layers at once: few, larger operations
        held, heads = noted.shape[2], noted.shape[0] // len(self.noted)
        prefix = self._prefix(held)
        stays = _stays(library, self._cut, prefix, noted.sum(1)[:, None])[:, 0]
        order = library.where(stays, prefix.position, prefix.position + held)
        index = library.argsort(order)[:, : self._kept]
        noted, self._from = arrays.taken(noted, index[:, None]), 0
        parts = {layer: slice(n * heads, (n + 1) * heads) for n, layer in enumerate(self.noted)}
        self.noted = {layer: noted[part] for layer, part in parts.items()}
        return {layer: index[part] for layer, part in parts.items()}

    def _prefix(self, held: int) -> Prefix:
        """Of a query after so many positions; made once for the prompt and once for all steps."""
        numbers = self._arrays.numbers
        if held not in self._prefixes:
            self._prefixes[held] = Prefix(
                position=numbers(list(range(held))),
                seen=numbers([held])[:, None],
                budget=numbers([self._kept])[:, None],
            )
        return self._prefixes[held]

    def _note(self, layer: int, got: Any) -> None:
        if self._cut.kv_policy == "tova":
            got = got.sum(0)[None]
        before = self.noted.get(layer)
        if before is not None:
            before = self._arrays.widened(before, got.shape[2])
            if self._rows is None:
                got = before + got
            else:
                got = self._arrays.library.concatenate([before, got], 1)[:, -self._rows :]
        self.noted[layer] = got


def attend_per_query(arrays: Arrays, cut: Cut, queries: Any, keys: Any, values: Any, scale: float) -> Any:
    """Causal attention in which each query sees itself and what the cut keeps of the positions before it.

    Args:
        arrays: The library that the arrays belong to.
        cut: Any policy.
        queries: Shape (1, heads, L, width), positions applied.
        keys: Shape (1, key-value heads, L, width).
        values: As `keys`.
        scale: Factor of the scores.

    Returns:
        Shape (1, heads, L, width).
    """
    library, tokens = arrays.library, keys.shape[2]
    position = arrays.numbers(list(range(tokens)))
    prefix = Prefix(
        position=position,
        seen=position[:, None],
        budget=arrays.numbers([cut.kept_positions(t) for t in range(tokens)])[:, None],
    )
    scores = _scores(arrays, queries, keys, scale)
    sums = None
    if looks_at_attention(cut):
        causal = library.where(position > position[:, None], float("-inf"), scores)
        sums = _sums_before(library, cut, library.softmax(causal, -1).sum(1))
    sees = _stays(library, cut, prefix, sums) | (position == position[:, None])
    if looks_at_attention(cut):
        sees = sees[:, None]
    weights = library.softmax(library.where(sees, scores, float("-inf")), -1)
    return (weights @ arrays.float32(values)[0][:, None]).reshape(queries.shape)


def _stays(library: Any, cut: Cut, prefix: Prefix, sums: Any) -> Any:
    """Whether a position before a query stays: bool, (queries, L) or (key-value heads, queries, L).

    `sums` is the attention that each position got, shape (key-value heads, queries, L), or None.
    """
    position, seen, budget = prefix.position, prefix.seen, prefix.budget
    before = position < seen
    if cut.kv_policy == "window":
        return before & (position >= seen - budget)
    if cut.kv_policy == "sinks_window":
        sinks = library.where(budget - 1 < cut.kv_sinks, budget - 1, cut.kv_sinks)
        return before & ((position < sinks) | (position >= seen - budget + sinks))
    if cut.kv_policy == "tova":
        recent, candidate = 0, before
    elif cut.kv_policy == "heavy_hitters":
        recent = budget - budget // 2
        candidate = position < seen - recent
    else:
        recent = library.where(budget < cut.snapkv_window, budget, cut.snapkv_window)
        candidate = position < seen - cut.snapkv_window
        sums = _averaged(library, library.where(candidate, sums, 0.0))
    rank = library.argsort(library.argsort(library.where(candidate, -sums, float("inf"))))
    return before & ((position >= seen - recent) | (candidate & (rank < budget - recent)))


def _scores(arrays: Arrays, queries: Any, keys: Any, scale: float) -> Any:
    """Scores of queries and keys, shape (key-value heads, group, queries, L)."""
    _, heads, length, width = queries.shape
    grouped = arrays.float32(queries).reshape(keys.shape[1], heads // keys.shape[1], length, width)
    return grouped @ arrays.library.swapaxes(arrays.float32(keys)[0], -1, -2)[:, None] * scale


def _probabilities(arrays: Arrays, queries: Any, keys: Any, scale: float, looking: int) -> Any:
    """Causal attention of the last `looking` queries, shape (key-value heads, group, looking, L)."""
    tokens = keys.shape[2]
    scores = _scores(arrays, queries[:, :, queries.shape[2] - looking :], keys, scale)
    position = arrays.numbers(list(range(tokens)))
    later = position > position[tokens - looking :][:, None]
    return arrays.library.softmax(arrays.library.where(later, float("-inf"), scores), -1)


def _sums_before(library: Any, cut: Cut, attention: Any) -> Any:
    """Attention that each position got before each query, of `attention` (key-value heads, L, L)."""
    nothing = library.zeros_like(attention)
    if cut.kv_policy == "tova":
        return library.concatenate([nothing[:, :1], attention[:, :-1]], 1).sum(0)[None]
    before = library.concatenate([nothing[:, :1], library.cumsum(attention, 1)[:, :-1]], 1)
    if cut.kv_policy == "heavy_hitters":
        return before
    window = min(cut.snapkv_window, attention.shape[1])
    return before - library.concatenate([nothing[:, :window], before[:, :-window]], 1)


def _averaged(library: Any, sums: Any) -> Any:
    """Mean over the neighbours of each position; beyond the ends there is nothing."""
    edge = [library.zeros_like(sums[..., :1])] * (NEIGHBOURS // 2)
    padded = library.concatenate([*edge, sums, *edge], -1)
    length = sums.shape[-1]
    return sum(padded[..., shift : shift + length] for shift in range(NEIGHBOURS)) / NEIGHBOURS
