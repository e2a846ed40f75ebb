"""A run folder that version 0.1.0 left, a block whole and a block cut short: read, reported and resumed."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from bench.report.readback import read_back
from bench.report.summary import summarise
from bench.run import store
from bench.run.records import RequestRecord, SlotRecord
from tests.bench.at_hand import quick
from tests.bench.processes import bench

OLD = Path(__file__).parents[2] / "data" / "run-0.1.0"


@pytest.fixture
def old_run(tmp_path: Path) -> Path:
    """A copy, with the suite and the prompts that it was made of where it was started."""
    folder = tmp_path / "results" / "run-0.1.0"
    shutil.copytree(OLD, folder)
    for name in ("suite.toml", "prompts.jsonl"):
        shutil.move(folder / name, tmp_path / name)
    return folder


def test_its_records_are_what_they_were(old_run: Path) -> None:
    lines = [json.loads(line) for line in (old_run / "records.jsonl").read_text().splitlines()]
    run = store.read(old_run)
    assert [record.type for record in run.records] == [line["type"] for line in lines]
    assert run.finished_blocks == {1: 1}
    asked = [line["prompt_id"] for line in lines if line["type"] == "request"]
    assert [request.prompt_id for request in run.of(RequestRecord)] == asked
    stored = [line["joules"]["total_j"] for line in lines if line["type"] == "slot"]
    assert [slot.joules.total_j for slot in run.of(SlotRecord)] == stored


def test_its_joules_are_attributed_anew_as_they_were(old_run: Path) -> None:
    readback = read_back(store.read(old_run))
    then = [slot.joules.total_j for slot in readback.run.of(SlotRecord)][: len(readback.slots)]
    assert [slot.gross_j for slot in readback.slots] == pytest.approx(then, rel=1e-6)
    assert {row.gate for row in summarise(readback).rows} == {"ungated", "length"}


def test_it_is_reported_and_resumed(old_run: Path, tmp_path: Path) -> None:
    done = bench("report", str(old_run), cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert (old_run / "report" / "report.html").is_file()
    done = quick("run", "--resume", str(old_run), cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert store.read(old_run).finished_blocks == {1: 1, 2: 2}


def test_a_record_that_is_none_is_told_with_its_line(old_run: Path) -> None:
    file = old_run / "records.jsonl"
    lines = file.read_text().splitlines()
    first = json.loads(lines[1])
    del first["session"]
    file.write_text("\n".join([lines[0], json.dumps(first), *lines[2:]]) + "\n")
    with pytest.raises(store.UserError, match=r"records\.jsonl.* line 2|line 2"):
        store.read(old_run)
