"""What a run says about each gate, as one sentence that can stand alone.

No saving is told without its interval, the noise floor, the number of blocks, the quality and the grade;
where one of them is missing, the sentence says that it is missing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from analysis.effect import FEWEST_BLOCKS
from analysis.verdict import INACTIVE, VERDICTS
from bench.report.summary import ArmRow, Summary
from bench.show.words import kind_label

Tone = Literal["claim", "open"]
"""Whether the verdict stands; one on joules that are no measurement never does."""

_ORDER = (*VERDICTS, INACTIVE)
_SETTLED = VERDICTS[:3]
MOST_TOKENS_DIFFER_PERCENT = 50.0


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What a run says about one arm."""

    arm: str
    verdict: str
    tone: Tone
    sentence: str
    figure: str
    """The saving in it, such as `31.2 % fewer joules`; empty where no verdict stands."""


def answers(summary: Summary, *, baseline: str) -> list[Answer]:
    """One per arm that is judged, the most important first.

    Args:
        summary: of the run.
        baseline: gate label of the ungated arm.
    """
    judged = [row for row in summary.rows if not row.a_a and row.gate != baseline]
    return [_answer(row, baseline) for row in sorted(judged, key=_importance)]


def nothing_to_say(summary: Summary) -> str:
    """The sentence where no arm is judged."""
    if not summary.rows:
        return "Nothing was measured: no slot of this run has a window."
    if all(row.joules_gross is None for row in summary.rows):
        return "No joules are known of any arm, and there is no gate to judge."
    return "No gate was run beside the ungated arm: there are joules of each arm, and nothing to compare."


def quality_warnings(summary: Summary, *, baseline: str) -> list[str]:
    """Arms whose answers are mostly others: fewer joules for another text are no saving."""
    return [
        f"{row.backend} {row.gate}: only {row.agreement_percent:.1f} % of its tokens equal those of "
        f"{baseline}, so its joules are those of other answers"
        for row in summary.rows
        if row.agreement_percent is not None
        and row.agreement_percent < MOST_TOKENS_DIFFER_PERCENT
        and row.verdict != INACTIVE
    ]


def _importance(row: ArmRow) -> tuple[int, float]:
    rank = _ORDER.index(row.verdict) if row.verdict in _ORDER else len(_ORDER)
    return rank, -abs(row.joules_saved_percent or 0.0)


def _answer(row: ArmRow, baseline: str) -> Answer:
    return Answer(
        arm=f"{row.backend} {row.gate}",
        verdict=row.verdict or "not judged",
        tone="claim" if row.verdict in _SETTLED and row.grade else "open",
        sentence=f"{_claim(row, baseline)}.",
        figure=f"{_change(row)} joules" if row.verdict in ("saves", "costs") else "",
    )


def _claim(row: ArmRow, baseline: str) -> str:
    where = f"On {row.backend}, {row.gate}"
    if row.verdict == INACTIVE:
        return f"{where} changed nothing ({INACTIVE}: {row.reason}), so there is no saving to judge"
    change = _change(row)
    if change is None:
        return f"{where} can't be judged against {baseline}: {row.reason or 'no joules are known'}"
    figures = f"{change} joules than {baseline} ({_bounds(row)}), {_quality(row)}; {_trust(row)}"
    if row.verdict in ("saves", "costs"):
        return f"{where} uses {figures}"
    if row.verdict == "equivalent":
        return f"{where} uses as many joules as {baseline}, within the threshold: {figures}"
    return f"{where} can't be judged yet ({_why_open(row)}); seen so far: {figures}"


def _change(row: ArmRow) -> str | None:
    """`31.2 % fewer`."""
    saved = row.joules_saved_percent
    if saved is None:
        return None
    return f"{abs(saved):.1f} % {'fewer' if saved >= 0 else 'more'}"


def _bounds(row: ArmRow) -> str:
    """Interval, floor and blocks: what a saving is never shown without."""
    floor = row.noise_floor_percent
    return ", ".join(
        (
            _interval(row),
            "no A/A floor" if floor is None else f"A/A floor {floor:.1f} %",
            "1 block" if row.blocks == 1 else f"{row.blocks} blocks",
        )
    )


def _interval(row: ArmRow) -> str:
    low, high, saved = row.saved_low_percent, row.saved_high_percent, row.joules_saved_percent
    if low is None or high is None or saved is None:
        return "no interval"
    if low >= 0:
        return f"95 % interval {low:.1f} to {high:.1f} %"
    if high <= 0:
        return f"95 % interval {-high:.1f} to {-low:.1f} %"
    return f"95 % interval {-low:.1f} % more to {high:.1f} % fewer"


def _quality(row: ArmRow) -> str:
    if row.agreement_percent is None:
        return "with unknown agreement of the tokens"
    return f"with {row.agreement_percent:.1f} % of tokens agreeing"


def _trust(row: ArmRow) -> str:
    if row.grade is None:
        return "joules of no known grade"
    name = "" if row.grade == 0 else f" {row.grade_name}"
    return f"joules are {kind_label([row.energy_kind])} (grade {row.grade}{name})"


def _why_open(row: ArmRow) -> str:
    if row.verdict == "not enough blocks":
        return f"a claim needs {FEWEST_BLOCKS} blocks"
    return f"{row.verdict}: {row.reason}"
