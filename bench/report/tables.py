"""A run's tables: on the terminal, and as CSV and Parquet in its `report/` folder."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from analysis.verdict import INACTIVE
from bench.report import split_tables
from bench.report.readback import Idle
from bench.report.summary import COLUMNS, ArmRow, Summary
from bench.run.store import StoredRun
from bench.show import words
from bench.show.files import csv_text, together
from bench.show.safe_text import visible


def show(run: StoredRun, summary: Summary, console: Console) -> None:
    """Print the tables and whatever could overturn them."""
    if not summary.rows:
        console.print("nothing was measured", markup=False)
    else:
        for table in _tables(summary, console):
            console.print(table)
        split_tables.show(summary.splits, console)
    if summary.idle.known_w:
        console.print(_idle_line(summary.idle), markup=False, highlight=False)
    for warning in summary.warnings:
        console.print(f"! {visible(warning)}", markup=False, highlight=False)
    show_folder(run, console)


def show_folder(run: StoredRun, console: Console) -> None:
    """Print where the run is."""
    console.print(f"run: {run.folder}", markup=False, highlight=False, soft_wrap=True)


def write(run: StoredRun, summary: Summary) -> list[Path]:
    """Write `report/arms.csv` and `report/arms.parquet`; returns their paths.

    They can be made again at any time, so they are replaced; each appears whole or not at all.
    """
    folder = run.folder / "report"
    contents = files(summary)
    with together(folder, instead="the run itself is kept") as staging:
        for name, content in contents.items():
            (staging / name).write_bytes(content)
    return [folder / name for name in contents]


def to_json(run: StoredRun, summary: Summary) -> dict[str, Any]:
    """The same for programs."""
    rows = [asdict(row) for row in summary.rows]
    return {"event": "result", "run": str(run.folder), "rows": rows, "warnings": summary.warnings}


def files(summary: Summary) -> dict[str, bytes]:
    """Contents of `arms.csv` and `arms.parquet`, a row per arm with every figure as it is."""
    rows = csv_text(COLUMNS, map(asdict, summary.rows))
    return {"arms.csv": rows.encode(), "arms.parquet": _parquet(summary)}


def _idle_line(idle: Idle) -> str:
    low, high = min(idle.known_w), max(idle.known_w)
    stable = "stable" if idle.judged.stable else f"NOT stable: {idle.judged.reason}"
    return f"idle {idle.judged.mean_w:.2f} W ({low:.2f} to {high:.2f} in {len(idle.watts)} windows, {stable})"


def _tables(summary: Summary, console: Console) -> list[Table]:
    """Work and energy by arm; on a narrow terminal a list per arm, because a cut number says nothing."""
    work = f"Work per pass of {summary.rows[0].prompts} prompts"
    kinds = words.kind_label(row.energy_kind for row in summary.rows)
    energy = f"Energy per pass, {kinds}"
    if console.width >= words.WIDE:
        return [_wide(work, _WORK, summary.rows), _wide(energy, _ENERGY, summary.rows)]
    label = f"per pass, joules {kinds}"
    return [_list(row, label) for row in summary.rows]


def _wide(title: str, columns: Sequence[Column], rows: Sequence[ArmRow]) -> Table:
    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("arm", no_wrap=True)
    for heading, _ in columns:
        is_text = heading in ("verdict", "grade")
        table.add_column(
            heading,
            justify="left" if is_text else "right",
            max_width=12 if is_text else None,
            no_wrap=heading in ("J gross", "J saved"),
        )
    for row in rows:
        table.add_row(_arm(row), *(cell(row) or "-" for _, cell in columns))
    return table


def _list(row: ArmRow, label: str) -> Table:
    table = Table(_arm(row), label, title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
    for heading, cell in (*_ENERGY, *_WORK):
        if shown := cell(row):
            table.add_row(heading.replace("\n", " / "), shown.replace("\n", " / "))
    return table


def _arm(row: ArmRow) -> str:
    return escape(visible(row.label))


def _saved(row: ArmRow) -> str | None:
    """The saving, with its interval where there is one."""
    point = words.percent(row.joules_saved_percent, signed=True)
    if point is None or row.saved_low_percent is None or row.saved_high_percent is None:
        return point
    return f"{point}\n({row.saved_low_percent:+.1f} to {row.saved_high_percent:+.1f})"


Column = tuple[str, Callable[[ArmRow], str | None]]
_WORK: tuple[Column, ...] = (
    ("to small", lambda row: str(row.routed_to_small)),
    ("new tokens", lambda row: f"{row.new_tokens:.0f}"),
    ("forwards", lambda row: f"{row.forwards:.0f}"),
    ("prefill tok/s", lambda row: words.number(row.prefill_tokens_per_s, 1)),
    ("decode tok/s", lambda row: words.number(row.decode_tokens_per_s, 1)),
    ("seconds", lambda row: f"{row.seconds:.1f}"),
    ("tokens saved", lambda row: words.percent(row.tokens_saved_percent, signed=True)),
    ("bytes saved", lambda row: words.percent(row.bytes_saved_percent, signed=True)),
    ("agreement", lambda row: INACTIVE if row.verdict == INACTIVE else words.percent(row.agreement_percent)),
)
_ENERGY: tuple[Column, ...] = (
    ("J gross", lambda row: words.with_bound(row.joules_gross, row.joules_bound)),
    ("J net", lambda row: words.joules(row.joules_net)),
    ("J/new token\nJ/total token", lambda row: _per_token(row)),
    ("J saved", lambda row: _saved(row)),
    ("A/A floor", lambda row: words.percent(row.noise_floor_percent)),
    ("blocks", lambda row: str(row.blocks) if row.blocks else None),
    ("verdict", lambda row: row.verdict),
    ("grade", lambda row: f"{row.grade} {row.grade_name}" if row.grade is not None else None),
)


def _per_token(row: ArmRow) -> str | None:
    found = [words.significant(joules) for joules in (row.joules_per_new_token, row.joules_per_total_token)]
    return "\n".join(joules or "-" for joules in found) if any(found) else None


def _parquet(summary: Summary) -> bytes:
    import pyarrow as pa
    import pyarrow.parquet as pq

    sink = io.BytesIO()
    pq.write_table(pa.Table.from_pylist([asdict(row) for row in summary.rows]), sink)
    return sink.getvalue()
