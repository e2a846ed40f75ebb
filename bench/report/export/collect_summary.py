"""A data set summed up: a line per machine, suite and arm. Sums by column, so its size does not matter."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import pyarrow.parquet as pq
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from analysis.values import counted
from bench.report.export.collect import Collected
from bench.show.safe_text import visible
from bench.show.words import WIDE, kind_label, significant

GROUP = ("chip", "gpu_cores", "suite", "arm", "boundary", "kind", "grade")
"""Slots that differ in any of these are never summed."""
SUMS = ("requests", "new_tokens", "seconds_s", "gross_j")
MOST_LINES = 60


Column = tuple[str, Callable[[dict[str, Any]], str]]
_WHO: tuple[Column, ...] = (
    ("machine", lambda row: _machine(row)),
    ("suite", lambda row: escape(visible(row["suite"]))),
    ("arm", lambda row: escape(visible(row["arm"]))),
    ("boundary", lambda row: row["boundary"]),
    ("grade", lambda row: f"{row['grade']} {row['kind']}"),
)
_COUNTS: tuple[Column, ...] = (
    ("runs", lambda row: str(row["runs"])),
    ("slots", lambda row: str(row["slots"])),
    ("requests", lambda row: str(row["requests"])),
    ("new\ntokens", lambda row: str(row["new_tokens"])),
)
_JOULES: tuple[Column, ...] = (
    ("J/\nrequest", lambda row: significant(row["joules_per_request"]) or "withheld"),
    ("J/new\ntoken", lambda row: significant(row["joules_per_new_token"]) or "withheld"),
)


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
    """Print the summary and what had to be left out; a narrow terminal gets no counts, but whole numbers."""
    kinds = kind_label(row["kind"] for row in rows)
    table = Table(
        title=f"{counted(collected.runs, 'run')}, {counted(collected.slots, 'slot')}; joules gross, {kinds}",
        title_justify="left",
        box=SIMPLE_HEAD,
        pad_edge=False,
    )
    columns = [*_WHO, *(_COUNTS if console.width >= WIDE else ()), *_JOULES]
    words = [name for name, _ in _WHO]
    for name, _ in columns:
        is_word = name in words
        justify: Literal["left", "right"] = "left" if is_word else "right"
        table.add_column(name, justify=justify, no_wrap=name == "arm" or not is_word, overflow="fold")
    for row in rows[:MOST_LINES]:
        table.add_row(*(cell(row) for _, cell in columns))
    console.print(table)
    notes = [f"and {len(rows) - MOST_LINES} more lines: --json has all"] if len(rows) > MOST_LINES else []
    if collected.without_whole_block:
        left_out = counted(len(collected.without_whole_block), "run")
        notes.append(f"! left out, because no block of it is whole: {left_out}")
    notes += [f"wrote {collected.file}; judge claims on it: bench reproduce --run {collected.file}"]
    for note in notes:
        console.print(note, markup=False, highlight=False, soft_wrap=True)


def _row(sums: dict[str, Any]) -> dict[str, Any]:
    complete = sums["gross_j_count"] == sums["count_all"]
    gross_j = sums["gross_j_sum"] if complete else None
    new_tokens = sums["new_tokens_sum"]
    return {
        **{name: sums[name] for name in GROUP},
        "runs": sums["run_count_distinct"],
        "slots": sums["count_all"],
        "requests": sums["requests_sum"],
        "new_tokens": new_tokens,
        "seconds_s": sums["seconds_s_sum"],
        "gross_j": gross_j,
        "joules_per_request": gross_j / sums["requests_sum"] if gross_j is not None else None,
        "joules_per_new_token": gross_j / new_tokens if gross_j is not None and new_tokens else None,
    }
