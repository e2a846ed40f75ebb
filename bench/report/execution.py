"""What an execution answers: joules, seconds and watts a run, and whether the command saves."""

from __future__ import annotations

import shlex
from dataclasses import dataclass

from analysis.arms import Level, level
from analysis.blocks import Amount
from analysis.contrast import Held, judge
from analysis.rows import Slot
from analysis.values import Withheld
from analysis.verdict import Judgement
from analysis.words import listed
from bench.report.slots import Idle
from bench.run.execution import BASELINE, COMMAND, COPY, CommandWindow, Execution
from bench.show.safe_text import one_line

LONGEST_NAME = 40


@dataclass(frozen=True, kw_only=True)
class CommandRow:
    """The figures of one command, per run of it; None is not measured."""

    name: str
    argv: tuple[str, ...]
    runs: int
    windows: int
    exit_codes: tuple[int, ...]
    """Different ones, in the order in which they came."""
    joules: Level | None
    bound_j: float | None
    """Mean of the bounds of its windows, per run: so near lies the true mean, if the meter is right."""
    net: Level | None
    """Joules above idle."""
    seconds: Level | None
    cpu_s: float
    """Mean CPU time of a run's processes."""
    withheld: str | None
    """Why there are no joules."""
    grade: int
    grade_name: str
    grade_reasons: tuple[str, ...]

    @property
    def mean_w(self) -> float | None:
        """Mean watts."""
        return self.joules.point / self.seconds.point if self.joules and self.seconds else None


@dataclass(frozen=True, kw_only=True)
class ExecAnswer:
    """What an execution answers."""

    execution: Execution
    rows: tuple[CommandRow, ...]
    """The command, and the baseline if there is one."""
    judgement: Judgement | None
    """On the joules of the command against those of the baseline."""


def answer_of(execution: Execution) -> ExecAnswer:
    """The figures of an execution."""
    slots = [_slot(window, execution, position) for position, window in enumerate(execution.windows)]
    asked = execution.asked
    rows = [_row(execution, slots, asked.argv, (COMMAND,))]
    judgement = None
    if asked.baseline is not None:
        rows.append(_row(execution, slots, asked.baseline, (BASELINE, COPY)))
        mine, theirs = (Held(slots=slots, arm=arm, plain=BASELINE, again=COPY) for arm in (COMMAND, BASELINE))
        judgement = judge(mine, theirs)
    return ExecAnswer(execution=execution, rows=tuple(row for row in rows if row.runs), judgement=judgement)


def _slot(window: CommandWindow, execution: Execution, position: int) -> Slot:
    joules, seconds_s = window.joules, window.end_s - window.start_s
    assert joules is not None, "of an execution that has ended"
    return Slot(
        run="exec",
        block=window.block,
        position=position,
        arm=window.arm,
        backend="exec",
        gate=window.arm,
        requests=len(window.runs),
        prompt_tokens=0,
        new_tokens=0,
        forwards=0,
        seconds_s=seconds_s,
        gross_j=joules.total_j,
        net_j=Idle(list(execution.idle_w)).net_j(joules.total_j, seconds_s=seconds_s),
        boundary=joules.boundary,
        kind=joules.kind,
        grade=joules.grade,
        readings=joules.readings,
        thermal=joules.thermal,
    )


def _row(execution: Execution, slots: list[Slot], argv: tuple[str, ...], arms: tuple[str, ...]) -> CommandRow:
    windows = [window for window in execution.windows if window.arm in arms]
    every = [window.joules for window in windows if window.joules is not None]
    runs = [run for window in windows for run in window.runs]
    there = [arm for arm in arms if any(slot.arm == arm for slot in slots)]
    mine = [slot for slot in slots if slot.arm in there]
    bounds = [j.bound_j / len(w.runs) for w, j in zip(windows, every, strict=True) if j.bound_j is not None]
    gross = level(mine, there, amount="gross_j", per="request") if there else None
    why = [one.withheld for one in every if one.withheld]
    if isinstance(gross, Withheld) and not why:
        why = [gross.reason]
    lowest = min(every, key=lambda one: one.grade, default=None)
    return CommandRow(
        name=one_line(shlex.join(argv))[:LONGEST_NAME],
        argv=argv,
        runs=len(runs),
        windows=len(windows),
        exit_codes=tuple(dict.fromkeys(run.exit_code for run in runs)),
        joules=_level(mine, there, "gross_j"),
        bound_j=sum(bounds) / len(bounds) if bounds else None,
        net=_level(mine, there, "net_j"),
        seconds=_level(mine, there, "seconds_s"),
        cpu_s=sum(run.cpu_s for run in runs) / max(1, len(runs)),
        withheld=listed(list(dict.fromkeys(why))) or None,
        grade=lowest.grade if lowest else 0,
        grade_name=lowest.grade_name if lowest else "",
        grade_reasons=tuple(lowest.grade_reasons) if lowest else (),
    )


def _level(slots: list[Slot], arms: list[str], amount: Amount) -> Level | None:
    known = level(slots, arms, amount=amount, per="request") if arms else None
    return known if isinstance(known, Level) else None
