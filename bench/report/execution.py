"""What an execution answers: joules, seconds and watts a run, and whether the command saves."""

from __future__ import annotations

import math
import shlex
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from rich.console import Console

from analysis.arms import Level, level
from analysis.blocks import Amount
from analysis.contrast import Held, judge
from analysis.rows import Slot
from analysis.values import Estimate, listed
from analysis.verdict import Judgement
from bench.report.readback import Idle
from bench.run.execution import BASELINE, COMMAND, COPY, CommandWindow, Execution
from bench.show import rates, table
from bench.show.rates import Rate
from bench.show.safe_text import one_line
from bench.show.table import Column, Table, say
from bench.show.words import (
    bound,
    joules,
    kind_label,
    number,
    percent_range,
    short_percent,
    significant_range,
)
from energy.cadence import LEAST_READINGS

SCHEMA = 1
LONGEST_NAME = 40
A_RUN = "A run"


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
    found, seconds_s = window.joules, window.end_s - window.start_s
    assert found is not None, "of an execution that has ended"
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
        gross_j=found.total_j,
        net_j=Idle(list(execution.idle_w)).net_j(found.total_j, seconds_s=seconds_s),
        boundary=found.boundary,
        kind=found.kind,
        grade=found.grade,
        readings=found.readings,
        thermal=found.thermal,
    )


def _row(execution: Execution, slots: list[Slot], argv: tuple[str, ...], arms: tuple[str, ...]) -> CommandRow:
    windows = [window for window in execution.windows if window.arm in arms]
    every = [window.joules for window in windows if window.joules is not None]
    runs = [run for window in windows for run in window.runs]
    there = [arm for arm in arms if any(slot.arm == arm for slot in slots)]
    mine = [slot for slot in slots if slot.arm in there]
    bounds = [j.bound_j / len(w.runs) for w, j in zip(windows, every, strict=True) if j.bound_j is not None]
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
        withheld=listed(list(dict.fromkeys(one.withheld for one in every if one.withheld))) or None,
        grade=lowest.grade if lowest else 0,
        grade_name=lowest.grade_name if lowest else "",
        grade_reasons=tuple(lowest.grade_reasons) if lowest else (),
    )


def _level(slots: list[Slot], arms: list[str], amount: Amount) -> Level | None:
    found = level(slots, arms, amount=amount, per="request") if arms else None
    return found if isinstance(found, Level) else None


# On a terminal ---------------------------------------------------------------------------------------


def show(answer: ExecAnswer, console: Console, *, at: Sequence[Rate] = ()) -> None:
    """Print the table, the verdict, what the figures rest on, and what they cost by the user's numbers."""
    execution, first = answer.execution, answer.rows[0]
    table.show([_table(answer)], console)
    say(console, *rates.lines(at, _a_run(answer), what=A_RUN, kinds=[execution.source.kind]))
    if answer.judgement is not None:
        say(console, sentence(answer), style="bold")
    for row in answer.rows:
        if row.withheld:
            say(console, f"{row.name}: no joules, {row.withheld}{_more_runs(row, execution)}")
    idle = ", ".join(f"{watts:.2f} W" for watts in execution.idle_w if watts is not None)
    steady = "" if execution.idle.stable else f"; nothing is taken off: {execution.idle.reason}"
    say(console, f"idle before and after: {idle or 'not measured'}{steady}")
    source = execution.source
    say(console, f"joules of {source.name}: {kind_label([source.kind])}; {execution.note}")
    reasons = "; ".join(first.grade_reasons)
    say(console, f"grade {first.grade} {first.grade_name}{': ' + reasons if reasons else ''}")
    for line in cautions(execution):
        say(console, f"! {line}")


def sentence(answer: ExecAnswer) -> str:
    """What the verdict says, with its reason."""
    judged = answer.judgement
    assert judged is not None, "of an execution with a baseline"
    is_measured = answer.execution.source.kind == "measured"
    change, kind = "", "" if is_measured else f", as {answer.execution.source.kind}"
    if judged.point is not None:
        more = "less" if judged.point <= 1 else "more"
        change = f" {short_percent(100 * abs(1 - judged.point))} {more}"
    if judged.ratio is not None:
        low, high = sorted((100 * (1 - judged.ratio.low), 100 * (1 - judged.ratio.high)))
        change += f" (saves {percent_range(low, high)}, 95 %)"
    took = f"Against the baseline it takes{change or ' not known'} joules{kind}"
    return f"{took}: {judged.verdict}; {judged.reason}."


def cautions(execution: Execution) -> list[str]:
    """What could turn the figures round."""
    found = [execution.ended_early] if execution.ended_early else []
    if execution.left_running:
        left = ", ".join(execution.left_running)
        found.append(f"left running, its joules after the command's end are not counted: {left}")
    return found


def _a_run(answer: ExecAnswer) -> dict[str, float | None]:
    return {row.name: _point(row.joules) for row in answer.rows}


def _more_runs(row: CommandRow, execution: Execution) -> str:
    """What to type where a run is too short for the meter."""
    if row.seconds is None or row.seconds.point >= LEAST_READINGS * execution.reading_s:
        return ""
    needed = math.ceil((LEAST_READINGS + 2) * execution.reading_s / row.seconds.point)
    return f", with --repeat {needed} or more"


def _table(answer: ExecAnswer) -> Table:
    is_repeated = any(row.windows > 1 for row in answer.rows)
    columns: list[Column[CommandRow]] = [
        Column("", lambda row: row.name, is_text=True),
        Column("J a run\n95 %" if is_repeated else "J", lambda row: _with_interval(row.joules)),
        Column("±", lambda row: bound(_point(row.joules), row.bound_j)),
        Column("above\nidle, J", lambda row: joules(_point(row.net))),
        Column("seconds\n95 %" if is_repeated else "seconds", lambda row: _with_interval(row.seconds)),
        Column("W", lambda row: number(row.mean_w, 2)),
        Column("CPU s", lambda row: number(row.cpu_s, 2)),
        Column("exit", lambda row: ", ".join(map(str, row.exit_codes))),
    ]
    if is_repeated:
        columns.append(Column("runs", lambda row: row.runs))
    return Table.of(columns, answer.rows, title="", is_tight=True)


def _point(found: Level | None) -> float | None:
    return None if found is None else found.point


def _with_interval(found: Level | None) -> str | None:
    if found is None:
        return None
    low, high = (found.interval.low, found.interval.high) if found.interval else (None, None)
    words = significant_range(found.point, low, high)
    return words and (f"{words[0]}\n({words[1]})" if words[1] else words[0])


# For programs ----------------------------------------------------------------------------------------


def to_json(answer: ExecAnswer, *, at: Sequence[Rate] = ()) -> dict[str, Any]:
    """Everything that is shown and every window; null is not measured. Joules and seconds are per run."""
    execution, judged = answer.execution, answer.judgement
    return {
        "schema": SCHEMA,
        "at_given_rates": rates.to_json(at, _a_run(answer), what=A_RUN),
        "results": [_row_json(row) for row in answer.rows],
        "comparison": None
        if judged is None
        else {
            "verdict": judged.verdict,
            "reason": judged.reason,
            "ratio": judged.point,
            "interval": _interval(judged.ratio),
            "noise": judged.noise_floor,
            "threshold": judged.threshold,
            "blocks": judged.blocks,
            "blocks_to_settle": judged.blocks_to_settle,
        },
        "energy": {**asdict(execution.source), "note": execution.note, "reading_s": execution.reading_s},
        "idle": {"watts": list(execution.idle_w), **asdict(execution.idle)},
        "self_test": execution.self_test and execution.self_test.outcome,
        "lag": execution.lag and execution.lag.lag and asdict(execution.lag.lag),
        "exit_code": execution.exit_code,
        "ended_early": execution.ended_early,
        "left_running": list(execution.left_running),
        "windows": [asdict(window) for window in execution.windows],
    }


def _row_json(row: CommandRow) -> dict[str, Any]:
    figures = {
        name: None if found is None else {"mean": found.point, "interval": _interval(found.interval)}
        for name, found in (("joules", row.joules), ("net_joules", row.net), ("seconds", row.seconds))
    }
    return {
        "command": shlex.join(row.argv),
        "argv": list(row.argv),
        "runs": row.runs,
        "windows": row.windows,
        "exit_codes": list(row.exit_codes),
        **figures,
        "bound_j": row.bound_j,
        "mean_w": row.mean_w,
        "cpu_s": row.cpu_s,
        "grade": row.grade,
        "grade_name": row.grade_name,
        "grade_reasons": list(row.grade_reasons),
        "not_estimated": row.withheld,
    }


def _interval(found: Estimate | None) -> dict[str, float] | None:
    return None if found is None else {"low": found.low, "high": found.high}
