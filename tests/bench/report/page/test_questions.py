"""Answers side by side: whatever they hold, what differs is seen."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from bench.report.page.cards import cards
from bench.report.page.questions import EMPTY, MOST_CHARACTERS, MOST_WHOLE, Question
from bench.report.story import Story
from bench.run.records import RequestRecord

LONG = "The quick brown fox jumps over the lazy dog. " * 45


def asked(story: Story, before: str, after: str) -> Question:
    """The first question, with these answers of the baseline and of the gate."""

    def told(request: RequestRecord) -> RequestRecord:
        return replace(request, text=after if request.gate == "length" else before)

    slots = [replace(slot, answers=list(map(told, slot.answers))) for slot in story.readback.slots]
    [card] = cards(replace(story, readback=replace(story.readback, slots=slots)), story.answer)
    return card.questions[0]


@pytest.fixture(scope="module")
def story(echo_run: Path) -> Story:
    return Story.of(echo_run)


def test_a_short_answer_is_shown_as_it_is(story: Story) -> None:
    found = asked(story, "Paris.", "  <b>Lyon</b>\n\n\n\n\nor Nice\n\n")
    assert (found.before, found.after) == ("Paris.", "<b>Lyon</b>\n\nor Nice")
    assert found.whole is None


def test_a_long_answer_is_cut_and_can_be_read_in_full(story: Story) -> None:
    found = asked(story, LONG, "Paris.")
    assert len(found.before) == MOST_CHARACTERS
    assert found.before.endswith("\u2026")
    assert found.after == "Paris."
    assert found.whole == (LONG.strip(), "Paris.")
    assert len((asked(story, LONG * 9, "Paris.").whole or ("", ""))[0]) == MOST_WHOLE


def test_answers_that_part_late_are_shown_from_a_little_before(story: Story) -> None:
    found = asked(story, f"{LONG}It sleeps.", f"{LONG}It wakes.")
    assert found.before.startswith("\u2026")
    assert found.before.endswith("dog. It sleeps.")
    assert found.after.endswith("dog. It wakes.")


def test_an_empty_answer_says_so(story: Story) -> None:
    assert asked(story, "Paris.", " \n ").after == EMPTY
