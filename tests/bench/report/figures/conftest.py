"""Runs whose figures are looked at: a real one of the echo backend, and made-up ones."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.report.story import Story
from benchmarks.long_run import make_long_run

HOSTILE = (
    "$\\frac{x^2$",
    "<script>alert('1')</script>",
    "日本 \U0001f642",
    "a\x1b[31m\nb\u202e",
    "x" * 90,
    "$$",
    "%s {0}",
)


@pytest.fixture(scope="session")
def made_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of eight blocks in two sessions, joules simulated and known; in two of them it was warm."""
    folder = tmp_path_factory.mktemp("made")
    return make_long_run(folder, hours=0.14, slot_s=2.0, prompts=3, sessions=2, interval_s=0.2)


@pytest.fixture(scope="session")
def hostile_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a run with eighteen arms whose names are none."""
    folder = tmp_path_factory.mktemp("hostile")
    return make_long_run(folder, hours=0.02, slot_s=1.0, prompts=2, gates=HOSTILE, warm=False)


@pytest.fixture(scope="session")
def echo(echo_run: Path) -> Story:
    return Story.of(echo_run)


@pytest.fixture(scope="session")
def made(made_run: Path) -> Story:
    return Story.of(made_run)


@pytest.fixture(scope="session")
def hostile(hostile_run: Path) -> Story:
    return Story.of(hostile_run)


@pytest.fixture(scope="session")
def empty(made: Story, tmp_path_factory: pytest.TempPathFactory) -> Story:
    """A run that was started and measured nothing."""
    from bench.run import store

    new = store.create(tmp_path_factory.mktemp("empty"), header=made.readback.run.header)
    return Story.of(new.folder)
