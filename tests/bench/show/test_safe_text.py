"""Text from prompts and models can't do anything where it is shown."""

from __future__ import annotations

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from bench.show.safe_text import csv_cell, in_lines, markdown_cell, visible


def test_terminal_codes_become_pictures_of_themselves() -> None:
    assert visible("\x1b[31mred\x1b[0m\x00\x07\x7f") == "␛[31mred␛[0m␀␇␡"
    assert visible("\x9b2J") == "\\u009b2J"
    assert visible("one\r\ntwo\tthree") == "one␍␊two␉three"


def test_lines_and_tabs_can_be_kept() -> None:
    assert visible("one\n\ttwo\x00", lines=True) == "one\n\ttwo␀"


def test_marks_that_turn_the_rest_of_the_line_are_shown() -> None:
    assert visible("user\u202etxt.exe") == "user\\u202etxt.exe"


@pytest.mark.parametrize("text", ["plain", "שלום", "emoji 🧮 é", "", "a+b=c", "λ₂ < λ₁₁"])
def test_what_can_be_seen_stays(text: str) -> None:
    assert visible(text) == text


@given(st.text(st.characters(codec=None, exclude_categories=())))
def test_nothing_that_is_left_moves_a_cursor_or_fails_to_encode(text: str) -> None:
    shown = visible(text)
    assert not any(ord(char) < 0x20 or 0x7F <= ord(char) < 0xA0 for char in shown)
    assert len(shown.splitlines()) <= 1
    shown.encode("utf-8")


@pytest.mark.parametrize(
    "cell", ["=cmd|' /C calc'!A0", "@SUM(1)", "+1+1", "-2+3", "\t=1", "\r=1", "-3 % [=1]"]
)
def test_a_formula_is_text_in_a_spreadsheet(cell: str) -> None:
    assert csv_cell(cell).startswith("'")


@pytest.mark.parametrize(
    "cell",
    ["-1.5", "+2e-3", "-3.1 %", "-3.1 % [-4.0, -2.2]", "+3 (-1 to 7)", "plain", "a=b", 3.5, None, True],
)
def test_numbers_and_plain_text_stay_in_csv(cell: object) -> None:
    assert csv_cell(cell) == cell


def test_several_texts_are_one_cell() -> None:
    assert csv_cell(("no other instrument checks it", "idle was not stable")) == (
        "no other instrument checks it; idle was not stable"
    )
    assert csv_cell(()) == ""
    assert csv_cell(("=1+1", "b")).startswith("'")


def test_a_hostile_cell_survives_the_csv_module() -> None:
    file = io.StringIO(newline="")
    csv.writer(file).writerow([csv_cell('a","b\n=1'), csv_cell("x\x00y")])
    assert next(csv.reader(io.StringIO(file.getvalue(), newline=""))) == ['a","b\n=1', "x␀y"]


@pytest.mark.parametrize(
    "text", ["<script>alert(1)</script>", "a|b", "`code` *b* [l](http://x)", "&lt; ![i](x)"]
)
def test_markdown_is_shown_as_it_was_written(text: str) -> None:
    table = f"| head |\n| --- |\n| {markdown_cell(text)} |\n"
    html = MarkdownIt("commonmark", {"html": True}).enable("table").render(table)
    shown = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    assert f"<td>{shown}</td>" in html
    assert html.count("<td>") == 1


def test_markdown_stays_on_its_line() -> None:
    assert "\n" not in markdown_cell("one\ntwo\r\nthree\u2028four")


def test_an_error_on_a_terminal_is_broken_between_words_and_its_fix_is_whole() -> None:
    fix = "give --minutes 8, or fewer prompts or models, as in: bench run MODEL --prompts my.txt"
    said = f"bench: 3 min are too few: 2 blocks with a repeat in each window take 8 min here; {fix}"
    *what, last = in_lines(said, fix=fix, width=40).split("\n")
    assert all(len(line) <= 40 for line in what)
    assert last == f"-> {fix}"
    assert " ".join(what) + f"; {fix}" == said
    assert in_lines("bench: short", fix=None, width=40) == "bench: short"
