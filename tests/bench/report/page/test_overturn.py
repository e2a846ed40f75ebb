"""What could overturn an answer: by weight, twins as one, and what was looked for in vain."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from analysis.checks import Caution
from bench.report.answer import Answer, Control, answer_of
from bench.report.page.overturn import WEIGHTS, not_found, threats
from bench.report.story import Story


def told(folder: Path, *cautions: Caution) -> tuple[Story, Answer]:
    story = Story.of(folder)
    story = replace(story, summary=replace(story.summary, cautions=list(cautions)))
    return story, answer_of(story.readback, story.summary)


def test_the_heaviest_comes_first_and_twins_are_one(echo_run: Path) -> None:
    drift = [
        Caution(code="drift", subject=arm, is_named=True, said="cost moved; ratios bear it")
        for arm in ("a", "b")
    ]
    failed = Caution(code="self-test failed", subject="session 1", said="the self-test failed")
    outlier = Caution(code="outlier", subject="a", is_named=True, said="1 window far from its others")
    found = threats(*told(echo_run, outlier, *drift, failed))
    weights = [WEIGHTS.index(one.weight) for one in found]
    assert weights == sorted(weights)
    words = [one.words for one in found]
    assert words[0] == "the self-test failed"
    assert "a and b: cost moved; ratios bear it" in words


def test_what_the_strip_says_is_not_said_again(echo_run: Path) -> None:
    unmeasured = Caution(code="grade 0", subject="modelled", said="joules are modelled")
    assert "joules are modelled" not in [one.words for one in threats(*told(echo_run, unmeasured))]


def test_other_answers_and_a_control_that_does_as_well_turn_it_round(long_run: Path) -> None:
    story, answer = told(long_run)
    chance = Control(
        name="random",
        saved_percent=20.0,
        beyond_percent=0.1,
        beyond_low_percent=-1.0,
        beyond_high_percent=1.0,
        verdict="equivalent",
        blocks=6,
        blocks_to_settle=None,
    )
    costs = tuple(
        replace(one, comparison=replace(one.comparison, control=chance)) if one.comparison else one
        for one in answer.costs
    )
    heavy = [one.words for one in threats(story, replace(answer, costs=costs)) if one.weight == WEIGHTS[0]]
    assert any("no better than chance" in words for words in heavy)
    assert any("its joules are those of other answers" in words for words in heavy)


def test_only_a_gate_that_chooses_is_asked_for_a_random_one(echo_run: Path) -> None:
    story, answer = told(echo_run)
    header = story.readback.run.header
    assert any("no random gate was run" in one.words for one in threats(story, answer))
    constant = '{"plugin" = "constant", "budget" = {"model" = "small"}}'
    other = header.suite.text.replace('{"tokens" = 12}', constant)
    assert constant in other
    suite = replace(header.suite, text=other)
    run = replace(story.readback.run, header=replace(header, suite=suite))
    story = replace(story, readback=replace(story.readback, run=run))
    assert not any("no random gate was run" in one.words for one in threats(story, answer))


def test_joules_that_are_no_more_than_sampled_say_why(echo_run: Path) -> None:
    story, answer = told(echo_run)
    rows = [replace(row, grade=1, grade_reasons=("self-test not run",)) for row in story.summary.rows]
    story = replace(story, summary=replace(story.summary, rows=rows))
    [found] = [one for one in threats(story, answer) if "graded 1" in one.words]
    assert found.words.endswith("those of echo because: self-test not run")
    assert found.weight == WEIGHTS[1]


def test_what_could_have_been_seen_and_was_not_is_told(long_run: Path, echo_run: Path) -> None:
    story = Story.of(long_run)

    def of_pressure(pressure: str) -> Story:
        slots = [replace(slot, thermal=pressure) for slot in story.slots]
        return replace(story, readback=replace(story.readback, slots=slots))

    assert "throttling" in not_found(of_pressure("Nominal"))
    assert "throttling" not in not_found(of_pressure("Heavy"))
    assert "throttling" not in not_found(Story.of(echo_run))
