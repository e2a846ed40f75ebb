"""A quantity has one value: on the page, in its CSV and JSON, and on the terminal, over runs drawn by lot."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass

import pytest
from rich.console import Console

from analysis.verdict import VERDICTS
from bench.report.answer_table import show_answer
from bench.report.page.build import render
from bench.report.page.chapter import make_chapter
from bench.report.story import Story
from bench.report.tables import rows_csv, to_json
from tests.bench.report.page.browser import Browser
from tests.bench.report.page.stubs import nothing
from tests.bench.report.page.test_top import LARGE_PX, OWN_TEXTS
from tests.bench.report.random_runs import random_stories

RUNS = 100
READ = """() => [...document.querySelectorAll("article.chapter")].map(chapter => {
  const plain = text => text.replaceAll("\u00a0", " ");
  const texts = (root, what) => [...root.querySelectorAll(what)].map(one => plain(one.textContent));
  return {
    name: texts(chapter, ".cost .name"), joules: texts(chapter, ".joules strong"),
    interval: texts(chapter, ".joules .range"),
    cards: [...chapter.querySelectorAll("[data-card]")].map(card => texts(card, ".change span, .ends, dd")),
  };
})"""


@dataclass
class Seen:
    """What a browser shows of the page of all runs."""

    chapters: list[dict]
    large: list[dict]


@pytest.fixture(scope="module")
def stories() -> tuple[Story, ...]:
    return random_stories()[:RUNS]


@pytest.fixture(scope="module")
def seen(browser: Browser, stories: tuple[Story, ...], tmp_path_factory: pytest.TempPathFactory) -> Seen:
    folder = tmp_path_factory.mktemp("random")
    chapters = [
        make_chapter(story, nothing, folder, number=number, prefix="")
        for number, story in enumerate(stories, start=1)
    ]
    file = folder / "page.html"
    file.write_text(render(chapters), encoding="utf-8")
    with browser.opened(file) as opened:
        large = [one for one in opened.page.evaluate(OWN_TEXTS) if one["px"] >= LARGE_PX]
        return Seen(opened.page.evaluate(READ), large)


def test_the_page_says_what_csv_and_json_hold(seen: Seen, stories: tuple[Story, ...]) -> None:
    compared = 0
    for story, page in zip(stories, seen.chapters, strict=True):
        rows = {
            row["configuration"]: row for row in csv.DictReader(io.StringIO(rows_csv(story.summary).decode()))
        }
        costs = to_json(story)["answer"]["costs"]
        cards = iter(page["cards"])
        for name, joules, interval, cost in zip(
            page["name"], page["joules"], page["interval"], costs, strict=True
        ):
            row = rows[name]
            assert cost["name"] == name
            assert same(joules, row["joules_per_token"], cost["joules_per_token"])
            if " to " in interval:
                low, high = interval.split(" to ")
                assert same(low, row["joules_per_token_low"], cost["low"])
                assert same(high, row["joules_per_token_high"], cost["high"])
            if cost["comparison"] is not None:
                check_card(next(cards), row, cost["comparison"])
                compared += 1
        assert next(cards, None) is None
    assert compared > RUNS


def check_card(card: list[str], row: dict[str, str], said: dict) -> None:
    change, verdict, ends, answers = card[:4]
    assert verdict == said["verdict_words"]
    assert row["verdict"] == said["verdict"]
    if said["saved_percent"] is not None:
        amount, _, direction = change.partition(" % ")
        saved = float(amount) * (1 if direction == "less" else -1)
        assert saved == pytest.approx(float(row["joules_saved_percent"]), abs=half(amount))
        assert said["saved_percent"] == float(row["joules_saved_percent"])
    if ends.startswith("saves"):
        low, high = ends.removeprefix("saves ").partition(" %")[0].split(" to ")
        assert same(low, row["saved_low_percent"], said["low_percent"])
        assert same(high, row["saved_high_percent"], said["high_percent"])
    noise = ends.rpartition("noise")[2].removeprefix(" in them").strip(" %")
    assert same(noise, row["noise_percent"], row["noise_percent"])
    if said["same_answers"] is not None:
        assert answers.startswith(f"{row['same_answers']} of {row['prompts']}")
        assert same(answers.rpartition(" match ")[2], row["token_match_percent"], said["token_match_percent"])


def test_the_terminal_says_what_the_page_says(seen: Seen, stories: tuple[Story, ...]) -> None:
    for story, page in zip(stories, seen.chapters, strict=True):
        told = Console(file=io.StringIO(), width=160)
        show_answer(story.answer, told)
        lines = told.file.getvalue().splitlines()
        cards = iter(page["cards"])
        for cost, joules, interval in zip(story.answer.costs, page["joules"], page["interval"], strict=True):
            (line,) = [one for one in lines if one.strip().startswith(f"{cost.name}  ")]
            if cost.joules_per_token is not None:
                assert f" {joules}" in line
            if " to " in interval:
                assert f"({interval.replace(' to ', '-')})" in line
            if cost.comparison is not None:
                change, verdict, *_ = next(cards)
                assert line.rstrip().endswith(verdict)
                assert cost.comparison.saved_percent is None or change.rpartition(" ")[0] in line


def test_no_percentage_in_large_type_stands_without_its_verdict(
    seen: Seen, stories: tuple[Story, ...]
) -> None:
    claims = [one for story in stories for one in story.answer.comparisons if one.is_claim]
    large = [one for one in seen.large if "%" in one["text"]]
    assert [one["card"] for one in large] == [one.verdict_words for one in claims]
    assert len(large) > RUNS / 4
    assert all(one["card"].startswith(VERDICTS[:3]) for one in large)


def same(text: str, *values: object) -> bool:
    """Whether a text is each of the values, to its last digit; a figure that is none is in none of them."""
    if any(value in (None, "") for value in values):
        return text == "not estimated" and all(value in (None, "") for value in values)
    number = text.strip(" %")
    return all(abs(float(number) - float(str(value))) <= half(number) for value in values)


def half(text: str) -> float:
    """Half a unit of the last digit of a number, and what a binary fraction may be off."""
    return 0.5 * 10.0 ** -len(text.partition(".")[2]) * (1 + 1e-9) + 1e-12
