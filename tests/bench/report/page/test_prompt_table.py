"""Where prompts went: texts only while they are what was run, never more than can be read."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from bench.report.page import prompt_table as module
from bench.report.page.prompt_table import prompt_table, prompt_texts
from bench.report.readback import read_back
from bench.run.store import read
from tests.bench.report.page.hostile import PROMPTS


def test_each_prompt_is_shown_under_each_arm(echo_run: Path) -> None:
    table = prompt_table(read_back(read(echo_run)))
    rows = [dict(zip(table.headings, row, strict=True)) for row in table.rows]
    assert [(row["prompt"], row["configuration"], row["model"]) for row in rows] == [
        ("short", "echo", "full"),
        ("short", "echo length", "small"),
        ("long", "echo", "full"),
        ("long", "echo length", "full"),
    ]
    assert rows[0]["text"] == "two words"
    assert rows[0]["answer"] == "two"
    assert [row["token match"] for row in rows] == [None, "100 %", None, "100 %"]


def test_long_text_is_shortened_and_hostile_text_is_kept(hostile_run: Path) -> None:
    table = prompt_table(read_back(read(hostile_run)))
    texts = [row[1] for row in table.rows]
    assert max(map(len, texts)) == module.MOST_CHARACTERS
    assert PROMPTS[0]["text"] in texts
    assert "␛" in "".join(cell for row in table.shown for cell in row)


def test_only_the_first_prompts_are_shown_and_it_says_so(
    echo_run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MOST_PROMPTS", 1)
    table = prompt_table(read_back(read(echo_run)))
    assert {row[0] for row in table.rows} == {"short"}
    assert "the first 1 of 2 prompts" in table.title


@pytest.mark.parametrize("change", ["moved", "changed"])
def test_prompts_that_are_not_what_was_run_are_not_shown(echo_run: Path, tmp_path: Path, change: str) -> None:
    assert prompt_texts(read(echo_run))["short"] == "two words"
    run = replace(read(echo_run), folder=tmp_path)  # as an older version left it: without its prompts
    assert prompt_texts(run) == {}  # though they stand where its suite was: that path is not followed
    beside = tmp_path / "suite.toml"
    if change == "changed":
        (tmp_path / "prompts.jsonl").write_text('{"id": "short", "text": "another"}\n')
    moved = replace(run.header, suite=replace(run.header.suite, path=str(beside)))
    assert prompt_texts(replace(run, header=moved)) == {}
