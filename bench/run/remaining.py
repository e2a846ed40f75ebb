"""How long the rest of a run will take, from the slots that have been."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass
from statistics import fmean, stdev

from bench.suite.plan import PlannedSlot

_REACH = 2.0
"""Standard deviations on either side of what is expected: about 95 % of the cases."""


@dataclass(frozen=True, kw_only=True)
class Expected:
    """Seconds that something is expected to take."""

    mean_s: float
    spread_s: float | None
    """The truth lies within `mean_s` plus or minus this in about 95 % of cases; None: not known yet."""


class Remaining:
    """Slots still to come, and what they are expected to take.

    Args:
        blocks: that are still to be run.
        idle_s: length of the idle measurement that follows each block.
        slot_least_s: least length of a slot, all that is known before the first is over.
    """

    def __init__(
        self, blocks: list[list[PlannedSlot]], *, idle_s: float = 0.0, slot_least_s: float = 0.0
    ) -> None:
        self._slots = [slot for block in blocks for slot in block]
        self._took_s: dict[str, list[float]] = {}
        self._idle_s = idle_s
        self._slot_least_s = slot_least_s
        self.total = len(self._slots)

    @property
    def done(self) -> int:
        """Slots that are over."""
        return self.total - len(self._slots)

    @property
    def upcoming(self) -> PlannedSlot | None:
        """The slot after the one that is running."""
        return self._slots[1] if len(self._slots) > 1 else None

    @property
    def least_s(self) -> float:
        """Seconds that the rest takes at least."""
        return len(self._slots) * self._slot_least_s + self._pauses_s

    def expect(self, blocks: list[list[PlannedSlot]]) -> None:
        """From now on these blocks are to come, none of which has begun."""
        done = self.done
        self._slots = [slot for block in blocks for slot in block]
        self.total = done + len(self._slots)

    def slot_took(self, slot: PlannedSlot, *, seconds_s: float) -> None:
        """Note the length of a slot that is over."""
        self._slots.remove(slot)
        self._took_s.setdefault(slot.arm.label, []).append(seconds_s)

    def running_s(self) -> float:
        """Expected seconds of the running slot; 0 where nothing is known of it."""
        return self._mean_s(self._slots[0].arm.label) if self._slots and self._took_s else 0.0

    def left(self) -> Expected | None:
        """What is left, the running slot and the idle measurements included; None before the first is over.

        An arm that has not run yet is taken to last as long as the mean of those that have. The spread is
        that of the sum: slots of an arm differ, and the mean of few slots is not well known.
        """
        if not self._took_s:
            return None
        to_come = Counter(slot.arm.label for slot in self._slots)
        mean_s = self._pauses_s + sum(count * self._mean_s(label) for label, count in to_come.items())
        variances = [self._variance_s2(label, count) for label, count in to_come.items()]
        known = [variance for variance in variances if variance is not None]
        spread_s = _REACH * math.sqrt(sum(known)) if len(known) == len(variances) else None
        return Expected(mean_s=mean_s, spread_s=spread_s)

    @property
    def _pauses_s(self) -> float:
        return self._idle_s * len({slot.block for slot in self._slots})

    def _mean_s(self, label: str) -> float:
        return fmean(self._took_s.get(label) or [fmean(took) for took in self._took_s.values()])

    def _variance_s2(self, label: str, count: int) -> float | None:
        """Variance of the sum of `count` slots to come of one arm; None where too few have been."""
        took_s = self._took_s.get(label)
        if took_s is None:  # an arm like the others: one unknown mean for all its slots
            means = [fmean(took) for took in self._took_s.values()]
            return (count * stdev(means)) ** 2 if len(means) > 1 else None
        relative = self._relative_spread()
        if relative is None:
            return None
        one_s2 = (relative * fmean(took_s)) ** 2
        return count * one_s2 + count**2 * one_s2 / len(took_s)

    def _relative_spread(self) -> float | None:
        """How much slots of the same arm differ, as a fraction of their mean, pooled over the arms."""
        repeated = [took for took in self._took_s.values() if len(took) > 1]
        freedom = sum(len(took) - 1 for took in repeated)
        squares = sum((len(took) - 1) * (stdev(took) / fmean(took)) ** 2 for took in repeated)
        return math.sqrt(squares / freedom) if freedom else None
