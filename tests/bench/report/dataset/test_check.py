"""Forged runs are found, each by the check that is there for it; honest ones pass."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from bench.report.dataset.add import add
from bench.report.dataset.check import check
from bench.report.dataset.folder import run_files
from benchmarks.forgeries import FORGERIES, Forgery, Json, forge, records, told_anew
from tests.bench.processes import bench


def found(dataset: Path, run: str) -> list[str]:
    """Checks that a run does not stand."""
    (one,) = check(dataset, [run])
    return [doubt.check for doubt in one.failed]


@pytest.mark.parametrize("forgery", FORGERIES, ids=lambda forgery: forgery.name)
def test_a_forged_run_is_found_by_the_check_that_is_there_for_it(dataset: Path, forgery: Forgery) -> None:
    first, second, _ = run_files(dataset)
    forged = forge(forgery, second, first)
    assert forgery.check in found(dataset, forged.stem)


def test_honest_runs_pass_and_what_is_weak_is_said(decoded: Path, honest: list[Path]) -> None:
    runs = list(check(decoded))
    assert [one.run for one in runs] == sorted(run.name for run in honest)
    for one in runs:
        assert one.failed == ()
        assert "joules are simulated" in one.weak


def test_joules_in_the_records_are_not_believed(dataset: Path) -> None:
    file = run_files(dataset)[0]

    def halved(read: list[Json]) -> list[Json]:
        for record in read:
            if record["type"] == "slot":
                record["joules"]["total_j"] /= 2
        return read

    before = file.read_bytes()
    records(halved)(file.with_suffix(""), file)
    assert found(dataset, file.stem) == []
    told_anew(file)
    assert pq.ParquetFile(file).read().equals(pq.ParquetFile(pa.BufferReader(before)).read())


def test_of_three_runs_of_the_same_work_the_odd_one_is_doubted(dataset: Path) -> None:
    (forgery,) = [one for one in FORGERIES if one.name == "another token"]
    first, *honest = run_files(dataset)
    forge(forgery, first, honest[0])
    assert [bool(one.failed) for one in check(dataset)] == [True, False, False]


def test_a_run_that_can_no_longer_be_read_is_found(dataset: Path) -> None:
    file = run_files(dataset)[0]
    (file.with_suffix("") / "records.jsonl").write_text("not a record\n")
    assert found(dataset, file.stem) == ["rows"]
    shutil.rmtree(file.with_suffix(""))
    assert found(dataset, file.stem) == ["rows"]


def test_the_command_says_which_and_exits_with_1(dataset: Path) -> None:
    file, other, _ = run_files(dataset)
    assert bench("data", "check", str(dataset), other.stem, cwd=dataset).returncode == 0
    shutil.rmtree(file.with_suffix(""))
    done = bench("data", "check", str(dataset), cwd=dataset)
    assert done.returncode == 1
    assert done.stdout.startswith("1 of 3 runs can't be believed.")
    assert file.stem in done.stdout
    asked = ("data", "check", str(dataset), file.stem, other.stem, "--json")
    assert [bool(one["failed"]) for one in json.loads(bench(*asked, cwd=dataset).stdout)] == [True, False]
    assert bench("data", "check", str(dataset), "nobody", cwd=dataset).returncode == 2


def test_a_run_added_later_is_checked_against_those_before(dataset: Path, honest: list[Path]) -> None:
    assert [one.why_not for one in add(honest, dataset)] == ["it is there already"] * len(honest)
