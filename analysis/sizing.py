"""How many blocks a run needs, from a pilot that is too short to answer anything itself.

A pilot of a few blocks knows its own spread badly: a plan that takes it for the truth is too short more often
than not. Stein (1945, Ann. Math. Stat. 16:243) takes two stages: what the pilot doesn't know of the spread is
paid for with more blocks. Of a pilot with f degrees of freedom that saw s where the truth is sigma, the run
that plans with k s settles its question if Z + z < k' s / sigma, with z the quantile of the interval, Z a
standard normal, and k' = k (z + z_power). Since s / sigma is the root of chi-squared over f, that is
P(T < k') for T of the noncentral t with f degrees of freedom and noncentrality z. Its 80 % quantile makes
four of five pairs of pilot and run settle.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from scipy import optimize
from scipy import stats as distributions

from analysis import stats
from analysis.effect import FEWEST_BLOCKS
from analysis.statistical_power import POWER, PowerQuestion, blocks_to_settle, chance_to_settle
from analysis.values import LEVEL, FloatArray
from analysis.verdict import THRESHOLD

EFFECT_SHARE = math.sqrt(3) / 2
"""Spread of an arm's log-ratio, as a share of the A/A pair's.

If log-joules of any arm have variance v per block, one copy over the other has 2 v, and an arm over the mean
of both copies v + v / 2, which is 3/4 of that.
"""


@dataclass(frozen=True, kw_only=True)
class Noise:
    """How much an arm differs from itself from block to block."""

    seen: float
    """Standard deviation of the blocks' log-ratios of the A/A arm (0.01 is about 1 %)."""
    planned: float
    """What to plan with: Stein's allowance on top of it, or an assumption."""
    blocks: int | None
    """Blocks of the pilot; None: there was none, and both figures are assumed."""


def noise_of(repeat_log_ratios: FloatArray) -> Noise:
    """The noise that a pilot found.

    Args:
        repeat_log_ratios: A/A arm over baseline, shape (blocks,), at least two blocks.
    """
    freedom = len(repeat_log_ratios) - 1
    seen = float(repeat_log_ratios.std(ddof=1))
    quantile = distributions.norm.ppf((1 + LEVEL) / 2)
    known = quantile + distributions.norm.ppf(POWER)
    factor = distributions.nct.ppf(POWER, freedom, quantile) / known
    return Noise(seen=seen, planned=float(seen * factor), blocks=len(repeat_log_ratios))


def blocks_to_tell(
    change: float, noise: Noise, *, threshold: float = THRESHOLD, level: float = LEVEL, asked: int = 1
) -> int | None:
    """Blocks after which 4 of 5 runs have the verdict on a true change; None: 10,000 do not do.

    Args:
        change: as a fraction, such as 0.04 for joules that fall by 4 %. Beyond the threshold the verdict is
            `saves` (or `costs`), within it `equivalent`; on it there is none, ever.
        noise: of a block; an arm that changes something is taken to have the noise of one that does not.
        threshold: practical threshold of the suite, as a fraction.
        level: of the interval that decides.
        asked: arms that are held against the same baseline.
    """
    return blocks_to_settle(_question(change, noise, threshold, level, asked), fewest=FEWEST_BLOCKS)


def smallest_change(
    blocks: int, noise: Noise, *, threshold: float = THRESHOLD, level: float = LEVEL, asked: int = 1
) -> float | None:
    """The smallest true change, as a fraction, that 4 of 5 runs call a saving; None: not even 99 %.

    Args:
        blocks: at least two.
        noise: of a block.
        threshold: practical threshold of the suite, as a fraction.
        level: of the interval that decides.
        asked: arms that are held against the same baseline.
    """

    def lacks(change: float) -> float:
        return chance_to_settle(_question(change, noise, threshold, level, asked), blocks) - POWER

    least, most = threshold + 1e-6, 0.99
    if lacks(most) < 0:
        return None
    return least if lacks(least) >= 0 else float(optimize.brentq(lacks, least, most, xtol=1e-6))


def _question(change: float, noise: Noise, threshold: float, level: float, asked: int) -> PowerQuestion:
    return PowerQuestion(
        effect=stats.log_distance(change),
        bound=stats.log_distance(threshold),
        spread=EFFECT_SHARE * noise.planned,
        copy_spread=noise.planned,
        level=level,
        asked=asked,
    )
