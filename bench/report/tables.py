"""A run's tables: on the terminal, and as CSV and Parquet in its `report/` folder."""

from __future__ import annotations

import io
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.console import Console

from analysis.words import counted
from bench.report.answer_table import show_answer
from bench.report.arm_row import COLUMNS
from bench.report.arm_tables import (
    certainty_table,
    latency_table,
    narrow_table,
    savings_table,
    split_table,
    withheld_splits,
    work_table,
)
from bench.report.slots import Idle
from bench.report.story import Story
from bench.report.summary import Summary
from bench.run.store import StoredRun
from bench.show import rates, table
from bench.show.files import csv_text, together
from bench.show.safe_text import storable
from bench.show.table import say

STEM = "configurations"
"""Of the files with a row per configuration."""


def show(story: Story, console: Console, *, everything: bool = False) -> None:
    """Print what a run answers.

    Args:
        story: the run.
        console: where to.
        everything: print every table too, and whatever could overturn them.
    """
    show_answer(story.answer, console, every=everything)
    say(console, *story.at_given_rates)
    run, warnings = story.readback.run, story.summary.warnings
    if everything:
        show_all(run, story.summary, story.readback.idle, console)
    elif warnings:
        say(console, f"{counted(len(warnings), 'warning')}, and every table: bench report {run.folder} --all")


def show_all(run: StoredRun, summary: Summary, idle: Idle, console: Console) -> None:
    """Print the tables and whatever could overturn them."""
    if not summary.rows:
        say(console, "nothing was measured")
    else:
        arms = [work_table(summary), savings_table(summary)]
        table.show(arms, console, narrow=[narrow_table(summary)])
        for part in (latency_table(summary), certainty_table(summary), split_table(summary)):
            if part is not None:
                table.show([part], console)
        for arm, reason in withheld_splits(summary):
            say(console, f"where the saving of {arm} comes from is not estimated: {reason}")
    if idle.known_w:
        say(console, _idle_line(idle))
    graded_1 = [row for row in summary.rows if row.grade == 1]
    say(console, *(f"! {row.label} is graded 1: {'; '.join(row.grade_reasons)}" for row in graded_1))
    say(console, *(f"! {warning}" for warning in summary.warnings))
    show_folder(run, console)


def show_folder(run: StoredRun, console: Console) -> None:
    """Print where the run is."""
    say(console, f"run: {run.folder}", whole=True)


def write(run: StoredRun, summary: Summary) -> list[Path]:
    """Write `report/configurations.csv` and `.parquet`; returns their paths.

    They can be made again at any time, so they are replaced; each appears whole or not at all.
    """
    folder = run.folder / "report"
    contents = files(summary)
    with together(folder, instead="the run itself is kept") as staging:
        for name, content in contents.items():
            (staging / name).write_bytes(content)
    return [folder / name for name in contents]


def to_json(story: Story) -> dict[str, Any]:
    """The same for programs."""
    summary = story.summary
    return {
        **({"at_given_rates": _at(story)} if story.at else {}),
        "event": "result",
        "run": str(story.readback.run.folder),
        "answer": asdict(story.answer),
        "rows": [row.named() for row in summary.rows],
        "warnings": summary.warnings,
    }


def _at(story: Story) -> list[dict[str, Any]]:
    return rates.to_json(story.at, story.million_tokens, what=rates.MILLION_TOKENS)


def files(summary: Summary) -> dict[str, bytes]:
    """Contents of `configurations.csv` and `.parquet`: a row each, with every figure as it is."""
    return {f"{STEM}.csv": rows_csv(summary), f"{STEM}.parquet": _parquet(summary)}


def rows_csv(summary: Summary) -> bytes:
    """A row per configuration with every figure as it is."""
    return csv_text(COLUMNS, [row.named() for row in summary.rows]).encode()


def _idle_line(idle: Idle) -> str:
    low, high = min(idle.known_w), max(idle.known_w)
    stable = "stable" if idle.judged.stable else f"NOT stable: {idle.judged.reason}"
    return f"idle {idle.judged.mean_w:.2f} W ({low:.2f} to {high:.2f} in {len(idle.watts)} windows, {stable})"


def _parquet(summary: Summary) -> bytes:
    import pyarrow as pa
    import pyarrow.parquet as pq

    sink = io.BytesIO()
    rows = [{name: storable(value) for name, value in row.named().items()} for row in summary.rows]
    pq.write_table(pa.Table.from_pylist(rows), sink)
    return sink.getvalue()
