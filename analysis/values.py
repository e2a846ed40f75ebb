"""What an analysis answers: a figure with its interval, or the reason why there is none.

There is no third kind of answer. A figure that can't be given is `Withheld` with one sentence that a
reader understands; it is never NaN, zero, or the last good value.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from analysis.words import counted

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

LEVEL = 0.95
"""Confidence of every interval in this package."""
NOT_ESTIMATED: Literal["not estimated"] = "not estimated"
"""What stands for a figure or a verdict that can't be given; the reason stands beside it."""


@dataclass(frozen=True)
class Estimate:
    """A figure and its 95 % interval, in the unit that the field's name states."""

    point: float
    low: float
    high: float

    def contains(self, value: float) -> bool:
        """Whether `value` lies in the closed interval."""
        return self.low <= value <= self.high

    def times(self, factor: float) -> Estimate:
        """The estimate in another unit; a negative factor swaps the ends."""
        ends = sorted((self.low * factor, self.high * factor))
        return Estimate(self.point * factor, ends[0], ends[1])

    def minus(self, value: float) -> Estimate:
        """The estimate less a constant, such as a ratio less 1."""
        return Estimate(self.point - value, self.low - value, self.high - value)


@dataclass(frozen=True)
class Withheld:
    """No figure: `reason` says what can't be concluded, and why."""

    reason: str


def too_few(number: int, what: str) -> str:
    """`1 prompt is too few`, `2 prompts are too few`."""
    return f"{counted(number, what)} {'is' if number == 1 else 'are'} too few"
