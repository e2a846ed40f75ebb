"""What could overturn a run's answer: the cautions and the answer's own doubts, what weighs most first."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from analysis.checks import FEWEST_SLOTS, LARGEST_FLOOR, Caution
from analysis.verdict import INACTIVE
from analysis.words import listed
from bench.report.answer import Answer
from bench.report.sentences import control as control_words
from bench.report.story import Story
from bench.run.power import changed
from bench.show.words import short_percent
from bench.suite.asked import asked_of_run
from energy.base import is_nominal

Weight = Literal["turns it round", "makes it less sure", "worth knowing"]
WEIGHTS: tuple[Weight, ...] = get_args(Weight)

NOT_MEASURED = "grade 0"
"""Told once, by the strip at the top of the page."""
_HEAVY = (
    *("self-test failed", "no whole block", "joules not estimated", "verdict not estimated", "few blocks"),
    *("answers differ", "control", "noisy", INACTIVE),
)
_LIGHT = ("outlier", "net not estimated", "no control", "looks")
_CHOOSING_NOTHING = ("ungated", "constant", "random")
"""Gates that do the same with every prompt, or deal by chance."""
_MOST_TWINS = 3


@dataclass(frozen=True, kw_only=True)
class Threat:
    """One thing that could overturn the answer."""

    weight: Weight
    words: str

    @property
    def rank(self) -> int:
        """0 for the heaviest."""
        return WEIGHTS.index(self.weight)


def threats(story: Story, answer: Answer) -> list[Threat]:
    """Everything that was found, twins merged, the heaviest first."""
    of_run = [one for one in story.summary.cautions if one.code != NOT_MEASURED]
    cautions = [*_of_answers(story, answer), *_of_grade(story), *of_run]
    by_code: dict[str, list[Caution]] = {}
    for caution in cautions:
        by_code.setdefault(caution.code, []).append(caution)
    merged = [Threat(weight=_weight(code), words=_merged(twins)) for code, twins in by_code.items()]
    return sorted(merged, key=lambda threat: threat.rank)


def not_found(story: Story) -> list[str]:
    """What was looked for, could have been seen, and was not there."""
    codes = {caution.code for caution in story.summary.cautions}
    enough = any(row.windows >= FEWEST_SLOTS for row in story.summary.rows)
    tells_heat = any(source.lead.trace.thermal for source in story.readback.sources.values())
    is_hot = any(slot.thermal is not None and not is_nominal(slot.thermal) for slot in story.slots)
    supplies = [slot.record.power for slot in story.slots if slot.record.power]
    tells_power = any(one.source or one.mode for one in supplies)
    begun = story.readback.run.power_by_session
    is_changed = any(changed(begun.get(slot.record.session), slot.record.power) for slot in story.slots)
    looked_for = {
        "a change of the power source or mode": tells_power and not is_changed,
        "throttling": tells_heat and not is_hot,
        "drift": enough and "drift" not in codes,
        "windows far from the others": enough and "outlier" not in codes,
        f"noise above {100 * LARGEST_FLOOR:.0f} %": any(row.a_a for row in story.summary.rows)
        and "noisy" not in codes,
    }
    return [name for name, is_clear in looked_for.items() if is_clear]


def _weight(code: str) -> Weight:
    return WEIGHTS[0] if code in _HEAVY else WEIGHTS[2] if code in _LIGHT else WEIGHTS[1]


def _of_answers(story: Story, answer: Answer) -> Iterator[Caution]:
    """That answers differ, and what a random gate says."""
    gates = asked_of_run(story.readback.run.header).gates
    choosing = {
        cost.name
        for cost in answer.costs
        if cost.gate in gates and gates[cost.gate].plugin not in _CHOOSING_NOTHING
    }
    for one in answer.comparisons:
        if one.answers_differ and one.verdict != INACTIVE:
            match = short_percent(one.token_match_percent)
            said = f"token match is {match}, so its joules are those of other answers"
            yield Caution(code="answers differ", subject=one.name, is_named=True, said=said)
        if one.control is not None and one.control.verdict != "saves":
            yield Caution(code="control", subject=one.name, said=control_words(one, one.control))
        if one.control is None and one.name in choosing:
            said = "no random gate was run beside it: what its choices are worth is not known"
            yield Caution(code="no control", subject=one.name, is_named=True, said=said)


def _of_grade(story: Story) -> Iterator[Caution]:
    """Why joules that a meter read are no more than sampled."""
    sampled = next((row for row in story.summary.rows if row.grade == 1), None)
    if sampled is not None:
        because = "; ".join(sampled.grade_reasons)
        words = f"joules are graded 1, sampled; those of {sampled.label} because: {because}"
        yield Caution(code="grade 1", subject="run", said=words)


def _merged(twins: Sequence[Caution]) -> str:
    """Cautions of one kind as one sentence."""
    first = twins[0]
    if all(one.said == first.said for one in twins):
        return f"{listed([one.subject for one in twins])}: {first.said}" if first.is_named else first.said
    shown = [one.words for one in twins[:_MOST_TWINS]]
    more = [f"{len(twins) - _MOST_TWINS} more of this kind"] if len(twins) > _MOST_TWINS else []
    return "; ".join([*shown, *more])
