"""Does each rail move when it should, and rest when it should?

Four loads are put on the machine, one after the other: a CPU spin, a GPU stream, a memory stream, and sleep.
A rail that does not answer its load is dead, or is not what its name says; one that moves under another's
load is not its own. What the loads run is not known here: they are given as functions or as commands.
"""

from __future__ import annotations

import contextlib
import math
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from energy.attribute import attribute
from energy.base import EnergySource

Name = Literal["cpu spin", "gpu stream", "memory stream", "sleep"]
Load = Callable[[float], None] | Sequence[str]
"""A function that works for so many seconds, or a command that works until it is ended."""

Expectation = Literal["moves", "rests"]

EXPECTED: dict[Name, dict[str, Expectation]] = {
    "cpu spin": {"cpu": "moves", "package": "moves", "system": "moves", "gpu": "rests", "ane": "rests"},
    "gpu stream": {"gpu": "moves", "package": "moves", "system": "moves", "ane": "rests"},
    "memory stream": {"dram": "moves", "package": "moves", "system": "moves", "ane": "rests"},
    "sleep": {rail: "rests" for rail in ("cpu", "gpu", "ane", "dram", "package", "system")},
}
"""What each load must do to each rail; what is not said may do either."""

MOVES_BY_W = 0.3
RESTS_SHARE = 0.15
"""A resting rail may rise by this share of the largest rise under the same load."""

SETTLE_S = 1.0


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One rail under one load."""

    load: Name
    rail: str
    expected: Expectation
    rise_w: float | None
    """Watts above idle; None where the rail was not measured."""
    passed: bool


def run_self_test(source: EnergySource, loads: Mapping[Name, Load], *, seconds: float = 5.0) -> list[Finding]:
    """Put each load on the machine and judge what the rails did. `sleep` needs no load and is always done.

    Args:
        source: a source that has been started.
        loads: what to run, by name.
        seconds: length of each, at least ten readings.
    """
    windows: dict[Name | None, tuple[float, float]] = {None: _during(_sleep, seconds)}
    for name, load in loads.items():
        windows[name] = _during(load, seconds)
        time.sleep(SETTLE_S)
    windows["sleep"] = _during(_sleep, seconds)
    source.wait(windows["sleep"][1], timeout_s=10 * source.info.interval_s + 5)
    trace = source.trace()
    edges = np.array(list(windows.values()))
    joules, _ = attribute(trace.start_s, trace.end_s, trace.joules, edges)
    watts = joules / (edges[:, 1] - edges[:, 0])[:, None]
    by_load = {
        name: dict(zip(trace.rails, row, strict=True)) for name, row in zip(windows, watts, strict=True)
    }
    idle_w = by_load.pop(None)
    return [finding for name, row in by_load.items() if name for finding in judge(name, row, idle_w)]


def judge(load: Name, watts: Mapping[str, float], idle_w: Mapping[str, float]) -> list[Finding]:
    """Judge the rails under one load.

    Args:
        load: which it was.
        watts: mean watts by rail under it; NaN where not measured.
        idle_w: the same with nothing running.
    """
    rises = {rail: watts[rail] - idle_w[rail] for rail in watts}
    largest_w = max((rise for rise in rises.values() if not math.isnan(rise)), default=0.0)
    rests_below_w = max(MOVES_BY_W, RESTS_SHARE * largest_w)
    findings = []
    for rail, expected in EXPECTED[load].items():
        if rail not in rises:
            continue
        rise = float(rises[rail])
        measured = not math.isnan(rise)
        passed = measured and bool(rise >= MOVES_BY_W if expected == "moves" else rise < rests_below_w)
        findings.append(
            Finding(load=load, rail=rail, expected=expected, rise_w=rise if measured else None, passed=passed)
        )
    return findings


def _sleep(seconds: float) -> None:
    time.sleep(seconds)


def _during(load: Load, seconds: float) -> tuple[float, float]:
    """Run a load and give the window in which it ran."""
    if callable(load):
        start_s = time.perf_counter()
        load(seconds)
        return start_s, time.perf_counter()
    with _running(load):
        time.sleep(SETTLE_S)
        start_s = time.perf_counter()
        time.sleep(seconds)
        return start_s, time.perf_counter()


@contextlib.contextmanager
def _running(command: Sequence[str]) -> Iterator[None]:
    """A child process for as long as the block lasts."""
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL) as child:
        try:
            yield
        finally:
            child.terminate()
