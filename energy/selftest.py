"""Does each rail move when it should, and rest when it should?

Four loads are put on the machine, one after the other: a CPU spin, a GPU stream, a memory stream, and sleep.
A rail that does not answer its load is dead, or is not what its name says: its joules are withheld, and
every total with them. One that moves under another's load measures more than its name says, while a total
over all rails can still be right: its joules are kept and graded 1. A load that this machine can't carry
(no GPU library, a load that crashed) tests nothing: not tested is not failed. A test in which no load
reached any rail has measured nothing, and has failed.

Then pulses of a load are commanded, which tell when the meter shows what was done (`energy.lag`).

What the loads run is not known here: they are given as functions or as commands.
"""

from __future__ import annotations

import contextlib
import math
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np

from energy.attribute import attribute
from energy.base import EnergySource, Fault, Trace
from energy.boundary import total_j
from energy.cadence import SELF_TEST, lasting, seen_cadence
from energy.grade import SelfTest
from energy.lag import Lag, command, lag_of, plan, pulses_s

Name = Literal["cpu spin", "gpu stream", "memory stream", "sleep"]
Command = Sequence[str]
"""A command that works until it is ended."""
Load = Callable[[float], None] | Command
"""A function that works for so many seconds, or a command that works until it is ended."""

Expectation = Literal["moves", "rests"]
Window = tuple[float, float]
Windows = dict[str, Window]
"""When each load ran, by its name, and under `IDLE` when none did, before all others."""
IDLE = "idle"

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
    passed: bool | None
    """None: not tested, because this machine could not carry the load."""

    def __str__(self) -> str:
        did = "was not measured" if self.rise_w is None else f"rose by {self.rise_w:.2f} W"
        must = f"must rise by {MOVES_BY_W:g} W" if self.expected == "moves" else "must rest"
        return f"under the load {self.load!r} {self.rail} {did} and {must}"


@dataclass(frozen=True, kw_only=True)
class SelfTestOutcome:
    """What a self-test means for the joules of a run."""

    passed: bool
    reason: str
    """What failed, in one line; empty if nothing did."""
    silent: dict[str, str] = field(default_factory=dict)
    """Rails that did not answer a load that they must answer, and how that was seen: not measured."""

    @property
    def word(self) -> SelfTest:
        """The outcome as it is stored and graded."""
        return "passed" if self.passed else "failed"


def outcome(findings: Sequence[Finding], rails: Sequence[str]) -> SelfTestOutcome:
    """What the findings of a self-test mean.

    Args:
        findings: of `run_self_test`, or of a stored record of one.
        rails: those that add up to the boundary's total. None of them is trusted if nothing was measured.
    """
    must_move = [f for f in findings if f.expected == "moves" and f.passed is not None]
    if all(finding.rise_w is None for finding in must_move):
        nothing = "the self-test measured nothing: no load reached a rail that can be read"
        return SelfTestOutcome(passed=False, reason=nothing, silent=dict.fromkeys(rails, nothing))
    failed = [finding for finding in findings if finding.passed is False]
    return SelfTestOutcome(
        passed=not failed,
        reason="; ".join(map(str, failed)),
        silent={f.rail: f"no answer in the self-test: {f}" for f in must_move if not f.passed},
    )


def without_silent(trace: Trace, silent: Mapping[str, str]) -> Trace:
    """The readings with every rail that did not answer its load as not measured, and as a fault.

    Args:
        trace: readings of the source that was tested.
        silent: rail -> why, as in `Outcome`.
    """
    columns = [number for number, rail in enumerate(trace.rails) if rail in silent]
    if not columns or not len(trace.end_s):
        return trace
    joules = trace.joules.copy()
    joules[:, columns] = np.nan
    start_s, end_s = float(trace.start_s[0]), float(trace.end_s[-1])
    faults = [
        Fault(kind="dead rail", start_s=start_s, end_s=end_s, detail=silent[rail], rail=rail)
        for rail in trace.rails
        if rail in silent
    ]
    return replace(trace, joules=joules, faults=(*faults, *trace.faults))


def lasting_s(seconds: float, cadence_s: float) -> float:
    """Seconds of a self-test with loads of this length, and of the pulses before a run and after it."""
    settling_s = 2 * SETTLE_S * (len(EXPECTED) - 1)
    return (len(EXPECTED) + 1) * seconds + settling_s + 2 * (SETTLE_S + pulses_s(cadence_s))


def run_self_test(source: EnergySource, loads: Mapping[Name, Load], *, seconds: float = 5.0) -> list[Finding]:
    """Put each load on the machine and judge what the rails did; arguments as of `put_loads`."""
    windows = put_loads(source, loads, seconds=seconds)
    return judge_windows(source.trace(), windows)


def put_loads(source: EnergySource, loads: Mapping[Name, Load], *, seconds: float = 5.0) -> Windows:
    """Put each load on the machine; on return the readings of all windows are in.

    `sleep` needs no load and is always done.

    Args:
        source: a source that has been started.
        loads: what to run, by name.
        seconds: length of each; longer where the meter is too slow for it.
    """
    seconds = lasting(seconds, SELF_TEST, cadence_s=seen_cadence(source))
    windows: Windows = {IDLE: _sleep(seconds)}
    for name, load in loads.items():
        window = _during(load, seconds)
        if window is not None:
            windows[name] = window
        time.sleep(SETTLE_S)
    windows["sleep"] = _sleep(seconds)
    source.wait(windows["sleep"][1], timeout_s=10 * source.info.interval_s + 5)
    return windows


def judge_windows(trace: Trace, windows: Windows) -> list[Finding]:
    """What the rails did under each load.

    Args:
        trace: readings of the source that was tested, of all windows.
        windows: of `put_loads`, or of a stored record of a self-test.
    """
    watts = _mean_watts(trace, windows)
    idle_w = watts[IDLE]
    tested = [finding for load in EXPECTED if load in watts for finding in judge(load, watts[load], idle_w)]
    return [*tested, *_not_tested(trace.rails, [load for load in EXPECTED if load not in watts])]


def find_lag(source: EnergySource, load: Command, *, seed: int = 0, most_s: float = math.inf) -> Lag | None:
    """Command pulses of a load and see when the meter shows them; None where it shows none.

    As many as the cadence that was seen asks for, so that slow readings tell as much as quick ones.

    Args:
        source: a source that has been started and has readings.
        load: a command that works until it is ended.
        seed: of the gaps.
        most_s: for all pulses; where too few fit, none is commanded.
    """
    cadence_s = seen_cadence(source)
    planned = plan(cadence_s, np.random.default_rng(seed), most_s=most_s)
    if not len(planned):
        return None
    with _running(load) as child:
        time.sleep(SETTLE_S)
        if child.poll() is not None:
            return None
        pulses = command(child.pid, planned)
    source.wait(float(pulses[-1, 1]) + cadence_s, timeout_s=10 * cadence_s + 5)
    trace = source.trace()
    if not set(source.info.rails) <= set(trace.rails):
        return None
    return lag_of(trace.start_s, trace.end_s, total_j(trace, source.info.rails), pulses)


def _mean_watts(trace: Trace, windows: Windows) -> dict[str, dict[str, float]]:
    """Mean watts by load and rail; NaN where not measured."""
    edges_s = np.array(list(windows.values()))
    joules, _ = attribute(trace.start_s, trace.end_s, trace.joules, edges_s)
    watts = joules / (edges_s[:, 1] - edges_s[:, 0])[:, None]
    rows = watts.tolist()
    return {load: dict(zip(trace.rails, row, strict=True)) for load, row in zip(windows, rows, strict=True)}


def _not_tested(rails: Sequence[str], loads: Sequence[Name]) -> list[Finding]:
    """Rails whose load this machine did not carry."""
    return [
        Finding(load=load, rail=rail, expected=expected, rise_w=None, passed=None)
        for load in loads
        for rail, expected in EXPECTED[load].items()
        if expected == "moves" and rail in rails
    ]


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


def _sleep(seconds: float) -> Window:
    """The window in which nothing was done."""
    start_s = time.perf_counter()
    time.sleep(seconds)
    return start_s, time.perf_counter()


def _during(load: Load, seconds: float) -> Window | None:
    """Run a load and give the window in which it ran; None if its command ended by itself."""
    if callable(load):
        start_s = time.perf_counter()
        load(seconds)
        return start_s, time.perf_counter()
    with _running(load) as child:
        time.sleep(SETTLE_S)
        window = _sleep(seconds)
        return window if child.poll() is None else None


@contextlib.contextmanager
def _running(command: Sequence[str]) -> Iterator[subprocess.Popen[bytes]]:
    """A child process for as long as the block lasts; its standard input closes if this process is killed."""
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL) as child:
        try:
            yield child
        finally:
            child.kill()  # one that somebody has stopped would not hear of anything less
