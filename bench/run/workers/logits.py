"""Logits with and without a cut, compared where the model is.

What is big stays in its process: the logits of a window of 1024 tokens are 200 MB, what is made of them
fits in a line.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from backends.base import Backend
from backends.cut import Cut
from backends.loop import log_probabilities

ROWS_AT_ONCE = 64
"""Positions that are compared at a time, in float64 over the whole vocabulary."""


@dataclass(frozen=True, kw_only=True)
class LogitComparison:
    """Teacher-forced logits under a cut beside those without it, over the same positions."""

    log_probabilities: list[float]
    """Natural log-probability of each following token."""
    ungated: list[float]
    """The same without the cut."""
    kl: float
    """Mean of KL(ungated || cut) in nats."""
    top1: float
    """Share of positions with the same most likely token."""
    same: bool
    """Whether not one number differs: the same was computed."""


def compare(model: Backend, ids: list[int], cuts: Sequence[Cut], *, first: int) -> list[LogitComparison]:
    """Logits under each cut beside those without; runs in the worker.

    Args:
        model: a loaded model.
        ids: token ids.
        cuts: what is left out in turn.
        first: position from which on the logits are compared; the last one predicts nothing known.
    """
    rest = ids[first:]
    ungated = model.logits(ids)[first:]
    return [_compare(model.logits(ids, cut)[first:], ungated, rest) for cut in cuts]


def _compare(logits: NDArray[np.float32], ungated: NDArray[np.float32], ids: list[int]) -> LogitComparison:
    from analysis.quality import logit_agreement

    kl = top1 = 0.0
    for begin in range(0, len(ids) - 1, ROWS_AT_ONCE):
        rows = slice(begin, min(begin + ROWS_AT_ONCE, len(ids) - 1))
        agreement = logit_agreement(logits[rows], ungated[rows])
        share = (rows.stop - rows.start) / (len(ids) - 1)
        kl, top1 = kl + share * agreement.kl, top1 + share * agreement.top1
    return LogitComparison(
        log_probabilities=_log_probabilities(logits, ids),
        ungated=_log_probabilities(ungated, ids),
        kl=max(kl, 0.0),  # rounding can leave a zero below zero
        top1=top1,
        same=bool(np.array_equal(logits, ungated)),
    )


def _log_probabilities(logits: NDArray[np.float32], ids: list[int]) -> list[float]:
    values: list[float] = []
    for begin in range(0, len(ids) - 1, ROWS_AT_ONCE):
        rows = slice(begin, begin + ROWS_AT_ONCE + 1)
        values += log_probabilities(logits[rows], ids[rows]).tolist()
    return values
