"""The answer on a terminal, and that one quantity has one figure wherever a run is told."""

from __future__ import annotations

import csv
import io
import json
import re

import pytest
from rich.console import Console

from bench.report import tables as report
from bench.report.answer import Answer
from bench.report.answer_table import cost_table, show_answer
from bench.report.arm_tables import savings_table
from bench.show.words import percent, significant
from tests.bench.report.random_runs import random_stories


def printed(answer: Answer, width: int) -> str:
    console = Console(file=io.StringIO(), width=width, force_terminal=False)
    show_answer(answer, console)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_one_quantity_has_one_figure_in_answer_csv_and_json() -> None:
    known = 0
    for story in random_stories():
        rows = json.loads(json.dumps(report.to_json(story)))
        lines = csv.DictReader(io.StringIO(report.rows_csv(story.summary).decode(), newline=""))
        in_csv = [line for line in lines if line["a_a"] == "False"]
        in_json = [row for row in rows["rows"] if not row["a_a"]]
        assert len(in_csv) == len(in_json) == len(story.answer.costs)
        for line, row, cost in zip(in_csv, in_json, story.answer.costs, strict=True):
            one = cost.comparison
            figures = {
                "joules_per_token": cost.joules_per_token,
                "joules_per_token_low": cost.low,
                "joules_per_token_high": cost.high,
                "decode_tokens_per_s": cost.tokens_per_s,
                "joules_saved_percent": one and one.saved_percent,
                "saved_low_percent": one and one.low_percent,
                "saved_high_percent": one and one.high_percent,
                "token_match_percent": one and one.token_match_percent,
                "same_answers": one and one.same_answers,
                "blocks_to_settle": one and one.blocks_to_settle,
                "beyond_control_percent": one and one.control and one.control.beyond_percent,
            }
            for name, value in figures.items():
                assert row[name] == value
                assert (float(line[name]) if line[name] else None) == value
                known += value is not None
            assert (row["verdict"], line["verdict"]) == (one and one.verdict, one.verdict if one else "")
    assert known > 4000


def test_terminal_and_page_round_the_same_figures() -> None:
    for story in random_stories():
        page = savings_table(story.summary, place="page") if story.summary.rows else None
        assert page is not None
        told = [
            dict(zip(page.headings, cells, strict=True))
            for row, cells in zip(story.summary.rows, page.rows, strict=True)
            if not row.a_a
        ]
        terminal = cost_table(story.answer)
        for cost, cells, seen in zip(story.answer.costs, terminal.rows, told, strict=True):
            assert seen["J/token"] == significant(cost.joules_per_token)
            if cost.joules_per_token is not None:
                shown = float(cells[1].split()[0])
                assert shown == pytest.approx(cost.joules_per_token, rel=0.05)
                if cost.gate == story.readback.baseline:
                    assert cells[1].split()[0] in story.answer.sentences[0].text
            if cost.comparison and cost.comparison.saved_percent is not None:
                saved = cost.comparison.saved_percent
                assert seen["saves"] == percent(saved, signed=True)
                assert f"{saved:.{0 if abs(saved) >= 9.95 else 1}f} %".replace("-0.0", "0.0") in str(cells)


def test_a_quotient_of_costs_is_the_saving_where_the_tokens_are_as_many() -> None:
    checked = 0
    for story in random_stories():
        costs = {cost.name: cost for cost in story.answer.costs}
        whole = all(slot.excluded is None and slot.gross_j for slot in story.readback.slots)
        for row, cost in zip([r for r in story.summary.rows if not r.a_a], story.answer.costs, strict=True):
            one = cost.comparison
            if not whole or story.readback.void or one is None or one.saved_percent is None:
                continue
            if row.tokens_saved_percent == 0:
                ratio = (cost.joules_per_token or 0) / (costs[one.against].joules_per_token or 1)
                assert 100 * (1 - ratio) == pytest.approx(one.saved_percent, abs=1e-6)
                checked += 1
    assert checked > 100


@pytest.mark.parametrize("width", [80, 120])
def test_the_first_lines_hold_the_answer_and_nothing_is_cut(width: int) -> None:
    for story in random_stories()[:60]:
        said = printed(story.answer, width)
        lines = said.splitlines()
        assert max(map(len, lines)) <= width
        assert "…" not in said
        rule = next(number for number, line in enumerate(lines) if "──" in line)
        heading = [line for line in lines[:rule] if re.search("J/token|tok/s|answers", line)]
        assert 1 <= len(heading) <= 2
        assert rule - lines.index(heading[0]) <= 2
        words = set(" ".join(lines).split())
        for one in story.answer.comparisons:
            assert set(one.verdict_words.split()) <= words
        if story.answer.trust.command.startswith("bench doctor"):
            assert "bench doctor" in " ".join(said.split())


def test_joules_that_no_meter_read_are_called_so_once() -> None:
    for story in random_stories():
        if story.readback.slots and not any(row.grade for row in story.summary.rows):
            said = printed(story.answer, 100)
            assert said.count("NOT a measurement") + said.count("No joules") == 1
