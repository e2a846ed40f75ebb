"""Several equal requests at a time, or after a prompt cache: configurations like any other."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from backends.about import About
from bench.errors import UserError
from bench.report.export.tables import export
from bench.report.story import Story
from bench.suite import libraries
from bench.suite.from_models import ModelsAsked, suite_of
from tests.bench.at_hand import QUICK, quick
from tests.bench.processes import AS_ROOT
from tests.bench.suites import PROMPTS, write_suite

BATCH = 4
GATES = {
    "ungated": {},
    "four": {"plugin": "constant", "budget": {"model": "full", "batch": BATCH}},
    "cached": {"plugin": "constant", "budget": {"model": "full", "prompt_cache": True}},
}
ALIKE = [{**prompt, "text": f"Be brief. {prompt['text']}"} for prompt in PROMPTS]
SHARED = len("Be brief. ") + 1
"""Tokens that both prompts begin with: bytes, after that of the beginning."""
SAVED_PERCENT = 100 * (1 - 1 / BATCH)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("batch")
    lines = [json.dumps(prompt) for prompt in ALIKE]
    suite = write_suite(folder, **QUICK, gates=GATES, protocol__a_a=False, prompt_lines=lines)
    done = quick("run", str(suite), "--quiet", *AS_ROOT, cwd=folder)
    assert done.returncode == 0, done.stderr
    return next((folder / "results").iterdir())


def test_a_batch_costs_a_forward_and_is_told_per_token(run: Path) -> None:
    one, four, _ = Story.of(run).summary.rows
    assert (one.batch, four.batch) == (1, BATCH)
    assert four.generated_tokens_per_repeat == BATCH * one.generated_tokens_per_repeat
    assert four.prompt_tokens_per_repeat == BATCH * one.prompt_tokens_per_repeat
    assert four.forwards_per_repeat == one.forwards_per_repeat
    assert (four.decode_tokens_per_s or 0) > (one.decode_tokens_per_s or 0) > 0
    assert four.tokens_saved_percent == pytest.approx(0)  # the same answers, however many at a time
    assert four.same_answers == len(PROMPTS)
    saved = 100 * (1 - (four.joules_per_token or 0) / (one.joules_per_token or 1))
    assert saved == pytest.approx(SAVED_PERCENT, abs=10)
    assert four.joules_saved_percent == pytest.approx(saved, abs=1)


def test_what_prompts_begin_with_is_fed_once_and_the_label_says_so(run: Path) -> None:
    summary = Story.of(run).summary
    one, _, cached = summary.rows
    assert cached.cached_tokens_per_repeat == len(PROMPTS) * SHARED
    assert cached.prompt_tokens_per_repeat + len(PROMPTS) * SHARED == one.prompt_tokens_per_repeat
    assert (cached.forwards_per_repeat, cached.same_answers) == (one.forwards_per_repeat, len(PROMPTS))
    said = f"{2 * SHARED} of {one.prompt_tokens_per_repeat:.0f} prompt tokens come from a prompt cache"
    assert [warning for warning in summary.warnings if said in warning]
    records = [json.loads(line) for line in (run / "records.jsonl").read_text().splitlines()]
    tokens = {(r["gate"], r["cached_tokens"]) for r in records if r["type"] == "request"}
    assert tokens == {("ungated", 0), ("four", 0), ("cached", SHARED)}


def test_it_stands_in_records_and_in_every_export(run: Path, tmp_path: Path) -> None:
    records = [json.loads(line) for line in (run / "records.jsonl").read_text().splitlines()]
    assert {r["batch"] for r in records if r["type"] == "request"} == {1, BATCH}
    assert all(r["unlike_rows"] == 0 for r in records if r["type"] == "request")
    export([run], form="csv", out=tmp_path)
    requests, windows, configurations = (
        list(csv.DictReader((tmp_path / f"{table}.csv").read_text().splitlines()))
        for table in ("requests", "windows", "configurations")
    )
    assert {row["batch"] for row in requests} == {row["batch"] for row in configurations} == {"1", str(BATCH)}
    for window in windows:
        rows = BATCH if window["gate"] == "four" else 1
        assert int(window["requests"]) == rows * len(PROMPTS) * int(window["repeats"])


def test_unlike_batches_are_not_divided(run: Path) -> None:
    done = quick("compare", f"{run}:echo/ungated", f"{run}:echo/four", cwd=run)
    assert done.returncode == 2
    assert "no ratio" in done.stderr
    assert "unlike in batch (1 against 4)" in done.stderr


def test_lookup_and_backends_of_one_request_are_refused_by_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gates = {"ungated": {}, "guess": {"plugin": "constant", "budget": {"cut": {"lookup": True}}}}
    suite = write_suite(tmp_path, gates=gates, generation={"max_new_tokens": 4, "batch": 2})
    done = quick("run", str(suite), "--dry-run", cwd=tmp_path)
    assert done.returncode == 2
    assert "gate 'guess': lookup looks at the tokens of one request, but the batch is 2" in done.stderr
    monkeypatch.setattr(libraries, "about", lambda _: About(lacks=("batches",)))
    with pytest.raises(UserError, match="backend 'echo' can't run several requests at a time"):
        libraries.check("echo", [], needs=["batches"])


def test_batches_of_the_command_line_are_configurations() -> None:
    suite, _ = suite_of(ModelsAsked(models=("echo",), batches=(1, 8)))
    assert list(suite.gates) == ["batch-1", "batch-8"]
    assert suite.gates["batch-8"].options == {"budget": {"model": "echo", "batch": 8}}
    one, _ = suite_of(ModelsAsked(models=("echo",), batches=(8,)))
    assert one.generation.batch == 8
    assert list(one.gates) == ["echo"]
    with pytest.raises(UserError, match="--batch 2 is given twice"):
        suite_of(ModelsAsked(models=("echo",), batches=(2, 2)))
