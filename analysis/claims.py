"""A claim of a paper beside what its own record and a re-run yield, with a verdict in words.

reproduced                              the figures follow, and they show what the claim says
reproduced but inside the A/A error     they follow, but the protocol reports as much for no change
not reproduced                          they do not follow, or they do not show what the claim says
not testable here                       says what would test it
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from analysis.savings import Saving, Verdict
from analysis.values import Estimate

ClaimVerdict = Literal[
    "reproduced", "reproduced but inside the A/A error", "not reproduced", "not testable here"
]

SIZE_TOLERANCE = 0.02
"""How far a published ratio may lie outside a re-run's interval and still be the same: the threshold."""


@dataclass(frozen=True, kw_only=True)
class Figure:
    """A number of a claim, as published or recomputed."""

    label: str
    value: float | Estimate
    unit: str = ""
    """`%` for changes (negative: less), `ms`, `J`, `W`; empty for pure numbers and counts."""


@dataclass(frozen=True, kw_only=True)
class Claim:
    """One row of the table of claims."""

    name: str
    """Dotted, such as `routing.short.energy`; what `bench reproduce` takes."""
    paper: Literal["FP", "RC", "literature"]
    says: str
    source: str
    """Where the published figures stand."""
    published: tuple[Figure, ...]
    recomputed: tuple[Figure, ...]
    """From the published record alone."""
    verdict: ClaimVerdict
    why: str
    would_test: str | None = None
    """What would settle it, where the record can't."""


@dataclass(frozen=True, kw_only=True)
class Rerun:
    """The same claim measured again."""

    verdict: ClaimVerdict
    why: str
    saving: Saving


def percent_change(after: float, before: float) -> float:
    """Change in per cent; negative is less."""
    return 100 * (after / before - 1)


def judge_rerun(published_percent: float, saving: Saving) -> Rerun:
    """Verdict on a published change from a saving measured here.

    Reproduced means: of the published size within the interval (widened by the threshold), and with the
    verdict that a change of this size should get.

    Args:
        published_percent: the published change, negative for a saving.
        saving: of the re-run, over the same quantity.
    """
    verdict, why = _judged(float(np.log1p(published_percent / 100)), saving)
    return Rerun(verdict=verdict, why=why, saving=saving)


def _judged(published_log: float, saving: Saving) -> tuple[ClaimVerdict, str]:
    if saving.ratio is None or saving.noise_floor is None:
        return "not testable here", saving.reason
    slack = -np.log1p(-SIZE_TOLERANCE)
    low, high = np.log(saving.ratio.low) - slack, np.log(saving.ratio.high) + slack
    if not low <= published_log <= high:
        return (
            "not reproduced",
            f"measured here: {saving.verdict}; the interval does not hold the published size",
        )
    if saving.verdict == _expected(published_log, saving.question.threshold):
        return "reproduced", saving.reason
    if abs(np.log(saving.ratio.point)) <= -np.log1p(-saving.noise_floor):
        return "reproduced but inside the A/A error", saving.reason
    if saving.verdict == "inconclusive":
        return "not testable here", saving.reason
    return "not reproduced", f"measured here: {saving.verdict}; {saving.reason}"


def _expected(published_log: float, threshold: float) -> Verdict:
    if abs(published_log) <= -np.log1p(-threshold):
        return "equivalent"
    return "saves" if published_log < 0 else "costs"
