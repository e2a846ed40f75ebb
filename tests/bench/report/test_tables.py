"""A run's tables on the terminal and as files: labelled, and no place for strangers' text to do anything."""

from __future__ import annotations

import csv
import io
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from analysis.checks import Caution
from bench.report import tables as report
from bench.report.readback import Readback
from bench.report.slots import Idle
from bench.report.story import Story
from bench.run.store import StoredRun
from tests.bench.report.page.hostile import GATE
from tests.bench.report.page.rows import arm_row, saving_row, summary_of
from tests.bench.stored import run_header

RUN = StoredRun(folder=Path("results/run"), header=run_header(), records=[])
IDLE = Idle([])
HOSTILE = summary_of(arm_row(), saving_row(gate=GATE, kind="modelled", grade=0))
NOTHING = Readback(run=RUN, slots=[], void=[], sources={}, idle=IDLE, whole_blocks=1, cut_blocks=0)
STORY = Story(NOTHING, HOSTILE)


def printed(warnings: list[str]) -> str:
    cautions = [Caution(code="x", subject="run", said=words) for words in warnings]
    console = Console(file=io.StringIO(), width=200, force_terminal=False)
    report.show_all(RUN, replace(HOSTILE, cautions=cautions), IDLE, console)
    file = console.file
    assert isinstance(file, io.StringIO)
    return file.getvalue()


def test_a_gate_cannot_write_to_the_terminal() -> None:
    said = printed([f"torch {GATE}: not estimated"])
    assert "\x1b" not in said
    assert said.count("<b>gate</b>␛[31m=") == 3


def test_joules_that_are_no_measurement_are_called_so() -> None:
    assert "modelled, NOT a measurement" in printed([])


def test_joules_of_grade_1_say_why_and_what_would_mend_them() -> None:
    wide = "known to 0.7 J of 33.7 J, 2 % is needed: windows of 20 s would do"
    rows = (
        arm_row(grade=1, grade_reasons=(wide,)),
        saving_row(grade=2, grade_reasons=("no other instrument",)),
    )
    console = Console(file=io.StringIO(), width=200, force_terminal=False)
    report.show_all(RUN, summary_of(*rows), IDLE, console)
    assert isinstance(console.file, io.StringIO)
    said = console.file.getvalue()
    assert f"! torch is graded 1: {wide}" in said
    assert "no other instrument" not in said


def test_csv_keeps_figures_and_runs_no_formula() -> None:
    rows = summary_of(saving_row(gate="=cmd|' /C calc'!A0", joules_saved_percent=-3.5))
    (row,) = csv.DictReader(io.StringIO(report.files(rows)["configurations.csv"].decode(), newline=""))
    assert row["gate"] == "'=cmd|' /C calc'!A0"
    assert float(row["joules_saved_percent"]) == -3.5


def test_rows_for_programs_are_the_rows_as_they_are() -> None:
    found = report.to_json(STORY)
    assert found["event"] == "result"
    assert found["answer"]["costs"][1]["gate"] == GATE
    assert found["rows"][1]["gate"] == GATE


@pytest.mark.parametrize("width", range(60, 141, 5))
def test_at_no_width_a_column_is_cut(width: int) -> None:
    """A terminal has room for whole tables, or there is a list: rich cuts the last columns in silence."""
    console = Console(file=io.StringIO(), width=width, force_terminal=False)
    told = summary_of(arm_row(), saving_row(joules_saved_percent=23.4, noise_percent=1.5))
    report.show_all(RUN, told, IDLE, console)
    assert isinstance(console.file, io.StringIO)
    said = console.file.getvalue()
    assert max(map(len, said.splitlines())) <= width
    for whole in ("match", "71.0 %", "forwards", "verdict", "2 metered", "+23.4 %", "+29.8 to +32.5 %"):
        assert whole in said


@pytest.mark.parametrize("width", [40, 80])
def test_on_a_narrow_terminal_no_number_is_cut(width: int) -> None:
    console = Console(file=io.StringIO(), width=width, force_terminal=False)
    told = summary_of(arm_row(), saving_row(joules_saved_percent=23.4, noise_percent=1.5))
    report.show_all(RUN, told, IDLE, console)
    assert isinstance(console.file, io.StringIO)
    said = console.file.getvalue()
    assert max(map(len, said.splitlines())) <= width
    assert "…" not in said
    assert "+23.4 %" in said
    assert "1.5 %" in said
