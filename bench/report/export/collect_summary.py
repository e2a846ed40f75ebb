"""A data set summed up: a line per machine, suite and configuration, by column, so its size is no matter."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
from rich.console import Console

from analysis.values import NOT_ESTIMATED
from analysis.words import counted
from bench.report.export.collect import Collected
from bench.show import table
from bench.show.table import Column, Table, say
from bench.show.words import kind_label, significant

GROUP = ("chip", "gpu_cores", "suite", "configuration", "boundary", "kind", "grade")
"""Slots that differ in any of these are never summed."""
SUMS = ("requests", "generated_tokens", "seconds_s", "gross_j")
MOST_LINES = 60


def _machine(row: dict[str, Any]) -> str:
    return f"{row['chip'] or 'unknown'}" + (f", {row['gpu_cores']} GPU cores" if row["gpu_cores"] else "")


def summarise(file: Path) -> list[dict[str, Any]]:
    """One row per group, in the order of `GROUP`. Joules are None where a slot of the group has none."""
    table = pq.read_table(file, columns=[*GROUP, "run", *SUMS])
    sums = [*((name, "sum") for name in SUMS), ("gross_j", "count"), ("run", "count_distinct")]
    grouped = table.group_by(list(GROUP)).aggregate([*sums, ([], "count_all")])
    grouped = grouped.sort_by([(name, "ascending") for name in GROUP])
    return [_row(row) for row in grouped.to_pylist()]


def show(collected: Collected, rows: list[dict[str, Any]], console: Console) -> None:
    """Print the summary and what had to be left out."""
    kinds = kind_label(row["kind"] for row in rows)
    what = f"{counted(collected.runs, 'run')}, {counted(collected.slots, 'window')}"
    title = f"{what}; joules gross, {kinds}"
    table.show([Table.of(_COLUMNS, rows[:MOST_LINES], title=title)], console)
    if len(rows) > MOST_LINES:
        say(console, f"and {len(rows) - MOST_LINES} more lines: --json has all")
    if collected.without_whole_block:
        left_out = counted(len(collected.without_whole_block), "run")
        say(console, f"! left out, because no block of it is whole: {left_out}")
    line = f"wrote {collected.file}; judge claims on it: bench reproduce --run {collected.file}"
    say(console, line, whole=True)


def _row(sums: dict[str, Any]) -> dict[str, Any]:
    complete = sums["gross_j_count"] == sums["count_all"]
    gross_j = sums["gross_j_sum"] if complete else None
    requests, tokens = sums["requests_sum"], sums["generated_tokens_sum"]
    return {
        **{name: sums[name] for name in GROUP},
        "runs": sums["run_count_distinct"],
        "windows": sums["count_all"],
        "requests": requests,
        "generated_tokens": tokens,
        "seconds_s": sums["seconds_s_sum"],
        "gross_j": gross_j,
        "joules_per_request": _per(gross_j, requests),
        "joules_per_token": _per(gross_j, tokens),
    }


def _per(joules: float | None, count: int | None) -> float | None:
    """None where there are no joules, or none of what they are for."""
    return joules / count if joules is not None and count else None


_COLUMNS: tuple[Column[dict[str, Any]], ...] = (
    Column("configuration", lambda row: row["configuration"]),
    Column("machine", _machine, is_text=True),
    Column("suite", lambda row: row["suite"], is_text=True),
    Column("boundary", lambda row: row["boundary"], is_text=True),
    Column("grade", lambda row: f"{row['grade']} {row['kind']}", is_text=True),
    Column("runs", lambda row: row["runs"]),
    Column("windows", lambda row: row["windows"], is_under=True),
    Column("requests", lambda row: row["requests"]),
    Column("generated tokens", lambda row: row["generated_tokens"], is_under=True),
    Column("J/request", lambda row: significant(row["joules_per_request"]) or NOT_ESTIMATED),
    Column("J/token", lambda row: significant(row["joules_per_token"]) or NOT_ESTIMATED, is_under=True),
)
