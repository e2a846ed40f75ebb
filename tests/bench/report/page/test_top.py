"""The first look at a page, in a browser: what is in the first 800 pixels, how large, with which words."""

from __future__ import annotations

import base64
import csv
import re
from dataclasses import replace
from pathlib import Path

import pytest
from playwright.sync_api import Page

from bench.report.page.build import render
from bench.report.page.chapter import make_chapter
from bench.report.story import Story
from bench.show.words import significant
from tests.bench.report.page.browser import Browser
from tests.bench.report.page.stubs import nothing

pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning")

FIRST_LOOK = (".joules strong", ".joules .range", "[data-card] .chip", "[data-card] dd", ".trust")
LARGE_PX = 20
SMALLEST_PX = 11
OWN_TEXTS = """() => [...document.body.querySelectorAll("*:not(script):not(style)")]
  .filter(one => one.checkVisibility() && !one.closest(".unseen, .skip"))
  .map(one => ({
    text: [...one.childNodes].filter(node => node.nodeType === 3).map(node => node.data).join("").trim(),
    px: parseFloat(getComputedStyle(one).fontSize),
    card: one.closest("[data-card]")?.querySelector(".chip")?.textContent || "",
  })).filter(one => one.text)"""
PICTURES = """() => [...document.querySelectorAll("picture img")].filter(one => one.checkVisibility())
  .map(one => [one.currentSrc, one.clientWidth])"""


@pytest.mark.parametrize("page", ["echo_page", "long_page"])
def test_the_first_800_pixels_hold_the_answer_and_no_percentage_in_large_type_where_joules_are_no_measurement(
    browser: Browser, page: str, request: pytest.FixtureRequest
) -> None:
    with browser.opened(request.getfixturevalue(page)) as opened:
        for selector in FIRST_LOOK:
            box = opened.page.locator(selector).first.bounding_box()
            assert box is not None, selector
            assert box["y"] + box["height"] <= 800, selector
        assert large_percentages(opened.page) == []


def test_a_percentage_in_large_type_has_its_verdict_beside_it(
    browser: Browser, long_run: Path, tmp_path: Path
) -> None:
    chapter = make_chapter(Story.of(long_run), nothing, tmp_path, number=1, prefix="")
    first, *others = chapter.cards
    claimed = replace(chapter, cards=[replace(first, is_claim=True, tone="claim"), *others])
    file = tmp_path / "page.html"
    file.write_text(render([claimed]), encoding="utf-8")
    with browser.opened(file) as opened:
        assert large_percentages(opened.page) == [(first.change.replace(" %", "\u00a0%"), first.verdict)]


def test_on_a_phone_no_letter_is_smaller_than_eleven_pixels(browser: Browser, echo_page: Path) -> None:
    with browser.opened(echo_page, width=390) as opened:
        small = [one for one in opened.page.evaluate(OWN_TEXTS) if one["px"] < SMALLEST_PX]
        assert small == []
        pictures = opened.page.evaluate(PICTURES)
        assert pictures
        for source, width_px in pictures:
            assert smallest_letters(source, width_px) >= SMALLEST_PX


def test_pictures_are_as_wide_as_their_card(browser: Browser, echo_page: Path) -> None:
    with browser.opened(echo_page) as opened:
        for paper in opened.page.locator(".paper:visible").all():
            box, picture = paper.bounding_box(), paper.locator("img:visible").first.bounding_box()
            assert box is not None
            assert picture is not None
            assert picture["width"] > 0.95 * box["width"]


def test_a_dark_page_has_dark_figures(browser: Browser, echo_page: Path) -> None:
    with browser.opened(echo_page, theme="dark") as opened:
        assert opened.page.locator(".on-dark:visible").count() > 0
        assert opened.page.locator(".on-light:visible").count() == 0
        opened.page.get_by_role("button", name="Light theme").click()
        assert opened.page.locator(".on-light:visible").count() > 0
        assert opened.page.locator(".on-dark:visible").count() == 0


def test_a_quantity_has_one_value_on_the_page_and_in_every_file(browser: Browser, echo_page: Path) -> None:
    arms = {row["gate"]: row for row in rows_of(echo_page, "configurations") if row["a_a"] == "False"}
    expected = [significant(float(row["joules_per_token"])) for row in arms.values()]
    figure = [row for row in rows_of(echo_page, "joules-per-token") if "(A/A)" not in row["configuration"]]
    assert [significant(float(row["mean_j"])) for row in figure] == expected
    assert [row["J/token (95 %)"].split(" ")[0] for row in rows_of(echo_page, "answer")] == expected
    with browser.opened(echo_page) as opened:
        assert opened.page.locator(".joules strong").all_inner_texts() == expected
        card = opened.page.locator("[data-card] .change span").first.inner_text()
    saved = float(arms["length"]["joules_saved_percent"])
    assert float(card.split("\u00a0")[0]) == pytest.approx(abs(saved), abs=0.5)
    assert card.endswith("less" if saved >= 0 else "more")


def large_percentages(page: Page) -> list[tuple[str, str]]:
    return [
        (one["text"], one["card"])
        for one in page.evaluate(OWN_TEXTS)
        if one["px"] >= LARGE_PX and "%" in one["text"]
    ]


def smallest_letters(source: str, width_px: float) -> float:
    """Height of the smallest letters of a picture, in pixels of the page."""
    svg = base64.b64decode(source.partition(",")[2]).decode()
    box = re.search(r'viewBox="0 0 ([\d.]+)', svg)
    assert box is not None
    sizes = [float(size) for size in re.findall(r"font(?:-size)?: [^;\"]*?([\d.]+)px", svg)]
    assert sizes
    return min(sizes) * width_px / float(box[1])


def rows_of(page: Path, name: str) -> list[dict[str, str]]:
    with (page.parent / f"{name}.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))
