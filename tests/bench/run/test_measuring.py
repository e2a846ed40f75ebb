"""`bench.measure`: windows of a program over one sampler."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator

import psutil
import pytest

import bench
from bench.errors import UserError
from bench.run.measuring import Measure
from energy.cputime import cpu_s
from tests.bench.processes import are_gone
from tests.waiting import TIMEOUT_S, wait_for

SYNCHRONIZED: list[str] = []


def note() -> None:
    SYNCHRONIZED.append("edge")


@pytest.fixture(scope="module")
def measure() -> Iterator[Measure]:
    """One sampler for the tests of this file, read every 10 ms, so that windows can be short."""
    own = Measure()
    own.start("modelled", synchronize=note, interval_ms=10)
    yield own
    own.stop()


def readings(measure: Measure) -> int:
    assert measure._running is not None
    return len(measure._running._meter.sources().lead.trace.end_s)


def rest(measure: Measure) -> None:
    """Until there are as many readings as a window needs, however busy the machine is."""
    enough = readings(measure) + 13
    wait_for(lambda: readings(measure) >= enough)


def work(seconds: float = 0.25) -> None:
    end_s = time.process_time() + seconds
    while time.process_time() < end_s:
        pass


def test_the_work_of_this_process_has_joules(measure: Measure) -> None:
    with measure() as m:
        before_s = cpu_s(os.getpid())
        work()
        rest(measure)
        after_s = cpu_s(os.getpid())
    assert m.joules == pytest.approx(2.0 * m.seconds + 4.0 * (after_s - before_s), rel=0.15)
    assert m.bound is not None
    assert m.rails == {"cpu": m.joules}
    assert m.watts == pytest.approx(m.joules / m.seconds)
    assert (m.grade, m.kind, m.not_estimated) == (0, "modelled", None)
    assert "modelled, NOT a measurement" in repr(m)


def test_windows_may_be_nested_overlap_and_share_a_name(measure: Measure) -> None:
    with measure("both") as outer:
        first = measure.begin("a")
        rest(measure)
        measure.begin("b")
        rest(measure)
        assert measure.end("a") is first
        with measure("both") as inner:
            rest(measure)
        second = measure.end("b")
    assert first.seconds < outer.seconds
    assert all(one.joules is not None for one in (outer, inner, first, second))
    assert inner.joules + second.joules > inner.joules  # type: ignore[operator]
    totals = measure.totals()
    assert totals["both"].count == 2
    assert totals["both"].seconds == pytest.approx(outer.seconds + inner.seconds)
    assert totals["a"].joules == pytest.approx(first.joules, rel=0.01)


def test_a_window_that_is_open_or_was_never_opened_is_refused(measure: Measure) -> None:
    with measure("x") as m, pytest.raises(UserError, match="'x' has not ended"):
        _ = m.joules
    measure.begin("y")
    with pytest.raises(UserError, match=r"'y' is open; end it first: measure.end\('y'\)"):
        measure.begin("y")
    with pytest.raises(UserError, match="no window 'z' is open; open are: 'y'"):
        measure.end("z")
    measure.end("y")


def test_a_window_that_is_too_short_has_no_joules_and_says_why(measure: Measure) -> None:
    with measure("short") as m:
        pass
    assert m.joules is m.watts is None
    assert "readings in the window, 10 are needed" in (m.not_estimated or "")
    assert "no joules" in repr(m)


def test_a_window_ends_with_an_error_too(measure: Measure) -> None:
    def fails() -> None:
        with measure("failed"):
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fails()
    assert measure.totals()["failed"].count == 1


def test_each_call_of_a_function_is_a_window(measure: Measure) -> None:
    @measure.each
    def add(one: int, other: int) -> int:
        return one + other

    @measure.each("by another name")
    async def later() -> str:
        await asyncio.sleep(0)
        return "done"

    assert [add(1, other=2), add(3, 4)] == [3, 7]
    assert asyncio.run(later()) == "done"
    totals = measure.totals()
    assert totals[add.__qualname__].count == 2
    assert totals["by another name"].count == 1


def test_it_works_where_an_event_loop_runs_as_in_a_notebook(measure: Measure) -> None:
    async def cell() -> float | None:
        with measure("cell") as m:
            await asyncio.sleep(0)
            rest(measure)
        return m.joules

    assert asyncio.run(cell()) is not None


def test_devices_are_waited_for_at_both_edges(measure: Measure) -> None:
    SYNCHRONIZED.clear()
    with measure():
        assert len(SYNCHRONIZED) == 1
    assert len(SYNCHRONIZED) == 2


def test_figures_are_asked_for_before_the_sampler_is_stopped() -> None:
    own = Measure()
    own.start("modelled")
    with own() as m:
        pass
    own.stop()
    own.stop()
    assert own.totals() == {}
    with pytest.raises(UserError, match=r"ask before measure.stop\(\)"):
        _ = m.joules


def test_a_source_that_is_not_there_leaves_nothing_open() -> None:
    own = Measure()
    with pytest.raises(UserError, match="nonsense"):
        own.start("nonsense")
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        _ = bench.nonsense  # type: ignore[attr-defined]


PROGRAM = """
import os, sys, time
import bench
heavy = [name for name in ("numpy", "psutil", "pydantic", "rich", "typer") if name in sys.modules]
from bench import measure
heavy += [name for name in ("numpy", "psutil", "pydantic", "rich", "typer") if name in sys.modules]
assert not heavy, heavy
measure.start("simulated")
with measure():
    pass
if os.fork() == 0:
    sys.exit()  # must leave its parent's sampler alone
os.wait()
print(os.getpid(), flush=True)
assert [name for name in ("torch", "mlx", "transformers") if name in sys.modules] == []
if sys.argv[1] == "ends":
    with measure() as m:
        time.sleep(1.5)
    assert m.joules is not None, m.not_estimated
else:
    time.sleep(60)
"""


@pytest.mark.parametrize("how", ["ends", "is killed"])
def test_no_sampler_outlives_its_program(how: str) -> None:
    program = subprocess.Popen([sys.executable, "-c", PROGRAM, how], stdout=subprocess.PIPE, text=True)
    assert program.stdout is not None
    assert program.stdout.readline().strip() == str(program.pid)
    meters = psutil.Process(program.pid).children()
    assert len(meters) == 1
    if how == "is killed":
        os.kill(program.pid, signal.SIGKILL)
    code = program.wait(TIMEOUT_S)
    program.stdout.close()
    assert code == (0 if how == "ends" else -signal.SIGKILL)
    assert wait_for(lambda: are_gone(meters))
