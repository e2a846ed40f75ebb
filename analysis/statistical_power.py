"""How often the verdict would settle a question, and after how many blocks it does in four runs of five.

The rule that is sized is the one of `analysis.verdict`, not a test against zero. With effect d (the mean of n
log-ratios, standard deviation s) and the A/A pair's mean c (standard deviation s_c), on the log scale and
with the sign such that the true effect is positive, and r = sqrt(n):

    beyond the threshold b    d - T s / r > b     and     d - |c| > t sqrt(s^2 + s_c^2) / r
    equivalent                |d| + u s / r < b     and     |c| + t s_c / r < b

u is the quantile of the two-sided interval, t that of a one-sided limit with the same confidence. T is u for
one arm; of m arms that are asked about together, the one with the smallest p has to stand after Holm's
correction by m, and T is the quantile that does. That is the lot of the only true saving among m gates; where
others save as well, later steps ask for less, and they settle sooner.

d, s, c and s_c are independent: mean and standard deviation of normal samples are, and an arm held against
the mean of both copies does not covary with their difference. Once s and s_c are given, d has to lie above
b + T s / r, and |c| below d - t sqrt(s^2 + s_c^2) / r; so

    P(beyond) = E over s, s_c of the integral over d > b + T s / r of P(|c| < d - t sqrt(s^2 + s_c^2) / r),

and `equivalent` is a product of two normal integrals, of d over s and of c over s_c. The sums are those of
Gauss and Legendre: nothing is drawn by lot.

An effect that equals the threshold is never settled: half of the interval lies on either side however long
the run.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
from scipy import special, stats

from analysis.values import LEVEL, FloatArray

POWER = 0.8
"""Chance of settling a question that blocks are counted for."""
MOST_BLOCKS = 10_000
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(24)
_NODES, _WEIGHTS = (1 + _NODES) / 2, _WEIGHTS / 2  # from 0 to 1
_FAR = 8.0
"""Standard errors of the effect on either side that are integrated over."""
_TAIL = 1e-10
"""What is left out at either end of the law of a standard deviation."""


@dataclass(frozen=True, kw_only=True)
class PowerQuestion:
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
    asked: int = 1
    """Comparisons of the run (Holm)."""


def chance_to_settle(question: PowerQuestion, blocks: int) -> float:
    """Share of runs of so many blocks (at least two) that end with the verdict that is true."""
    if question.spread == 0:
        return float(question.effect != question.bound)
    is_beyond = question.effect > question.bound
    return (_chance_beyond if is_beyond else _chance_equivalent)(question, blocks)


@cache
def blocks_to_settle(question: PowerQuestion, *, fewest: int = 2) -> int | None:
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


def _chance_beyond(question: PowerQuestion, blocks: int) -> float:
    deviations, shares = _deviations(blocks)
    spread, copy_spread = question.spread * deviations, question.copy_spread * deviations
    tail, error = (1 - question.level) / 2 / question.asked, question.spread / np.sqrt(blocks)
    low = np.maximum(question.bound + _reach(blocks, tail=tail) * spread, question.effect - _FAR * error)
    width = np.maximum(question.effect + _FAR * error - low, 0)
    seen = low[:, None] + width[:, None] * _NODES
    density = stats.norm.pdf(seen, question.effect, error) * width[:, None] * _WEIGHTS
    both = np.hypot(spread[:, None], copy_spread)
    room = seen[:, :, None] - _reach(blocks, tail=1 - question.level) * both[:, None, :]
    quiet = _chance_within(room, question.copy_effect, question.copy_spread, blocks)
    return float(np.einsum("s,sd,c,sdc", shares, density, shares, quiet))


def _chance_equivalent(question: PowerQuestion, blocks: int) -> float:
    deviations, shares = _deviations(blocks)
    chance = 1.0
    for effect, spread, tail in (
        (question.effect, question.spread, (1 - question.level) / 2),
        (question.copy_effect, question.copy_spread, 1 - question.level),
    ):
        room = question.bound - _reach(blocks, tail=tail) * spread * deviations
        chance *= float(shares @ _chance_within(room, effect, spread, blocks))
    return chance


def _reach(blocks: int, *, tail: float) -> float:
    """Quantile of t over the root of the blocks: what a unit standard deviation reaches."""
    return float(-special.stdtrit(blocks - 1, tail) / np.sqrt(blocks))


def _deviations(blocks: int) -> tuple[FloatArray, FloatArray]:
    """Standard deviations that samples of unit normals have, shape (nodes,), and the share of each."""
    freedom = blocks - 1
    low, high = np.sqrt(special.chdtri(freedom, (1 - _TAIL, _TAIL)) / freedom)
    deviations = low + (high - low) * _NODES
    # density of chi over the root of its degrees of freedom
    log_density = (freedom - 1) * np.log(deviations) - freedom / 2 * deviations**2
    log_density += np.log(2) + freedom / 2 * np.log(freedom / 2) - special.gammaln(freedom / 2)
    return deviations, np.exp(log_density) * (high - low) * _WEIGHTS


def _chance_within(room: FloatArray, effect: float, spread: float, blocks: int) -> FloatArray:
    """Chance that a mean of so many blocks lies within each distance of no change; none below zero."""
    if spread == 0:
        return np.asarray(room > effect, dtype=np.float64)
    least, error = np.maximum(room, 0), spread / np.sqrt(blocks)
    return np.asarray(special.ndtr((least - effect) / error) - special.ndtr((-least - effect) / error))
