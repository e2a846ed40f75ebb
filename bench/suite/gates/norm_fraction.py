"""The gate behind the published headline: a threshold on the fractional part of the norm over 24."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bench.suite.gates.base import FULL, SMALL, Budget, TwoWay
from bench.suite.gates.fingerprint import fraction, sum_of_squares


@dataclass(frozen=True, kw_only=True)
class NormFraction(TwoWay):
    """Small when (|x| mod 24) / 24 reaches the threshold."""

    threshold: float

    def is_small(self, ids: Sequence[int]) -> bool:
        """Whether this prompt gets the small budget."""
        return fraction(sum_of_squares(ids)) >= self.threshold


def norm_fraction(*, threshold: float = 0.3, full: Budget = FULL, small: Budget = SMALL) -> NormFraction:
    """Small model when (|x| mod 24) / 24 >= threshold, |x| being the L2 norm of the token ids.

    Args:
        threshold: fraction from which a prompt gets the small budget; the paper used 0.3.
        full: budget of the other prompts.
        small: the small budget.
    """
    if not 0 <= threshold <= 1:
        raise ValueError(f"threshold = {threshold} lies outside 0 to 1; the paper used 0.3")
    return NormFraction(full=full, small=small, threshold=threshold)
