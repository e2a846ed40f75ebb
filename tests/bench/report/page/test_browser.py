"""The page in a real browser: quiet, alone, zoomable, readable by everybody, unharmed by its content."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from playwright.sync_api import Page

from tests.bench.report.page.browser import Browser
from tests.bench.report.page.hostile import PIECES

GROUND = "getComputedStyle(document.body).backgroundColor"
PAGES = ("echo_page", "hostile_page", "long_page", "page_of_two")
pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning")


@pytest.fixture(params=PAGES)
def page_file(request: pytest.FixtureRequest) -> Path:
    file: Path = request.getfixturevalue(request.param)
    return file


def test_it_is_quiet_asks_for_nothing_and_can_be_read_by_everybody(browser: Browser, page_file: Path) -> None:
    with browser.opened(page_file) as opened:
        assert opened.said == []
        assert opened.asked == [page_file.resolve().as_uri()]
        assert opened.violations() == []
        light = opened.page.evaluate(GROUND)
        opened.page.emulate_media(color_scheme="dark")
        assert opened.page.evaluate(GROUND) != light
        assert opened.violations("color-contrast") == []
        assert opened.said == []
        assert opened.load_s() > 0


def test_it_never_scrolls_sideways_and_its_pictures_are_whole(browser: Browser, page_file: Path) -> None:
    with browser.opened(page_file) as opened:
        widths = opened.page.eval_on_selector_all("img", "all => all.map(one => one.naturalWidth)")
        assert widths
        assert min(widths) > 0
        opened.page.evaluate("document.querySelectorAll('details').forEach(one => one.open = true)")
        for width in (1280, 390):
            opened.page.set_viewport_size({"width": width, "height": 900})
            settle(opened.page)
            assert opened.overflow <= 0


@pytest.mark.parametrize("page", ["echo_page", "long_page", "page_of_two"])
def test_buttons_and_keys_zoom_and_move_and_go_back(
    browser: Browser, page: str, request: pytest.FixtureRequest
) -> None:
    with browser.opened(request.getfixturevalue(page)) as opened:
        whole = opened.view_s
        shown = opened.page.locator("[data-range]").first
        before = shown.text_content()
        opened.page.get_by_role("button", name="Zoom in").first.click()
        settle(opened.page)
        zoomed = opened.view_s
        assert zoomed[1] - zoomed[0] == pytest.approx((whole[1] - whole[0]) / 2, rel=0.01)
        assert shown.text_content() != before
        opened.page.locator("canvas.plot").first.press("ArrowRight")
        settle(opened.page)
        assert opened.view_s[0] > zoomed[0]
        opened.page.locator("canvas.plot").first.press("+")
        settle(opened.page)
        assert opened.view_s[1] - opened.view_s[0] < zoomed[1] - zoomed[0]
        opened.page.get_by_role("button", name="Whole run").first.click()
        settle(opened.page)
        assert opened.view_s == whole
        assert shown.text_content() == before


def test_wheel_and_dragging_zoom_and_a_double_click_goes_back(browser: Browser, echo_page: Path) -> None:
    with browser.opened(echo_page) as opened:
        whole = opened.view_s
        canvas = opened.page.locator("canvas.plot").first
        canvas.scroll_into_view_if_needed()
        box = canvas.bounding_box()
        assert box is not None
        middle = (box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
        opened.page.mouse.move(*middle)
        opened.page.mouse.wheel(0, -400)
        settle(opened.page)
        by_wheel = opened.view_s
        assert by_wheel[1] - by_wheel[0] < 0.8 * (whole[1] - whole[0])
        opened.page.mouse.down()
        opened.page.mouse.move(middle[0] + 100, middle[1])
        opened.page.mouse.up()
        settle(opened.page)
        assert opened.view_s[1] - opened.view_s[0] < 0.3 * (by_wheel[1] - by_wheel[0])
        opened.page.mouse.dblclick(*middle)
        settle(opened.page)
        assert opened.view_s == whole


def test_two_fingers_zoom(browser: Browser, echo_page: Path) -> None:
    with browser.opened(echo_page) as opened:
        whole = opened.view_s
        canvas = opened.page.locator("canvas.plot").first
        canvas.scroll_into_view_if_needed()
        box = canvas.bounding_box()
        assert box is not None
        y = box["y"] + box["height"] / 2
        hand = opened.page.context.new_cdp_session(opened.page)
        for kind, apart in (("touchStart", 50), ("touchMove", 100), ("touchMove", 150)):
            places = [box["x"] + box["width"] / 2 + sign * apart for sign in (-1, 1)]
            points = [{"x": x, "y": y, "id": number} for number, x in enumerate(places)]
            hand.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})
        hand.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
        settle(opened.page)
        zoomed = opened.view_s
        assert zoomed[1] - zoomed[0] == pytest.approx((whole[1] - whole[0]) / 3, rel=0.2)


def test_pointing_at_the_curve_reads_it(browser: Browser, echo_page: Path) -> None:
    with browser.opened(echo_page) as opened:
        opened.page.locator("canvas.plot").first.hover()
        settle(opened.page)
        said = opened.page.locator("[data-readout]").first.text_content() or ""
        assert re.search(r"\d+\.\d\d W", said)
        assert "NOT a measurement" in said


def test_the_theme_can_be_chosen(browser: Browser, echo_page: Path) -> None:
    with browser.opened(echo_page, theme="light") as opened:
        light = opened.page.evaluate(GROUND)
        opened.page.get_by_role("button", name="Dark theme").click()
        assert opened.page.evaluate(GROUND) != light
        assert opened.violations("color-contrast") == []
        opened.page.get_by_role("button", name="Light theme").click()
        assert opened.page.evaluate(GROUND) == light


def test_without_scripts_the_figure_stands_where_the_chart_would(browser: Browser, echo_page: Path) -> None:
    with browser.opened(echo_page, scripts=False) as opened:
        assert opened.page.locator("figure.static img").first.is_visible()
        assert not opened.page.locator("[data-chart]").first.is_visible()


def test_in_print_the_figure_stands_there_too(browser: Browser, echo_page: Path) -> None:
    with browser.opened(echo_page, theme="dark") as opened:
        assert not opened.page.locator("figure.static img").first.is_visible()
        opened.page.emulate_media(media="print")
        assert opened.page.locator("figure.static img").first.is_visible()
        assert not opened.page.locator("nav").is_visible()
        assert opened.page.evaluate(GROUND) == "rgb(255, 255, 255)"


def test_hostile_text_is_read_and_does_nothing(browser: Browser, hostile_page: Path) -> None:
    with browser.opened(hostile_page) as opened:
        assert opened.page.evaluate("window.harmed") is None
        assert opened.page.locator("main script:not([type='application/json'])").count() == 0
        assert opened.page.locator("main svg:not(.interval), img[src='x']").count() == 0
        opened.page.evaluate("document.querySelectorAll('details').forEach(one => one.open = true)")
        text = opened.page.locator("main").inner_text()
        assert "<script>window.harmed = true" in text
        assert "␛[31mred" in text
        assert "a␀b" in text
        assert "{{ 7 * 7 }}" in text
        assert "\u202e" not in opened.page.content()
        assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f]", hostile_page.read_text(encoding="utf-8"))
        assert len(PIECES) < opened.page.locator("#run1-prompts-rows tbody tr").count()


def settle(page: Page) -> None:
    """Wait until the chart has been drawn again."""
    page.evaluate("() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")
