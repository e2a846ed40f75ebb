"""Costs and comparisons as the page draws them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from bench.report.answer import answer_of
from bench.report.page.cards import Scale, cards, cost_lines, first_table
from bench.report.page.questions import MOST_QUESTIONS, NO_TEXT
from bench.report.story import Story
from benchmarks.long_run import make_long_run


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Story:
    """Of eight blocks, which have intervals."""
    folder = tmp_path_factory.mktemp("made")
    return Story.of(make_long_run(folder, hours=0.14, slot_s=2.0, prompts=4, interval_s=0.2))


def test_an_interval_is_drawn_where_it_is(story: Story) -> None:
    answer = answer_of(story.readback, story.summary)
    for line, cost in zip(cost_lines(answer), answer.costs, strict=True):
        assert line.drawn.low < line.drawn.point < line.drawn.high
        assert line.name == cost.name
    for card in cards(story, answer):
        drawn = card.drawn
        assert drawn.low < drawn.point < drawn.high
        assert drawn.noise is not None
        assert drawn.noise[0] < drawn.zero < drawn.noise[0] + drawn.noise[1]
        assert not card.is_claim
        assert card.tone == "open"


def test_without_an_interval_none_is_drawn(echo_run: Path) -> None:
    story = Story.of(echo_run)
    [card] = cards(story, answer_of(story.readback, story.summary))
    assert (card.drawn.low, card.drawn.high) == (None, None)
    assert card.interval == "no interval: fewer than 5 blocks"
    assert card.reason


def test_questions_with_other_answers_come_first(story: Story) -> None:
    for card in cards(story, answer_of(story.readback, story.summary)):
        order = [one.is_same for one in card.questions]
        assert len(order) == MOST_QUESTIONS
        assert order == sorted(order)


def test_an_answer_without_a_text_says_so(echo_run: Path) -> None:
    story = Story.of(echo_run)
    slots = [
        replace(slot, answers=[replace(request, text=None) for request in slot.answers])
        for slot in story.readback.slots
    ]
    silent = replace(story, readback=replace(story.readback, slots=slots))
    [card] = cards(silent, answer_of(silent.readback, silent.summary))
    assert {one.after for one in card.questions} == {NO_TEXT}


def test_the_first_table_has_five_columns(echo_run: Path) -> None:
    story = Story.of(echo_run)
    table = first_table(answer_of(story.readback, story.summary))
    assert len(table.headings) == 5
    assert [row[0] for row in table.rows] == ["echo", "echo length"]


def test_a_scale_of_nothing_has_its_point_at_the_edge() -> None:
    assert Scale([None]).place(0.0) == 4.0
    assert Scale([2.0]).place(2.0) == 96.0
    assert Scale([2.0]).place(None) is None
