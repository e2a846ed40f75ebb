"""A claim of a paper beside what its own record and a re-run yield, with a verdict in words.

What is claimed, by whom, and where it is published is text, and stands in `configs/claims`; here are the
figures.

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
from analysis.rows import Slot
from analysis.stats import log_distance
from analysis.values import Estimate, Withheld
from analysis.verdict import THRESHOLD, Judgement, Verdict

ClaimVerdict = Literal[
    "reproduced", "reproduced but inside the A/A error", "not reproduced", "not testable here"
]

Role = Literal["figure", "a_a", "control", "detail"]
"""What a figure is to its claim: the claim's own, what no change at all gives, what speaks for or against
it, or something that a table has no room for."""


@dataclass(frozen=True, kw_only=True)
class ClaimFigure:
    """A number of a claim, as published or recomputed."""

    label: str
    value: float | Estimate
    unit: str = ""
    """`%` for changes (negative: less), `tokens`, `ms`, `J`, `W`, their quotients, `of the step`; or none."""
    role: Role = "figure"
    is_p: bool = False
    """Whether it is a p-value, of which two digits say all."""
    of: tuple[str, str] = ("", "")
    """Row and column of its table, where it stands in one."""


@dataclass(frozen=True, kw_only=True)
class Claim:
    """One row of the table of claims."""

    name: str
    """Dotted, such as `routing.short.energy`; what `bench reproduce` takes."""
    published: tuple[ClaimFigure, ...]
    recomputed: tuple[ClaimFigure, ...]
    """From the published record alone."""
    verdict: ClaimVerdict
    why: str
    would_test: str | None = None
    """What would settle it, where the record can't."""
    change_percent: float | None = None
    """The published change that a re-run is held against, negative for a saving; None where only a saving
    as such was claimed."""


@dataclass(frozen=True, kw_only=True)
class Rerun:
    """The same claim measured again."""

    verdict: ClaimVerdict
    why: str
    change_percent: float | Estimate | None
    """What was found, negative for a saving; None where nothing can be concluded. Counts have no interval."""
    judgement: Judgement | None
    """Of the joules; None for counts."""


def percent_change(after: float, before: float) -> float:
    """Change in per cent; negative is less."""
    return 100 * (after / before - 1)


@dataclass(frozen=True, kw_only=True)
class ChangeParts:
    """A change of energy and what it is made of, in per cent: as factors, time times power is energy."""

    energy_percent: float
    time_percent: float
    power_percent: float


def parts_of(after: Slot | None, before: Slot | None) -> ChangeParts | Withheld:
    """The change between two slots of the same prompts; negative is less."""
    if after is None or before is None:
        return Withheld("a configuration has no window")
    if not after.gross_j or not before.gross_j:
        return Withheld("a configuration has no joules")
    energy, time = after.gross_j / before.gross_j, after.seconds_s / before.seconds_s
    return ChangeParts(
        energy_percent=100 * (energy - 1),
        time_percent=100 * (time - 1),
        power_percent=100 * (energy / time - 1),
    )


def claim_of_record(
    name: str,
    *,
    published_percent: float,
    record: tuple[float, float, float | None] | None,
    unit: str = "",
    would_test: str | None = None,
) -> Claim:
    """A claimed change beside the published figures that it should follow from.

    Args:
        name: of the claim.
        published_percent: the claimed change, negative for a saving.
        record: published figures before, after, and before once more; None where none were published.
        unit: of the figures.
        would_test: what would settle the claim where nothing was published.
    """
    recomputed: tuple[ClaimFigure, ...] = ()
    verdict: ClaimVerdict = "not testable here"
    why = "no figures are given that it could be recomputed from"
    if record is not None:
        before, after, again = record
        change = percent_change(after, before)
        a_a = None if again is None else percent_change(again, before)
        recomputed = _of_record(before, after, change, a_a, unit=unit)
        verdict, why = _follows(published_percent, change, a_a_percent=a_a)
    return Claim(
        name=name,
        published=(ClaimFigure(label="claimed", value=published_percent, unit="%"),),
        recomputed=recomputed,
        verdict=verdict,
        why=why,
        would_test=would_test if record is None else None,
        change_percent=published_percent,
    )


def _of_record(
    before: float, after: float, change: float, a_a: float | None, *, unit: str
) -> tuple[ClaimFigure, ...]:
    figures = (
        ClaimFigure(label="before", value=before, unit=unit, role="detail"),
        ClaimFigure(label="after", value=after, unit=unit, role="detail"),
        ClaimFigure(label="change", value=change, unit="%"),
    )
    return figures if a_a is None else (*figures, ClaimFigure(label="A/A", value=a_a, unit="%", role="a_a"))


def _follows(claimed: float, recomputed: float, *, a_a_percent: float | None) -> tuple[ClaimVerdict, str]:
    """Whether a claimed change follows from published figures, within the practical threshold."""
    if abs(recomputed - claimed) > 100 * THRESHOLD:
        return "not reproduced", f"the published figures give {recomputed:+.1f} %"
    if a_a_percent is None:
        return "reproduced", "the published figures give it; they hold no A/A to weigh it against"
    if abs(np.log1p(recomputed / 100)) <= abs(np.log1p(a_a_percent / 100)):
        why = f"the same measured twice differs by {a_a_percent:+.1f} %, as much as the change"
        return "reproduced but inside the A/A error", why
    return "reproduced", f"the published figures give it, and their A/A is {a_a_percent:+.1f} %"


def judge_rerun(published_percent: float | None, judgement: Judgement) -> Rerun:
    """Verdict on a published change of joules from a saving measured here.

    Reproduced means: of the published size within the interval (widened by the threshold), and with the
    verdict that a change of this size should get.

    Args:
        published_percent: the published change, negative for a saving; None where only its direction was
            claimed, and then any saving beyond the threshold reproduces it.
        judgement: of the re-run, over the same quantity.
    """
    if published_percent is None:
        verdict, why = _judged_direction(judgement)
    else:
        verdict, why = _judged(float(np.log1p(published_percent / 100)), judgement)
    return Rerun(verdict=verdict, why=why, change_percent=judged_percent(judgement), judgement=judgement)


def judge_tokens(
    published_percent: float | None, saved: TokensSaved | Withheld, *, processed: bool = False
) -> Rerun:
    """Verdict on a published change of tokens, which are counted: no interval, no A/A error.

    Args:
        published_percent: as for `judge_rerun`.
        saved: of the re-run.
        processed: tokens of prompt and answer together; else new tokens alone.
    """
    if isinstance(saved, Withheld):
        return Rerun(verdict="not testable here", why=saved.reason, change_percent=None, judgement=None)
    change = -100 * (saved.total_tokens_saved if processed else saved.new_tokens_saved)
    if published_percent is None:
        reproduced = change < -100 * THRESHOLD
        why = f"a saving of tokens beyond {100 * THRESHOLD:.0f} % was claimed"
    else:
        reproduced = abs(change - published_percent) <= 100 * THRESHOLD
        why = f"counted, and compared within {100 * THRESHOLD:.0f} percentage points"
    verdict: ClaimVerdict = "reproduced" if reproduced else "not reproduced"
    return Rerun(verdict=verdict, why=why, change_percent=change, judgement=None)


def judged_percent(judgement: Judgement) -> Estimate | None:
    """A ratio as a change in per cent; None where there is no verdict."""
    if judgement.ratio is None:
        return None
    return judgement.ratio.minus(1).times(100)


def _judged_direction(judgement: Judgement) -> tuple[ClaimVerdict, str]:
    if judgement.verdict == "saves":
        return "reproduced", judgement.reason
    if judgement.verdict in ("costs", "equivalent"):
        return "not reproduced", f"found here: {judgement.verdict}; {judgement.reason}"
    return "not testable here", judgement.reason


def _judged(published_log: float, judgement: Judgement) -> tuple[ClaimVerdict, str]:
    if judgement.ratio is None:
        return "not testable here", judgement.reason
    slack = log_distance(THRESHOLD)
    low, high = np.log(judgement.ratio.low) - slack, np.log(judgement.ratio.high) + slack
    if not low <= published_log <= high:
        missed = "the interval does not hold the published size"
        return "not reproduced", f"found here: {judgement.verdict}; {missed}{judgement.beside}"
    if judgement.verdict == _expected(published_log, judgement.threshold):
        return "reproduced", judgement.reason
    if judgement.exceeds_noise is False:
        return "reproduced but inside the A/A error", judgement.reason
    if judgement.verdict == "inconclusive":
        return "not testable here", judgement.reason
    return "not reproduced", f"found here: {judgement.verdict}; {judgement.reason}"


def _expected(published_log: float, threshold: float) -> Verdict:
    if abs(published_log) <= log_distance(threshold):
        return "equivalent"
    return "saves" if published_log < 0 else "costs"
