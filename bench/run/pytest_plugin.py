"""Joules of tests: `pytest --joules` adds a table, a row a test. Off, it imports nothing and does nothing.

With it every test is a window, `@pytest.mark.joules(most=2.5)` fails one that surely takes more, and the
fixture `joules` is `bench.measure`; a test that has it is skipped without the option.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from bench.run.measuring import Measure, MeasuredWindow

NAME = "joulebench"
SESSION = "whole session"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options."""
    group = parser.getgroup(NAME, "joules of tests")
    group.addoption("--joules", action="store_true", help="measure the joules of every test")
    group.addoption("--joules-energy", default="auto", metavar="SOURCE", help="energy source [auto]")


def pytest_configure(config: pytest.Config) -> None:
    """Start measuring, if it is asked for."""
    config.addinivalue_line("markers", "joules(most): with --joules, fail if it surely takes more joules")
    if not config.getoption("--joules"):
        return
    if getattr(config.option, "numprocesses", None) or hasattr(config, "workerinput"):
        raise pytest.UsageError("--joules measures one test at a time: leave -n out")
    config.pluginmanager.register(JoulesOfTests(config.getoption("--joules-energy")), f"{NAME}-joules")


@pytest.fixture
def joules(request: pytest.FixtureRequest) -> Measure:
    """`bench.measure`, for windows within a test."""
    if not request.config.getoption("--joules"):
        pytest.skip("measures joules: add --joules")
    from bench import measure

    return measure


class JoulesOfTests:
    """What is done when it is on: a window around each test's call, figures at the end."""

    def __init__(self, energy: str) -> None:
        from bench import measure
        from bench.errors import BenchError
        from energy.base import EnergyError

        self._measure = measure
        try:
            measure.start(energy)
        except (BenchError, EnergyError) as error:
            raise pytest.UsageError(f"--joules: {error}") from None
        self._whole = measure.begin(SESSION)
        self._windows: list[MeasuredWindow] = []

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_call(self, item: pytest.Item) -> Generator[None, object, object]:
        """Hold a window while a test runs; one that has a limit is held against it."""
        window = self._measure(item.nodeid)
        with window:
            result = yield
        self._windows.append(window)
        marker = item.get_closest_marker("joules")
        if marker is not None:
            _check(window, float(marker.kwargs.get("most", *marker.args[:1])))
        return result

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Print a row a test, the dearest first."""
        from bench.show.words import bound, joules, kind_label, number

        if self._whole.end_s is None:
            self._measure.end(SESSION)
        terminalreporter.section(f"joules ({kind_label([self._whole.kind])})")
        terminalreporter.line(f"{'J':>9} {'±':>7} {'W':>7} {'s':>8}")
        for one in [*sorted(self._windows, key=lambda one: -(one.joules or 0.0)), self._whole]:
            cells = (joules(one.joules), bound(one.joules, one.bound), number(one.watts, 2))
            figures = " ".join(
                f"{cell or '-':>{width}}" for cell, width in zip(cells, (9, 7, 7), strict=True)
            )
            terminalreporter.line(f"{figures} {one.seconds:8.2f}  {one.name}")
        why = dict.fromkeys(one.not_estimated for one in self._windows if one.not_estimated)
        for reason in list(why)[:1]:
            terminalreporter.line(f"-: {reason}")

    def pytest_unconfigure(self) -> None:
        """End the sampler."""
        self._measure.stop()


def _check(window: MeasuredWindow, most_j: float) -> None:
    """Fail a test that takes more than its limit by more than its bound."""
    if window.joules is not None and window.bound is not None and window.joules - window.bound > most_j:
        pytest.fail(f"takes {window.joules:.3g} J (± {window.bound:.2g}), at most {most_j:g} J are allowed")
