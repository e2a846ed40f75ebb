"""Runs that the tests of the page share: they are made once."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.report.page.build import write_page
from bench.report.story import Story
from tests.bench.report.page.browser import Browser, browser_or_skip
from tests.bench.report.page.hostile import GATE, PROMPTS
from tests.bench.report.page.stubs import one_stub
from tests.bench.runs import run_suite


@pytest.fixture(scope="session")
def hostile_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run whose prompts, answers and gate hold whatever could do harm."""
    return run_suite(
        tmp_path_factory.mktemp("hostile"),
        prompt_lines=[json.dumps(prompt) for prompt in PROMPTS],
        gates={"ungated": {}, GATE: {"plugin": "length", "tokens": 12}},
        generation__max_new_tokens=80,
        backend_options__echo__cpu_s_per_token=0.0001,
    )


@pytest.fixture(scope="session")
def long_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A long run, scaled down: two sessions, two backends, a quarter of an hour."""
    from benchmarks.long_run import make_long_run

    folder = tmp_path_factory.mktemp("long")
    return make_long_run(folder, hours=0.25, slot_s=6.0, sessions=2, interval_s=0.3)


@pytest.fixture(scope="session")
def echo_page(echo_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of `echo_run` with every figure of the catalogue."""
    return write_page([Story.of(echo_run)], tmp_path_factory.mktemp("page"))


@pytest.fixture(scope="session")
def hostile_page(hostile_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of `hostile_run` with every figure of the catalogue."""
    return write_page([Story.of(hostile_run)], tmp_path_factory.mktemp("page"))


@pytest.fixture(scope="session")
def long_page(long_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of `long_run` with a single figure."""
    return write_page([Story.of(long_run)], tmp_path_factory.mktemp("page"), drawings=one_stub)


@pytest.fixture(scope="session")
def page_of_two(echo_run: Path, hostile_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One page of two runs, with a single figure each."""
    stories = [Story.of(folder) for folder in (echo_run, hostile_run)]
    return write_page(stories, tmp_path_factory.mktemp("page"), apart=True, drawings=one_stub)


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """Chromium without a window; gone before tests that count their own child processes."""
    with browser_or_skip() as found:
        yield found
