"""Tables that other commands left beside a run."""

from __future__ import annotations

import csv
from pathlib import Path

from bench.show.table import Table

_LEFT_BY = ("isolate", "sweep", "reproduce", "claims", "quality", "spectral", "redundancy")
"""How the names of such files begin, as `bench isolate --csv RUN/isolate.csv` leaves them."""


def other_tables(folder: Path) -> list[Table]:
    """CSV files that other commands left in a run folder or in its `sweep`, in order of their names."""
    files = sorted([*folder.glob("*.csv"), *folder.glob("sweep/*.csv")])
    return [_table(file, folder) for file in files if file.name.startswith(_LEFT_BY)]


def _table(file: Path, folder: Path) -> Table:
    with file.open(newline="", encoding="utf-8", errors="replace") as lines:
        columns, *rows = list(csv.reader(lines)) or [[""]]
    width = len(columns)
    return Table.plain(
        name=f"other-{file.stem}",
        title=f"From {file.relative_to(folder)}",
        headings=tuple(columns),
        rows=[[cell or None for cell in [*row, *[""] * width][:width]] for row in rows],
    )
