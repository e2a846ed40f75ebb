"""One table, whatever it is shown on: a terminal, a page, CSV or Markdown, from one list of columns.

A command states its columns once; `Table.of` fills them. Cells are text, numbers or None, which is a value
that was not measured. Whoever's text a cell holds, it does nothing where it is shown.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Generic, Literal, TypeVar

from bench.show.files import csv_text
from bench.show.safe_text import markdown_cell, visible

if TYPE_CHECKING:
    import pandas as pd
    from rich.console import Console
    from rich.table import Table as RichTable
    from rich.text import Text

NOTHING = "\u2013"
"""What stands for a value that was not measured; `-` on a terminal."""
MOST_ROWS = 200
"""Shown of a long table; its CSV has them all."""
TEXT_CHARACTERS = 12
"""A column of text is made no narrower than that."""
HEADING_LINES = 3
"""No heading is higher, together with those that stand below it."""
_UNBOUNDED = 10_000
"""Columns of a terminal on which every table has room."""
_BEGINS_NUMBER = (*"0123456789+-±.", NOTHING)

Place = Literal["terminal", "page"]
Row = TypeVar("Row")


@dataclass(frozen=True)
class Column(Generic[Row]):
    """A heading, and how its cells come out of what a row is about."""

    heading: str
    cell: Callable[[Row], Any]
    only: Place | None = None
    """The one place that shows it; None: all."""
    is_text: bool = False
    """On a terminal it stands at the left and may be folded; a figure stands at the right and whole."""
    is_under: bool = False
    """On a terminal it stands below the column before it."""
    style: Callable[[Row], str] | None = None
    """Colour of a cell on a terminal, from what its row is about."""


@dataclass(frozen=True, kw_only=True)
class Table:
    """Rows under columns; the first column names the row."""

    title: str
    columns: tuple[Column[Any], ...]
    rows: Sequence[Sequence[Any]]
    name: str = ""
    """Stem of its files."""
    most_rows: int = MOST_ROWS
    is_ruled: bool = False
    """On a terminal it has lines around every cell."""
    is_tight: bool = False
    """On a terminal its columns stand two spaces apart, not three."""
    heads: Mapping[int, str] = field(default_factory=dict)
    """Lines of their own on a terminal, by the number of the row that they stand above."""
    styles: Sequence[Sequence[str]] = ()
    """Colours on a terminal, by row and column; empty where nothing is coloured."""

    @classmethod
    def of(
        cls, columns: Sequence[Column[Any]], about: Iterable[Any], *, place: Place = "terminal", **named: Any
    ) -> Table:
        """The columns of a place, filled from what each row is about; `named` are the other fields."""
        here = tuple(column for column in columns if column.only in (None, place))
        ones = list(about)
        rows = [[column.cell(one) for column in here] for one in ones]
        styles = [[column.style(one) if column.style else "" for column in here] for one in ones]
        return cls(columns=here, rows=rows, styles=styles, **named)

    @classmethod
    def plain(cls, headings: Iterable[str], rows: Sequence[Sequence[Any]], **named: Any) -> Table:
        """Rows that are cells already; `named` are the other fields."""
        return cls(columns=tuple(Column(str(name), str) for name in headings), rows=rows, **named)

    @classmethod
    def of_frame(cls, frame: pd.DataFrame, **named: Any) -> Table:
        """The table of a DataFrame; its index is left out."""
        known = frame.astype(object).where(frame.notna(), None)
        return cls.plain(frame.columns, [list(row) for row in known.itertuples(index=False)], **named)

    @property
    def headings(self) -> tuple[str, ...]:
        """Of the columns."""
        return tuple(column.heading for column in self.columns)

    @property
    def shown(self) -> list[list[str]]:
        """The cells of the first rows, as they are read."""
        return [[shown(value) for value in row] for row in self.rows[: self.most_rows]]

    @property
    def numeric(self) -> list[bool]:
        """Which columns hold nothing but numbers."""
        cells = self.shown
        return [
            place > 0 and not column.is_text and all(row[place].startswith(_BEGINS_NUMBER) for row in cells)
            for place, column in enumerate(self.columns)
        ]

    def style(self, row: int, column: int) -> str:
        """Colour of a cell on a terminal; empty for none."""
        return self.styles[row][column] if self.styles else ""

    @property
    def rest(self) -> str | None:
        """That rows are left out, if they are."""
        if len(self.rows) <= self.most_rows:
            return None
        return f"The first {self.most_rows} of {len(self.rows)} rows; {self.name}.csv has them all."

    def to_csv(self) -> bytes:
        """Every row, values as they are."""
        return csv_text(self.headings, self.rows).encode()

    def to_markdown(self) -> bytes:
        """The rows that are shown, under the title."""
        rule = _line("---:" if number else "---" for number in self.numeric)
        rows = [_line(map(markdown_cell, row)) for row in self.shown]
        lines = [_line(map(markdown_cell, self.headings)), rule, *rows]
        note = [self.rest, ""] if self.rest else []
        return "\n".join([f"**{markdown_cell(self.title)}**", "", *lines, "", *note]).encode()


def show(tables: Sequence[Table], console: Console, *, narrow: Sequence[Table] | None = None) -> None:
    """Print tables beside each other's width; where one has no room, as a list per row.

    A number that is cut says nothing.

    Args:
        tables: in order.
        console: where to.
        narrow: what is listed instead where there is no room; without it, the tables themselves.
    """
    if all(fits(table, console) for table in tables):
        for table in tables:
            console.print(drawn(table))
        return
    for table in tables if narrow is None else narrow:
        for number in range(len(table.rows)):
            if number in table.heads:
                console.print(table.heads[number], style="bold", markup=False, highlight=False)
            console.print(_listed(table, number))


def fits(table: Table, console: Console) -> bool:
    """Whether a terminal has room for a whole table."""
    anything = console.options.update(max_width=_UNBOUNDED)  # a measurement never exceeds what it is offered
    return console.measure(drawn(table), options=anything).minimum <= console.width


def say(console: Console, *lines: object, style: str = "", whole: bool = False) -> None:
    """Print lines as they are: nothing in them is markup, a control character is a picture of itself.

    With `whole` they are not folded: a path can be copied.
    """
    for line in lines:
        shown = visible(line, lines=True)
        console.print(shown, style=style, markup=False, highlight=False, soft_wrap=whole)


def named(lines: Iterable[tuple[str, str]]) -> RichTable:
    """Names, each beside the markup that belongs to it, with an empty line at the end."""
    from rich.table import Table as RichTable

    grid = RichTable.grid(padding=(0, 2, 0, 0))
    grid.add_column(width=12, style="dim")
    grid.add_column()
    for name, text in lines:
        grid.add_row(f"  {name}", text)
    grid.add_row()
    return grid


def shown(value: Any, *, nothing: str = NOTHING) -> str:
    """A cell as it is read: four digits, and a dash for what was not measured."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return nothing
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return _digits(value)
    return visible(value, lines=True)


def drawn(table: Table) -> RichTable:
    """The table for a terminal that has room for it; where that is not known, `show` it."""
    from rich import box
    from rich.table import Table as RichTable

    lines = box.HEAVY_HEAD if table.is_ruled else box.SIMPLE_HEAD
    apart = (0, 1, 0, 0) if table.is_tight else (0, 1)
    made = RichTable(
        title=table.title or None, title_justify="left", box=lines, pad_edge=table.is_ruled, padding=apart
    )
    tops = [number for number, column in enumerate(table.columns) if not column.is_under]
    below = [range(top, end) for top, end in zip(tops, [*tops[1:], len(table.columns)], strict=True)]
    cells = [[_stacked(table, row, numbers) for numbers in below] for row in range(len(table.rows))]
    for place, numbers in enumerate(below):
        folds = table.columns[numbers[0]].is_text
        headings = [visible(table.columns[number].heading, lines=True) for number in numbers]
        lengths = [len(line) for row in cells for line in row[place].plain.splitlines()]
        widest, least = max(lengths, default=0), _least_width(headings)
        made.add_column(
            "\n".join(headings),
            justify="left" if folds or place == 0 else "right",
            min_width=max(least, min(widest, TEXT_CHARACTERS)) if folds else None,
            width=None if folds else max(least, widest),  # a column of figures is never made narrower
            overflow="fold",
        )
    for number, row in enumerate(cells):
        if number in table.heads:
            made.add_row(visible(table.heads[number], lines=True), style="bold")
        made.add_row(*row)
    return made


def _least_width(headings: Sequence[str]) -> int:
    """Columns in which headings are folded between words alone, onto few lines."""
    from textwrap import wrap

    longest = max((len(word) for heading in headings for word in heading.split()), default=0)
    whole = max(map(len, headings), default=0)
    fits = (n for n in range(longest, whole) if sum(len(wrap(one, n)) for one in headings) <= HEADING_LINES)
    return next(fits, whole) if longest else 0


def _stacked(table: Table, row: int, numbers: Iterable[int]) -> Text:
    """The cells of a column and of those below it, without what was not measured at the end."""
    from rich.text import Text

    first, *rest = numbers
    cells = table.rows[row]
    below = [shown(cells[number]) for number in rest if cells[number] is not None]
    return Text("\n".join([shown(cells[first], nothing="-"), *below]), style=table.style(row, first))


def _listed(table: Table, row: int) -> RichTable:
    from rich import box
    from rich.table import Table as RichTable
    from rich.text import Text

    listed = RichTable(box=box.SIMPLE_HEAD, pad_edge=False)
    cells = table.rows[row]
    listed.add_column(Text(shown(cells[0], nothing="-")), overflow="fold")
    listed.add_column(Text(visible(table.title)), overflow="fold")
    for number, column in enumerate(table.columns[1:], start=1):
        heading = " ".join(column.heading.split())
        cell = Text(shown(cells[number], nothing="-"), style=table.style(row, number))
        listed.add_row(Text(visible(heading)), cell)
    return listed


def _line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _digits(value: float) -> str:
    if value == 0 or not math.isfinite(value):
        return f"{value:g}"
    if abs(value) >= 1e6 or abs(value) < 1e-4:
        return f"{value:.3e}"
    return f"{value:.{max(0, 3 - math.floor(math.log10(abs(value))))}f}"
