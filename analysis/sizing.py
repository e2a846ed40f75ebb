"""How many blocks a run needs, from a pilot that is too short to answer anything itself.

A pilot of a few blocks knows its own spread badly: the true one is larger half of the time, and the run
would then be too short more often than not. So the plan is made with the upper 80 % confidence limit of
the pilot's standard deviation (Browne 1995, Statist. Med. 14:1933).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import stats as distributions

from analysis import stats
from analysis.values import LEVEL, FloatArray
from analysis.verdict import FEWEST_BLOCKS

CONFIDENCE = 0.8


@dataclass(frozen=True, kw_only=True)
class Noise:
    """How much an arm differs from itself from block to block."""

    seen: float
    """Standard deviation of the blocks' log-ratios of the A/A arm (0.01 is about 1 %)."""
    planned: float
    """What to plan with: the upper 80 % limit of it, or an assumption."""
    blocks: int | None
    """Blocks of the pilot; None: there was none, and both figures are assumed."""


def noise_of(repeat_log_ratios: FloatArray) -> Noise:
    """The noise that a pilot found.

    Args:
        repeat_log_ratios: A/A arm over baseline, shape (blocks,), at least two blocks.
    """
    freedom = len(repeat_log_ratios) - 1
    seen = float(repeat_log_ratios.std(ddof=1))
    factor = np.sqrt(freedom / distributions.chi2.ppf(1 - CONFIDENCE, freedom))
    return Noise(seen=seen, planned=float(seen * factor), blocks=len(repeat_log_ratios))


def blocks_to_tell(change: float, noise: Noise) -> int | None:
    """Blocks after which a change of so much is told from none in 4 of 5 runs; None: 10,000 do not do.

    Args:
        change: as a fraction, such as 0.02 for joules that fall by 2 %.
        noise: of a block; an arm that changes something is taken to have the noise of one that does not.
    """
    needed = stats.blocks_for(stats.log_distance(change), spread=noise.planned)
    return None if needed is None else max(FEWEST_BLOCKS, needed)


def smallest_change(blocks: int, noise: Noise) -> float:
    """The smallest change, as a fraction, that so many blocks tell from none in 4 of 5 runs.

    Args:
        blocks: at least two.
        noise: of a block.
    """
    t = distributions.t.ppf((1 + LEVEL) / 2, blocks - 1) + distributions.norm.ppf(stats.POWER)
    return stats.fraction_of(float(t * noise.planned / np.sqrt(blocks)))
