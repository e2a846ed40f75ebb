"""The difference of two arms, block by block, and the noise that it has to be seen in.

Blocks of one run held both arms, so drift cancels and the log-ratio of each block counts (paired t). Runs
that are pooled differ by more than their blocks show, so each run counts once, by the mean of its blocks.
Two runs that share no block have a ratio and no interval: how much changes from run to run is unknown.

The noise is what the same computation makes of an A/A pair, the same gate twice. An effect has to be larger
than that by more than both of them are uncertain (`exceeds`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from analysis import stats
from analysis.stats import fraction_of, log_distance
from analysis.values import LEVEL, Estimate, FloatArray

FEWEST_BLOCKS = 5
"""With four blocks t's multiplier is 3.2 and the A/A floor swallows any effect worth a claim."""


@dataclass(frozen=True, kw_only=True)
class LogPair:
    """Logarithms of what two arms used per unit of work, block by block."""

    treated: FloatArray
    """Shape (n,)."""
    baseline: FloatArray
    """Shape (m,); n = m where `paired`, and then both hold the same blocks in the same order."""
    paired: bool
    runs: tuple[str, ...] = ()
    """Of each block, where they come from several runs."""
    level: float = LEVEL
    """Of its interval, which pays for every look at the blocks."""

    @property
    def blocks(self) -> tuple[int, int]:
        """Of either side."""
        return len(self.treated), len(self.baseline)

    @property
    def log_ratio(self) -> float:
        """Mean logarithm of treated over baseline; needs a block on either side."""
        if self.paired:
            return float(self.sample.mean())
        return float(self.treated.mean() - self.baseline.mean())

    @property
    def point(self) -> float | None:
        """Geometric mean of the ratios; None without a block."""
        return float(np.exp(self.log_ratio)) if min(self.blocks) else None

    @property
    def inverse(self) -> LogPair:
        """Of the reciprocals: seconds per token become tokens per second."""
        return replace(self, treated=-self.treated, baseline=-self.baseline)

    @property
    def is_pooled(self) -> bool:
        """Whether the blocks are of more than one run."""
        return len(set(self.runs)) > 1

    @property
    def log_ratios(self) -> FloatArray:
        """Of each block, shape (n,); of paired blocks only."""
        return np.asarray(self.treated - self.baseline)

    @cached_property
    def sample(self) -> FloatArray:
        """What t is taken over: the paired blocks of one run, or the means of several runs."""
        if not self.is_pooled:
            return self.log_ratios
        runs = np.array(self.runs)
        return np.array([self.log_ratios[runs == run].mean() for run in dict.fromkeys(self.runs)])

    @property
    def spread(self) -> float:
        """Standard deviation of `sample`; needs two blocks."""
        return float(self.sample.std(ddof=1))

    @property
    def varies(self) -> bool:
        """Whether the blocks differ by more than rounding; measured joules always do."""
        return stats.varies(self.sample)

    @cached_property
    def interval(self) -> Estimate | None:
        """Geometric mean of the ratios with its interval.

        None below five blocks, without spread, and where the blocks of two runs are not paired.
        """
        if not self.paired or min(self.blocks) < FEWEST_BLOCKS or not self.varies:
            return None
        return stats.ratio(stats.t_interval(self.sample, level=self.level))

    @cached_property
    def reach(self) -> float:
        """Distance of the one-sided limit from `log_ratio`, with the confidence of `level`."""
        return stats.one_sided_reach(self.sample, level=self.level)


def noise_floor(copies: Sequence[LogPair]) -> float | None:
    """Largest change, as a fraction, that A/A pairs show or their limits allow; None without any.

    The limit is one-sided: nobody asks how quiet a machine may have been.
    """
    if not copies or any(0 in copy.blocks for copy in copies):
        return None
    reaches = [abs(copy.log_ratio) + (copy.reach if copy.interval else 0) for copy in copies]
    return fraction_of(max(reaches))


def exceeds(effect: LogPair, copy: LogPair) -> bool:
    """Whether an effect is larger than an A/A pair's, either way, with the confidence of `level`.

    An interval is compared with an interval. Each mean may lie off the truth by its reach r (one-sided, since
    only too large an effect and too small a noise can mislead). Both seldom do at once: errors of independent
    means add as squares, so |effect| - |copy| is known to within sqrt(r_effect^2 + r_copy^2) (Zou and Donner
    2008, Stat. Med. 27:1693), and has to be larger. So an effect inside the noise floor never exceeds it, and
    intervals that overlap a little may. The two are independent: mean and difference of the copies are.
    """
    return abs(effect.log_ratio) - abs(copy.log_ratio) > float(np.hypot(effect.reach, copy.reach))


def inside_floor(ratio: float, floor: float) -> bool:
    """Whether a published ratio, which has no interval, lies no farther from 1 than a noise floor."""
    return abs(float(np.log(ratio))) <= log_distance(floor)
