"""A claim of a paper beside what its own record and a re-run yield, with a verdict in words.

What a claim says and where it is published is text, and stands in `configs/claims`; here are the figures.

reproduced                              the figures follow, and they show what the claim says
reproduced but inside the A/A error     they follow, but the protocol reports as much for no change
not reproduced                          they do not follow, or they do not show what the claim says
not testable here                       says what would test it
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from analysis.arms import TokensSaved
from analysis.savings import THRESHOLD, Saving, Verdict
from analysis.values import Estimate, Withheld

ClaimVerdict = Literal[
    "reproduced", "reproduced but inside the A/A error", "not reproduced", "not testable here"
]

Role = Literal["figure", "a_a", "control", "detail"]
"""What a figure is to its claim: the claim's own, what no change at all gives, what speaks for or against
it, or something that a table has no room for."""

SIZE_TOLERANCE = 0.02
"""How far a published ratio may lie outside a re-run's interval and still be the same: the threshold."""


@dataclass(frozen=True, kw_only=True)
class Figure:
    """A number of a claim, as published or recomputed."""

    label: str
    value: float | Estimate
    unit: str = ""
    """`%` for changes (negative: less), `tokens`, `ms`, `J`, `W`, their quotients, `of the step`; or none."""
    role: Role = "figure"


@dataclass(frozen=True, kw_only=True)
class Claim:
    """One row of the table of claims."""

    name: str
    """Dotted, such as `routing.short.energy`; what `bench reproduce` takes."""
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
    change_percent: float | Estimate | None
    """What was found, negative for a saving; None where nothing can be concluded. Counts have no interval."""
    saving: Saving | None
    """What joules are judged by; None for counts."""


def percent_change(after: float, before: float) -> float:
    """Change in per cent; negative is less."""
    return 100 * (after / before - 1)


def judge_rerun(published_percent: float | None, saving: Saving) -> Rerun:
    """Verdict on a published change of joules from a saving measured here.

    Reproduced means: of the published size within the interval (widened by the threshold), and with the
    verdict that a change of this size should get.

    Args:
        published_percent: the published change, negative for a saving; None where only its direction was
            claimed, and then any saving beyond the threshold reproduces it.
        saving: of the re-run, over the same quantity.
    """
    if published_percent is None:
        verdict, why = _judged_direction(saving)
    else:
        verdict, why = _judged(float(np.log1p(published_percent / 100)), saving)
    return Rerun(verdict=verdict, why=why, change_percent=saving_percent(saving), saving=saving)


def judge_tokens(published_percent: float | None, saved: TokensSaved | Withheld) -> Rerun:
    """Verdict on a published change of new tokens, which are counted: no interval, no A/A error."""
    if isinstance(saved, Withheld):
        return Rerun(verdict="not testable here", why=saved.reason, change_percent=None, saving=None)
    change = -100 * saved.new_tokens_saved
    if published_percent is None:
        reproduced = change < -100 * THRESHOLD
        why = f"a saving of new tokens beyond {THRESHOLD:.0%} was claimed"
    else:
        reproduced = abs(change - published_percent) <= 100 * SIZE_TOLERANCE
        why = f"counted, and compared within {100 * SIZE_TOLERANCE:.0f} percentage points"
    verdict: ClaimVerdict = "reproduced" if reproduced else "not reproduced"
    return Rerun(verdict=verdict, why=why, change_percent=change, saving=None)


def saving_percent(saving: Saving) -> Estimate | None:
    """A ratio as a change in per cent; None where there is no verdict."""
    if saving.ratio is None:
        return None
    return Estimate(*(100 * (end - 1) for end in (saving.ratio.point, saving.ratio.low, saving.ratio.high)))


def _judged_direction(saving: Saving) -> tuple[ClaimVerdict, str]:
    if saving.verdict == "saves":
        return "reproduced", saving.reason
    if saving.verdict in ("costs", "equivalent"):
        return "not reproduced", f"found here: {saving.verdict}; {saving.reason}"
    return "not testable here", saving.reason


def _judged(published_log: float, saving: Saving) -> tuple[ClaimVerdict, str]:
    if saving.ratio is None or saving.noise_floor is None:
        return "not testable here", saving.reason
    slack = -np.log1p(-SIZE_TOLERANCE)
    low, high = np.log(saving.ratio.low) - slack, np.log(saving.ratio.high) + slack
    if not low <= published_log <= high:
        return (
            "not reproduced",
            f"found here: {saving.verdict}; the interval does not hold the published size",
        )
    if saving.verdict == _expected(published_log, saving.question.threshold):
        return "reproduced", saving.reason
    if abs(np.log(saving.ratio.point)) <= -np.log1p(-saving.noise_floor):
        return "reproduced but inside the A/A error", saving.reason
    if saving.verdict == "inconclusive":
        return "not testable here", saving.reason
    return "not reproduced", f"found here: {saving.verdict}; {saving.reason}"


def _expected(published_log: float, threshold: float) -> Verdict:
    if abs(published_log) <= -np.log1p(-threshold):
        return "equivalent"
    return "saves" if published_log < 0 else "costs"
