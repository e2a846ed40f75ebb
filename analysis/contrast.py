"""One arm against another: in the same blocks of one run, or in two runs whose blocks are strangers.

Blocks of one run held both arms, so drift cancels and the log-ratio of each block counts (paired t).
Blocks of two runs have nothing in common but their number: there the logarithms of either side are two
samples (Welch's t), which is wider, and knows nothing of what changed between the runs.

The noise floor is what the same computation, paired or not, makes of an A/A pair: the same gate twice.

    fewer, more         the interval lies wholly beyond the threshold, and the effect outside the floor
    equivalent          the whole interval lies within the threshold
    inconclusive        none of these
    not enough blocks   fewer than five on a side: a point without an interval
    withheld            no figure, or nothing to tell noise from effect
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from analysis import stats
from analysis.blocks import Amount, Per, block_table
from analysis.rows import Slot
from analysis.savings import FEWEST_BLOCKS
from analysis.values import Estimate, FloatArray, Withheld

Verdict = Literal["fewer", "more", "equivalent", "inconclusive", "not enough blocks", "withheld"]


@dataclass(frozen=True, kw_only=True)
class Pair:
    """What is divided per block of two arms: positive, shapes (n,) and (m,), n = m if paired."""

    first: FloatArray
    second: FloatArray
    paired: bool


@dataclass(frozen=True, kw_only=True)
class Ratio:
    """Second over first: 0.8 is a fifth less."""

    point: float
    """Geometric mean over blocks."""
    interval: Estimate | None
    """95 %; None below five blocks, and where blocks do not vary at all."""
    blocks: tuple[int, int]
    paired: bool

    @property
    def inverse(self) -> Ratio:
        """Of the reciprocals: seconds per token become tokens per second."""
        turned = self.interval and Estimate(1 / self.point, 1 / self.interval.high, 1 / self.interval.low)
        return Ratio(point=1 / self.point, interval=turned, blocks=self.blocks, paired=self.paired)


def pair(
    first: tuple[Sequence[Slot], str], second: tuple[Sequence[Slot], str], *, amount: Amount, per: Per
) -> Pair | Withheld:
    """The figures per block of two arms, each given as the slots of its run and its name.

    Args:
        first: slots and arm; blocks are paired when both arms come from the same slots.
        second: the same.
        amount: what is compared.
        per: unit of work.
    """
    (slots, one), (others, other) = first, second
    if slots is others:
        table = block_table(slots, [one, other], amount=amount, per=per)
        if isinstance(table, Withheld):
            return table
        return Pair(first=table.values[0], second=table.values[1], paired=True)
    tables = [block_table(rows, [arm], amount=amount, per=per) for rows, arm in (first, second)]
    values = []
    for table in tables:
        if isinstance(table, Withheld):
            return table
        values.append(table.values[0])
    return Pair(first=values[0], second=values[1], paired=False)


def ratio(values: Pair) -> Ratio | Withheld:
    """Geometric mean of second over first, with an interval from five blocks on."""
    blocks = (len(values.first), len(values.second))
    if 0 in blocks:
        return Withheld("no whole block with joules")
    first, second = np.log(values.first), np.log(values.second)
    interval = None
    if min(blocks) >= FEWEST_BLOCKS and _varies(first, second, paired=values.paired):
        found = stats.t_interval(second - first) if values.paired else stats.welch_interval(second, first)
        interval = stats.ratio(found)
    point = float(np.exp(second.mean() - first.mean()))
    return Ratio(point=point, interval=interval, blocks=blocks, paired=values.paired)


def noise_floor(copies: Sequence[Ratio | Withheld]) -> float | None:
    """Largest change, as a fraction, that an A/A pair shows or its interval allows.

    Args:
        copies: an A/A ratio of each side; None if one of them has none.
    """
    reaches = []
    for copy in copies:
        if isinstance(copy, Withheld):
            return None
        ends = (copy.interval.low, copy.interval.high) if copy.interval else (copy.point,)
        reaches.append(max(abs(float(np.log(end))) for end in ends))
    return float(-np.expm1(-max(reaches))) if reaches else None


def decide(found: Ratio, *, floor: float | None, threshold: float) -> tuple[Verdict, str]:
    """The verdict and one sentence on why.

    Args:
        found: second over first.
        floor: noise floor as a fraction; None if there is no A/A arm.
        threshold: practical threshold as a fraction.
    """
    fewest = min(found.blocks)
    if fewest < FEWEST_BLOCKS:
        are = "1 block is" if fewest == 1 else f"{fewest} blocks are"
        return "not enough blocks", f"{are} not enough for a claim (needs {FEWEST_BLOCKS})"
    if found.interval is None:
        return "withheld", "all blocks give the same figure: measured joules vary, so there is no interval"
    if floor is None:
        return "withheld", "no A/A arm: what this comparison would show for no change at all is unknown"
    return _weighed(found.interval, floor=floor, threshold=threshold)


def _weighed(interval: Estimate, *, floor: float, threshold: float) -> tuple[Verdict, str]:
    low, high = 1 - threshold, 1 / (1 - threshold)
    if low < interval.low and interval.high < high:
        return "equivalent", f"the whole interval lies within {threshold:.0%} of 1"
    if abs(np.log(interval.point)) <= -np.log1p(-floor):
        return "inconclusive", f"the effect lies inside the A/A noise floor of {floor:.1%}"
    beyond = f"the whole interval lies beyond {threshold:.0%}, and the effect outside the A/A noise floor"
    if interval.high < low:
        return "fewer", beyond
    if interval.low > high:
        return "more", beyond
    return "inconclusive", f"the interval reaches across the threshold of {threshold:.0%}"


def _varies(first: FloatArray, second: FloatArray, *, paired: bool) -> bool:
    if paired:
        return stats.varies(second - first)
    return stats.varies(first) or stats.varies(second)
