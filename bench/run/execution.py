"""A command under a meter: idle, the command as often as asked, idle; beside a baseline, counterbalanced.

A window holds one run, or of a command that is repeated as many as have the readings that joules need.
Between windows the machine rests for a few readings, so that an edge lies between work and idle.
"""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from bench.errors import Interrupted, UserError
from bench.run import child
from bench.run.child import ChildRun
from bench.run.joules import Window
from bench.run.meter import Meter
from bench.run.observed import Joules
from bench.run.records import LagRecord, SelfTestRecord
from bench.suite.plan import Arm, make_blocks
from energy.base import SourceInfo
from energy.cadence import IDLE, LEAST_READINGS, REST_READINGS, lasting
from energy.idle import IdleVerdict, judge_idle

Say = Callable[[str], None]

COMMAND, BASELINE, COPY = "command", "baseline", "baseline (A/A)"
"""What a window holds; the copy is the baseline again, whose difference from itself is the noise."""
WITH_BASELINE = 10
"""Runs of each where a baseline is given and no number: five blocks, the fewest for a verdict."""
SELF_TEST_S = 5.0


@dataclass(frozen=True, kw_only=True)
class ExecAsked:
    """What is to be measured."""

    argv: tuple[str, ...]
    baseline: tuple[str, ...] | None = None
    repeat: int | None = None
    """Runs of the command; beside a baseline at least so many. None: one, or ten beside a baseline."""
    idle_s: float = 2.0
    """Of idle before and after; longer for a slow meter, none at 0."""
    self_test: bool = False
    """Test the meter first: without it no figure is metered (grade 2)."""

    def check(self) -> None:
        """Raise `UserError` if it can't be run: no such program, no runs."""
        child.check(self.argv)
        if self.baseline is not None:
            child.check(self.baseline)
        if self.repeat is not None and self.repeat < 1:
            raise UserError(f"--repeat {self.repeat}: nothing would be run", fix="give 1 or more")


@dataclass(frozen=True, kw_only=True)
class CommandWindow:
    """A window and the runs in it."""

    block: int
    position: int
    arm: str
    start_s: float
    end_s: float
    runs: tuple[ChildRun, ...]
    joules: Joules | None = None
    """None until the execution has ended."""


@dataclass(frozen=True, kw_only=True)
class Execution:
    """What was measured."""

    asked: ExecAsked
    source: SourceInfo
    note: str
    """Why this source."""
    reading_s: float
    """Seconds between readings, as seen."""
    idle: IdleVerdict
    idle_w: tuple[float | None, ...]
    """Mean watts before and after."""
    windows: tuple[CommandWindow, ...]
    left_running: tuple[str, ...]
    """What the commands started and did not wait for; its joules after the window are not counted."""
    exit_code: int
    """Of the first run that failed, 128 + a signal that bench was ended by, else 0."""
    ended_early: str | None
    """Why not everything that was asked was run."""
    self_test: SelfTestRecord | None = None
    lag: LagRecord | None = None


@dataclass
class _SoFar:
    windows: list[CommandWindow] = field(default_factory=list)
    idle: list[tuple[float, float, Joules]] = field(default_factory=list)
    left_running: list[str] = field(default_factory=list)
    exit_code: int = 0
    ended_early: str | None = None
    is_interrupted: bool = False


def execute(asked: ExecAsked, meter: Meter, *, folder: Path, say: Say) -> Execution:
    """Measure a command.

    Args:
        asked: what.
        meter: not started yet; it is stopped here.
        folder: for its stream.
        say: is told what goes on, outside windows.

    Raises:
        UserError: there is no such program.
        SourceUnavailable: the meter can't run.
        Interrupted: Ctrl-C before the end of the first run.
    """
    asked.check()
    so_far = _SoFar()
    try:
        meter.start(folder)
        reading_s = meter.cadence_s()
        tested = _tested(asked, meter, say)
        idle_s = lasting(asked.idle_s, IDLE, cadence_s=reading_s)
        try:
            _idle(idle_s, meter, so_far, say)
            _run_all(asked, meter, so_far, reading_s, say)
            if not so_far.is_interrupted:
                _idle(idle_s, meter, so_far, say)
        except KeyboardInterrupt:
            _interrupted(so_far, signal.SIGINT)
        if not so_far.windows:
            raise Interrupted("interrupted before the command had ended: nothing was measured")
        return _execution(asked, meter, so_far, reading_s, tested)
    finally:
        meter.stop()


def _tested(asked: ExecAsked, meter: Meter, say: Say) -> tuple[SelfTestRecord | None, LagRecord | None]:
    if not asked.self_test:
        return None, None
    say("self-test of the meter")
    tested = meter.self_test(seconds_s=SELF_TEST_S, session=1)
    return tested, meter.lag("before", session=1, most_s=60.0)


def _idle(idle_s: float, meter: Meter, so_far: _SoFar, say: Say) -> None:
    if idle_s:
        say(f"idle, {idle_s:g} s")
        so_far.idle.append(meter.idle(idle_s))


def _execution(
    asked: ExecAsked,
    meter: Meter,
    so_far: _SoFar,
    reading_s: float,
    tested: tuple[SelfTestRecord | None, LagRecord | None],
) -> Execution:
    """Joules of every window at once, now that all readings are in and idle is known."""
    watts = [joules.total_j and joules.total_j / (end_s - start_s) for start_s, end_s, joules in so_far.idle]
    idle = judge_idle(watts)
    meter.joules(so_far.windows[-1].start_s, so_far.windows[-1].end_s)  # waits for its readings
    edges: list[Window] = [(window.start_s, window.end_s) for window in so_far.windows]
    every = meter.joules_again(edges, idle_stable=idle.stable if len(watts) > 1 else None)
    return Execution(
        asked=asked,
        source=meter.info,
        note=meter.note,
        reading_s=reading_s,
        idle=idle,
        idle_w=tuple(watts),
        windows=tuple(
            replace(window, joules=joules) for window, joules in zip(so_far.windows, every, strict=True)
        ),
        left_running=tuple(dict.fromkeys(so_far.left_running)),
        exit_code=so_far.exit_code,
        ended_early=so_far.ended_early,
        self_test=tested[0],
        lag=tested[1],
    )


# Windows ---------------------------------------------------------------------------------------------


def _run_all(asked: ExecAsked, meter: Meter, so_far: _SoFar, reading_s: float, say: Say) -> None:
    """Hold window after window until everything is run, or something asks for an end."""
    hold = _Holding(asked, meter, so_far, least_s=(LEAST_READINGS + 2) * reading_s)
    for block, position, arm in _order(asked, hold):
        meter.cool_down(rest_s=REST_READINGS * reading_s, limit_s=0.0)
        say(hold.words(block, arm))
        hold.window(block, position, arm)
        if so_far.ended_early is not None:
            return


class _Holding:
    """How windows are held."""

    def __init__(self, asked: ExecAsked, meter: Meter, so_far: _SoFar, *, least_s: float) -> None:
        self._asked, self._meter, self._so_far, self._least_s = asked, meter, so_far, least_s
        self.runs_left = None if asked.baseline else asked.repeat or 1
        """Of the command; None: as many as the windows take."""
        self._is_single = self.runs_left == 1

    def words(self, block: int, arm: str) -> str:
        """What is about to be run."""
        argv = self._asked.argv if arm == COMMAND else self._asked.baseline or ()
        return f"window {block}: {' '.join(argv)}"

    def window(self, block: int, position: int, arm: str) -> None:
        """Hold one; whatever asks for an end is noted."""
        argv = self._asked.argv if arm == COMMAND else self._asked.baseline or ()
        mark, runs = child.new_mark(), list[ChildRun]()
        opened_s = self._meter.edge()
        while not runs or not self._is_enough(runs):
            runs.append(child.run_once(argv, mark=mark, has_stdin=self._is_single))
            if self.runs_left is not None:
                self.runs_left -= 1
            if runs[-1].exit_code or runs[-1].stopped_by:
                break
        closed_s = self._meter.edge()
        last = runs[-1]
        if last.stopped_by:
            _interrupted(self._so_far, last.stopped_by)
            if len(runs) > 1 or self._so_far.windows:  # a run that was cut short is no repeat
                runs.pop()
                closed_s = None
        elif last.exit_code:
            self._so_far.exit_code = last.exit_code
            if not self._is_single:
                self._so_far.ended_early = f"{argv[0]} ended with exit code {last.exit_code}"
        self._so_far.left_running += child.left_running(mark)
        if runs:
            held = CommandWindow(
                block=block,
                position=position,
                arm=arm,
                start_s=opened_s or runs[0].start_s,
                end_s=closed_s or runs[-1].end_s,
                runs=tuple(runs),
            )
            self._so_far.windows.append(held)

    def _is_enough(self, runs: Sequence[ChildRun]) -> bool:
        """Long enough for its joules, and enough runs left for another window, or none."""
        if self.runs_left == 0:
            return True
        is_long = self._is_single or runs[-1].end_s - runs[0].start_s >= self._least_s
        return is_long and (self.runs_left is None or self.runs_left >= len(runs))


def _order(asked: ExecAsked, hold: _Holding) -> Iterator[tuple[int, int, str]]:
    """Block, position and what is held: windows of the command, or blocks of it and of the baseline twice."""
    if asked.baseline is None:
        block = 0
        while hold.runs_left:
            block += 1
            yield block, block, COMMAND
        return
    arms = [Arm(backend=name, gate="") for name in (BASELINE, COMMAND, COPY)]
    blocks = -(-(asked.repeat or WITH_BASELINE) // 2)
    position = 0
    for planned in make_blocks(arms, count=blocks, seed=0):
        for slot in planned:
            position += 1
            yield slot.block, position, slot.arm.backend


def _interrupted(so_far: _SoFar, number: int) -> None:
    so_far.exit_code, so_far.is_interrupted = 128 + number, True
    name = "Ctrl-C" if number == signal.SIGINT else signal.Signals(number).name
    so_far.ended_early = f"ended by {name}"
