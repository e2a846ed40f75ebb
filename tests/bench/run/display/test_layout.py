"""The status on terminals of every width."""

from __future__ import annotations

import pytest

from bench.run.display.layout import ROWS, progress_bar, status_lines

ALL = {name: f"what {name} has to say, which may take more room than there is on a phone" for name in ROWS}


@pytest.mark.parametrize("width", [20, 40, 80, 109, 110, 160, 250])
def test_no_line_is_wider_than_the_terminal(width: int) -> None:
    lines = status_lines(ALL, width=width)
    assert max(map(len, lines)) <= width


def test_one_column_below_110_and_two_above() -> None:
    narrow, wide = status_lines(ALL, width=80), status_lines(ALL, width=160)
    assert len(narrow) == len(ROWS)
    assert len(wide) == 7
    assert wide[0].startswith("now ")
    assert wide[0].index("power") == 80


def test_what_is_cut_says_so_and_empty_rows_are_left_out() -> None:
    lines = status_lines({"now": "x" * 50, "rails": "", "power": "3 W"}, width=30)
    assert lines == ["now      " + "x" * 20 + "…", "power    3 W"]


def test_more_machine_than_slot_is_fine() -> None:
    assert status_lines({"power": "3 W", "energy": "9 J"}, width=120)[1].strip() == "energy   9 J"


def test_the_bar_is_full_at_the_end() -> None:
    assert [progress_bar(done, 12) for done in (0, 6, 12)] == ["─" * 10, "━" * 5 + "─" * 5, "━" * 10]
    assert progress_bar(0, 0) == "─" * 10
