"""Tables of the page: one content, shown as HTML, CSV and Markdown."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from bench.show.files import csv_text
from bench.show.safe_text import markdown_cell, visible

if TYPE_CHECKING:
    import pandas as pd

NOTHING = "\u2013"
"""What stands for a value that was not measured."""
MOST_ROWS = 200
"""Shown of a long table; its CSV has them all."""
_BEGINS_NUMBER = (*"0123456789+-±.", NOTHING)


@dataclass(frozen=True, kw_only=True)
class Table:
    """Rows under named columns; the first column names the row. None is a value that was not measured."""

    name: str
    """Stem of its files."""
    title: str
    columns: tuple[str, ...]
    rows: Sequence[Sequence[Any]]
    most_rows: int = MOST_ROWS

    @property
    def shown(self) -> list[list[str]]:
        """The cells of the first rows, as they are read."""
        return [[shown(value) for value in row] for row in self.rows[: self.most_rows]]

    @property
    def numeric(self) -> list[bool]:
        """Which columns hold nothing but numbers."""
        cells = self.shown
        return [
            column > 0 and all(row[column].startswith(_BEGINS_NUMBER) for row in cells)
            for column in range(len(self.columns))
        ]

    @property
    def rest(self) -> str | None:
        """That rows are left out, if they are."""
        if len(self.rows) <= self.most_rows:
            return None
        return f"The first {self.most_rows} of {len(self.rows)} rows; {self.name}.csv has them all."


def of_frame(name: str, title: str, frame: pd.DataFrame) -> Table:
    """The table of a DataFrame; its index is left out."""
    plain = frame.astype(object).where(frame.notna(), None)
    return Table(
        name=name,
        title=title,
        columns=tuple(map(str, frame.columns)),
        rows=[list(row) for row in plain.itertuples(index=False)],
    )


def shown(value: Any) -> str:
    """A cell as it is read: four digits, and a dash for what was not measured."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return NOTHING
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return _digits(value)
    return visible(value, lines=True)


def to_csv(table: Table) -> bytes:
    """Every row, values as they are; nothing in it is a formula."""
    return csv_text(table.columns, table.rows).encode()


def to_markdown(table: Table) -> bytes:
    """The rows that are shown, under the title."""
    lines = [_line(table.columns), _line(["---:" if n else "---" for n in table.numeric], escape=False)]
    lines += [_line(row) for row in table.shown]
    note = [table.rest, ""] if table.rest else []
    return "\n".join([f"**{markdown_cell(table.title)}**", "", *lines, "", *note]).encode()


def _line(cells: Sequence[str], *, escape: bool = True) -> str:
    return "| " + " | ".join(markdown_cell(cell) if escape else cell for cell in cells) + " |"


def _digits(value: float) -> str:
    if value == 0 or not math.isfinite(value):
        return f"{value:g}"
    if abs(value) >= 1e6 or abs(value) < 1e-4:
        return f"{value:.3e}"
    return f"{value:.{max(0, 3 - math.floor(math.log10(abs(value))))}f}"
