"""The file that explains itself: it is a suite, and every value has its reason."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import get_args

import pytest

from bench.cli.init.answers import Question
from bench.cli.init.suite_text import Draft, to_toml
from bench.suite.cadence import stretched
from bench.suite.prepare import resolve
from bench.suite.suite_file import parse_suite
from energy.cadence import USUAL_S

DRAFT = Draft(
    name="mine",
    heading=("What it is for.", "A second paragraph " + "that goes on and on " * 20),
    question="gate",
    model="echo",
    small_layers=2,
    backends=("echo",),
    prompts=8,
    max_new_tokens=16,
    blocks=5,
    window_s=60.0,
    idle_s=20.0,
    cool_down_s=1.0,
    self_test_s=5.0,
)


@pytest.mark.parametrize("question", [*get_args(Question), None])
def test_every_question_makes_a_suite_that_can_be_run(question: Question | None) -> None:
    draft = replace(DRAFT, question=question, small_layers=2 if question == "gate" else None)
    text = to_toml(draft)
    found = resolve(parse_suite(text, file=Path("mine.toml")), text, file=Path("mine.toml"))
    assert len(found.arms) == draft.arms
    assert len(found.blocks) == 5
    assert found.suite.protocol.min_window_s == 60.0


def test_every_value_has_a_comment_and_no_line_is_long() -> None:
    for line in to_toml(DRAFT).splitlines():
        assert len(line) <= 110, line
        if " = " in line and not line.startswith("#"):
            key = line.partition(" = ")[0]
            assert "#" in line or key in ("plugin", "budget"), line


def test_short_windows_are_called_short() -> None:
    assert "a claim needs 60" not in to_toml(DRAFT).replace("a claim needs 5", "")
    assert "at least, and a claim needs 60" in to_toml(replace(DRAFT, window_s=10.0))


@pytest.mark.parametrize("reading_s", [USUAL_S, 0.245, 0.2453, 2.1])
def test_lengths_that_were_sized_for_a_meter_are_not_lengthened_for_it_again(reading_s: float) -> None:
    draft = replace(DRAFT, reading_s=reading_s, window_s=60.0, idle_s=40.0)
    protocol = parse_suite(to_toml(draft), file=Path("mine.toml")).protocol
    assert "reading_s" in to_toml(draft) or reading_s == USUAL_S
    again = stretched(protocol, 1.05 * reading_s)
    assert (again.min_window_s, again.idle_s) == (60.0, 40.0)


@pytest.mark.parametrize("model", ['C:\\new "models"', "a\x7fb", "ünïcode/模型", 'x"\n[energy]\nsource = "y'])
def test_a_model_can_have_any_name(model: str) -> None:
    suite = parse_suite(to_toml(replace(DRAFT, model=model)), file=Path("mine.toml"))
    assert suite.models["full"].name == model
    assert suite.energy.source == "auto"
