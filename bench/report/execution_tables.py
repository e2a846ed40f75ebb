"""An execution on the terminal and as JSON."""

from __future__ import annotations

import math
import shlex
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from rich.console import Console

from analysis.arms import Level
from analysis.effect import FEWEST_BLOCKS
from analysis.values import NOT_ESTIMATED, Estimate
from analysis.verdict import Judgement
from bench.report.execution import CommandRow, ExecAnswer
from bench.run.execution import Execution
from bench.show import rates, table
from bench.show.rates import Rate
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
from energy.base import is_nominal
from energy.cadence import LEAST_READINGS

SCHEMA = 1
A_RUN = "A run"


def show(answer: ExecAnswer, console: Console, *, at: Sequence[Rate] = ()) -> None:
    """Print the table, the verdict, what the figures rest on, and what they cost by the user's numbers."""
    execution, first = answer.execution, answer.rows[0]
    table.show([_table(answer)], console)
    say(console, *rates.lines(at, _a_run(answer), what=A_RUN, kinds=[execution.source.kind]))
    if answer.judgement is not None:
        say(console, sentence(answer), style="bold")
        say(console, f"Noise of this machine (A/A, 95 %): {_noise(answer.judgement)}.")
    for row in answer.rows:
        if row.withheld:
            say(console, f"{row.name}: no joules, {row.withheld}{_more_runs(row, execution)}")
    if execution.idle_w:
        say(console, _idle(execution))
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
        change = f" {short_percent(100 * abs(1 - judged.point))} {more} joules"
    if judged.ratio is not None:
        low, high = sorted((100 * (1 - judged.ratio.low), 100 * (1 - judged.ratio.high)))
        change += f" (saves {percent_range(low, high)}, 95 %)"
    took = f"it takes{change}{kind}: " if change else ""
    return f"Against the baseline {took}{judged.verdict}; {judged.reason}."


def _noise(judged: Judgement) -> str:
    if judged.noise_floor is None or judged.blocks < FEWEST_BLOCKS:
        return NOT_ESTIMATED
    return short_percent(100 * judged.noise_floor) or NOT_ESTIMATED


def _idle(execution: Execution) -> str:
    watts = ", ".join(f"{watts:.2f} W" for watts in execution.idle_w if watts is not None)
    steady = "" if execution.idle.stable else f"; nothing is taken off: {execution.idle.reason}"
    return f"idle before and after: {watts or 'not measured'}{steady}"


def cautions(execution: Execution) -> list[str]:
    """What could turn the figures round."""
    found = [execution.ended_early] if execution.ended_early else []
    hot = {one.joules.thermal for one in execution.windows if one.joules and one.joules.thermal}
    if hot := {state for state in hot if not is_nominal(state)}:
        found.append(f"thermal pressure was {', '.join(sorted(hot))}: the machine may have been slowed down")
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
