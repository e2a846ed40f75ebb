"""Chromium without a window, for looking at a page as a reader does."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser as Chromium
from playwright.sync_api import Page, sync_playwright

Theme = Literal["light", "dark"]

FLAGS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
)
NAMES = ("chromium", "chromium-browser", "google-chrome")
MAC = "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome"


@dataclass
class Opened:
    """A page in a tab, and what it did that it should not."""

    page: Page
    said: list[str]
    """Whatever came to the console, and errors of the page."""
    asked: list[str]
    """Addresses that were asked for, other than data within the page."""

    @property
    def view_s(self) -> tuple[float, float]:
        """The stretch of time that the power chart shows."""
        chart = self.page.locator("[data-chart]").first
        begin_s, end_s = (chart.get_attribute(name) or "nan" for name in ("data-from", "data-to"))
        return float(begin_s), float(end_s)

    @property
    def overflow(self) -> int:
        """By how many pixels the page is wider than the window."""
        return int(
            self.page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        )

    def load_s(self) -> float:
        """From the start of the navigation to the load event."""
        return float(self.page.evaluate("performance.getEntriesByType('navigation')[0].duration")) / 1000

    def violations(self, *rules: str) -> list[str]:
        """What axe calls serious or critical, by all of its rules or by these."""
        options: dict[str, Any] = {"resultTypes": ["violations"]}
        if rules:
            options["runOnly"] = {"type": "rule", "values": list(rules)}
        found: list[dict[str, Any]] = Axe().run(self.page, options=options).response["violations"]
        return [
            f"{one['id']}: {node['target']} {node['failureSummary']}"
            for one in found
            if one["impact"] in ("serious", "critical")
            for node in one["nodes"]
        ]


class Browser:
    """A running Chromium."""

    def __init__(self, chromium: Chromium) -> None:
        self._chromium = chromium

    @contextmanager
    def opened(
        self, file: Path, *, width: int = 1280, theme: Theme = "light", scripts: bool = True
    ) -> Iterator[Opened]:
        """A file in a window of its own."""
        context = self._chromium.new_context(
            viewport={"width": width, "height": 900},
            color_scheme=theme,
            java_script_enabled=scripts,
            offline=True,
        )
        page = context.new_page()
        opened = Opened(page, [], [])
        page.on("console", lambda message: opened.said.append(f"{message.type}: {message.text}"))
        page.on("pageerror", lambda error: opened.said.append(str(error)))
        page.on("request", lambda request: _note(opened, request.url))
        page.goto(file.resolve().as_uri())
        yield opened
        context.close()


def _note(opened: Opened, url: str) -> None:
    if not url.startswith("data:"):
        opened.asked.append(url)


@contextmanager
def browser_or_skip() -> Iterator[Browser]:
    """Start Chromium; without one skip, or fail where JOULEBENCH_BROWSER says that it must be there."""
    program = _find()
    if program is None:
        message = "no Chromium found: install chromium, or set CHROMIUM to its path"
        if os.environ.get("JOULEBENCH_BROWSER") == "required":
            pytest.fail(message)
        pytest.skip(message)
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=program, args=list(FLAGS))
        yield Browser(chromium)
        chromium.close()


def _find() -> str | None:
    named = os.environ.get("CHROMIUM")
    if named:
        return named
    on_path = (shutil.which(name) for name in NAMES)
    return next((path for path in on_path if path), MAC if Path(MAC).exists() else None)
