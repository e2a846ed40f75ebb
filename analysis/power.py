"""How often the verdict would settle a question, and after how many blocks it does in four runs of five.

The rule that is sized is the one of `analysis.verdict`, not a test against zero. With effect d (the mean of n
log-ratios, standard deviation s) and the A/A pair's mean c (standard deviation s_c), and t the quantile of
the interval, all on the log scale and with the sign such that the true effect is positive:

    beyond the threshold b    d - t s / sqrt(n) > b     and     d > |c| + t s_c / sqrt(n)
    equivalent                |d| + t s / sqrt(n) < b     and     |c| + t s_c / sqrt(n) < b

d, s, c and s_c are independent: mean and standard deviation of normal samples are, and an arm held against
the mean of both copies does not covary with their difference. So for a given d the two conditions of
either kind multiply; beyond the threshold,

    P(s < (d - b) sqrt(n) / t) P(|c| + t s_c / sqrt(n) < d),

the first by the chi-squared law of n - 1 degrees of freedom, the second by an integral over it; what is left
is one integral over d. Without the second factor this is the noncentral t of the textbooks. Both integrals
are Gauss-Legendre sums: nothing is drawn by lot.

An effect that equals the threshold is never settled: half of the interval lies on either side however long
the run.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import special, stats

from analysis.values import LEVEL, FloatArray

POWER = 0.8
"""Chance of settling a question that blocks are counted for."""
MOST_BLOCKS = 10_000
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(80)
_REACH = 8.0
"""Standard errors of the effect on either side that are integrated over."""


@dataclass(frozen=True, kw_only=True)
class Question:
    """A true effect and the noise that it has to be seen in; all on the log scale."""

    effect: float
    """Distance from no change, at or above zero."""
    bound: float
    """Distance of the practical threshold from no change."""
    spread: float
    """Standard deviation of the effect's log-ratio from block to block."""
    copy_spread: float
    """The same of the A/A pair."""
    copy_effect: float = 0.0
    """What the A/A pair truly differs by: nothing, unless a run has shown otherwise."""
    level: float = LEVEL
    """Of the interval that decides."""


def chance_to_settle(question: Question, blocks: int) -> float:
    """Share of runs of so many blocks (at least two) that end with the verdict that is true."""
    reach = float(stats.t.ppf((1 + question.level) / 2, blocks - 1)) / np.sqrt(blocks)
    error = question.spread / np.sqrt(blocks)
    low, high = question.effect - _REACH * error, question.effect + _REACH * error
    beyond = question.effect > question.bound
    low, high = (max(low, question.bound), high) if beyond else (max(low, -question.bound), question.bound)
    if low >= high:
        return float(error == 0 and question.effect != question.bound)
    seen = low + (high - low) * (1 + _NODES) / 2
    density = stats.norm.pdf(seen, question.effect, error) * _WEIGHTS * (high - low) / 2
    room = np.abs(np.abs(seen) - question.bound)
    narrow = _below(room / reach, question.spread, blocks)
    above = seen if beyond else np.array([question.bound])
    quiet = _chance_of_floor_below(question, above, blocks=blocks, reach=reach)
    return float(np.sum(density * narrow * quiet))


def blocks_to_settle(question: Question, *, fewest: int = 2) -> int | None:
    """Fewest blocks that settle the question with a chance of 0.8; None where 10,000 would not do.

    Args:
        question: what is to be settled.
        fewest: the answer is at least this.
    """
    enough, low = fewest, fewest
    while chance_to_settle(question, enough) < POWER:
        if enough >= MOST_BLOCKS:
            return None
        low, enough = enough + 1, min(2 * enough, MOST_BLOCKS)
    while low < enough:
        middle = (low + enough) // 2
        if chance_to_settle(question, middle) < POWER:
            low = middle + 1
        else:
            enough = middle
    return enough


def _below(limit: FloatArray, spread: float, blocks: int) -> FloatArray:
    """Chance that a sample's standard deviation lies below a limit."""
    freedom = blocks - 1
    chance: FloatArray = special.chdtr(freedom, freedom * (limit / spread) ** 2)
    return chance


def _chance_of_floor_below(question: Question, seen: FloatArray, *, blocks: int, reach: float) -> FloatArray:
    """Chance that the farther end of the A/A pair's interval lies below each distance, shape (n,)."""
    spread = question.copy_spread
    if spread == 0:
        return (seen > question.copy_effect).astype(np.float64)
    freedom = blocks - 1
    deviations = spread * np.sqrt(special.chdtri(freedom, (1 + _NODES) / 2) / freedom)
    left = np.maximum(seen[:, None] - reach * deviations, 0)
    error = spread / np.sqrt(blocks)
    inside = special.ndtr((left - question.copy_effect) / error)
    chance: FloatArray = (inside - special.ndtr((-left - question.copy_effect) / error)) @ (_WEIGHTS / 2)
    return chance
