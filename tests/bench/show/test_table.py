"""One content, three forms; strangers' text does nothing in any of them."""

from __future__ import annotations

import csv
import io
import math

import numpy as np
import pandas as pd
import pytest

from bench.show.table import NOTHING, Table, shown
from tests.bench.report.page.hostile import PIECES


def table(*rows: list[object], columns: tuple[str, ...] = ("name", "value"), most_rows: int = 200) -> Table:
    return Table.plain(columns, rows, name="t", title="a|title", most_rows=most_rows)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, NOTHING),
        (math.nan, NOTHING),
        (True, "yes"),
        (3, "3"),
        (0.0, "0"),
        (1234.5, "1234"),
        (0.012345, "0.01235"),
        (1e-7, "1.000e-07"),
        ("\x1b[0m", "␛[0m"),
    ],
)
def test_a_cell_is_read_with_four_digits_or_as_a_dash(value: object, text: str) -> None:
    assert shown(value) == text


def test_only_columns_of_numbers_are_set_as_numbers() -> None:
    assert table(["1", 2.0], ["2", None]).numeric == [False, True]
    assert table(["1", "two"], ["2", 3]).numeric == [False, False]


def test_a_frame_keeps_its_columns_and_knows_what_is_missing() -> None:
    frame = pd.DataFrame({"arm": ["a", "b"], "joules (J)": [1.5, np.nan], "blocks": [1, 2]})
    found = Table.of_frame(frame, name="t", title="title")
    assert found.headings == ("arm", "joules (J)", "blocks")
    assert [list(row) for row in found.rows] == [["a", 1.5, 1], ["b", None, 2]]


def test_csv_has_every_row_and_no_formula() -> None:
    rows = [[piece, 1.25] for piece in PIECES] + [["plain", None]]
    read = list(csv.reader(io.StringIO(table(*rows, most_rows=1).to_csv().decode(), newline="")))
    assert len(read) == len(rows) + 1
    assert read[-1] == ["plain", ""]
    assert {row[1] for row in read[1:-1]} == {"1.25"}
    assert not any(cell.startswith(("=", "@", "+", "-", "\t", "\r")) for row in read for cell in row)


def test_numpy_numbers_are_written_as_numbers() -> None:
    assert table(["a", np.float64(0.5)], ["b", np.int64(3)]).to_csv().decode().splitlines()[1:] == [
        "a,0.5",
        "b,3",
    ]


def test_markdown_has_a_line_per_row_and_says_what_it_leaves_out() -> None:
    lines = table(["a|b\nc", 1.0], ["d", 2.0], ["e", 3.0], most_rows=2).to_markdown().decode().splitlines()
    assert lines[0] == "**a\\|title**"
    assert lines[2:6] == ["| name | value |", "| --- | ---: |", "| a\\|b c | 1.000 |", "| d | 2.000 |"]
    assert lines[-1] == "The first 2 of 3 rows; t.csv has them all."
