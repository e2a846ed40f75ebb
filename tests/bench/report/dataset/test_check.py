"""Forged runs are found, each by the check that is there for it; honest ones pass."""

from __future__ import annotations

import gzip
import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from bench.report.dataset.add import add
from bench.report.dataset.check import check
from bench.report.dataset.folder import run_files
from bench.report.dataset.rows import place_of, rows_of, schema
from bench.report.story import Story
from tests.bench.processes import bench

Forge = Callable[[Path], None]
"""Changes the run folder of a data set; its rows are computed anew, so that they agree with it."""


def found(dataset: Path, run: str) -> list[str]:
    """Checks that a run does not stand."""
    (one,) = check(dataset, [run])
    return [doubt.check for doubt in one.failed]


def told_anew(file: Path) -> None:
    """Write the rows that the changed run gives, as a forger would."""
    rows = rows_of(Story.of(file.with_suffix("")))
    pq.write_table(pa.Table.from_pylist(rows, schema=schema(rows[0])), file)


def records(run: Path, change: Callable[[dict[str, Any]], dict[str, Any] | None]) -> None:
    """Change records, or leave them out, without a checksum, as runs of older versions are."""
    file = run / "records.jsonl"
    kept = []
    for line in file.read_text().splitlines():
        record = json.loads(line)
        record.pop("crc32", None)
        changed = change(record)
        if changed is not None:
            kept.append(json.dumps(changed))
    file.write_text("\n".join(kept) + "\n")


def raw(run: Path, change: Callable[[str], str]) -> None:
    """Change the documents of the meter; each keeps its length, as the index tells it."""
    file = run / "power.raw.gz"
    text = gzip.decompress(file.read_bytes()).decode()
    changed = change(text)
    assert len(changed) == len(text)
    file.write_bytes(gzip.compress(changed.encode()))


def test_honest_runs_pass_and_what_is_weak_is_said(shared: Path, honest: list[Path]) -> None:
    runs = list(check(shared))
    assert [one.run for one in runs] == sorted(run.name for run in honest)
    for one in runs:
        assert one.failed == ()
        assert "joules are simulated" in one.weak


@pytest.mark.parametrize("factor", [0.5, 0.999, 1 - 1e-6])
@pytest.mark.parametrize("column", ["joules_per_token", "gross_per_repeat_j", "decode_tokens_per_s"])
def test_a_row_that_is_only_slightly_better_is_found(dataset: Path, column: str, factor: float) -> None:
    file = run_files(dataset)[0]
    table = pq.ParquetFile(file).read()
    place = table.column_names.index(column)
    better = pa.array([None if v is None else v * factor for v in table[column].to_pylist()], pa.float64())
    pq.write_table(table.set_column(place, column, better), file)
    assert found(dataset, file.stem) == ["rows"] * table.num_rows


def test_joules_in_the_records_are_not_believed(dataset: Path) -> None:
    file = run_files(dataset)[0]

    def halved(record: dict[str, Any]) -> dict[str, Any]:
        if record["type"] == "slot":
            record["joules"]["total_j"] /= 2
        return record

    before = file.read_bytes()
    records(file.with_suffix(""), halved)
    assert found(dataset, file.stem) == []
    told_anew(file)
    assert pq.ParquetFile(file).read().equals(pq.ParquetFile(pa.BufferReader(before)).read())


def test_a_raw_stream_that_was_made_to_draw_less_is_found_by_its_rows(dataset: Path) -> None:
    file = run_files(dataset)[0]
    raw(file.with_suffix(""), lambda text: re.sub(r"(<integer>)9(\d{2})(</integer>)", r"\g<1>8\2\3", text))
    assert "rows" in found(dataset, file.stem)


def test_a_run_without_a_self_test_or_with_one_that_failed_is_found(dataset: Path) -> None:
    first, second, _ = run_files(dataset)
    records(first.with_suffix(""), lambda record: None if record["type"] == "self_test" else record)

    def failed(record: dict[str, Any]) -> dict[str, Any]:
        if record["type"] == "self_test":
            record["findings"][0] |= {"passed": False, "rise_w": 0.01}
        return record

    records(second.with_suffix(""), failed)
    for file in (first, second):
        told_anew(file)
        assert "self-test" in found(dataset, file.stem)


def test_a_run_whose_baseline_was_not_held_against_itself_is_found(dataset: Path) -> None:
    file = run_files(dataset)[0]
    records(file.with_suffix(""), lambda record: None if record.get("a_a") else record)
    told_anew(file)
    assert found(dataset, file.stem) == ["A/A"] * 1


def test_a_chip_that_reads_faster_than_its_memory_is_found(dataset: Path) -> None:
    file = run_files(dataset)[0]
    header = file.with_suffix("") / "run.json"
    told = json.loads(header.read_text())
    told["host"] |= {"chip": "Apple M1", "gpu_cores": 8}
    header.write_text(json.dumps(told))

    def faster(record: dict[str, Any]) -> dict[str, Any]:
        if record["type"] == "request":
            record["decode_bytes"] = int(68.25e9 * 1.01 * (record["end_s"] - record["prefilled_s"]))
        return record

    records(file.with_suffix(""), faster)
    told_anew(file)
    place = dataset / place_of(rows_of(Story.of(file.with_suffix(""))))
    place.mkdir(parents=True)
    shutil.move(file.with_suffix(""), place)
    shutil.move(file, place)
    assert set(found(dataset, file.stem)) == {"bandwidth"}


def test_a_run_under_another_chip_is_found(dataset: Path) -> None:
    file = run_files(dataset)[0]
    other = file.parent.parent.with_name("chip=Apple-M4-10") / file.parent.name
    other.mkdir(parents=True)
    shutil.move(file.with_suffix(""), other)
    shutil.move(file, other)
    assert found(dataset, file.stem) == ["place"]


def test_tokens_that_no_other_run_of_the_same_work_has_are_found(dataset: Path) -> None:
    file = run_files(dataset)[0]
    changed: list[str] = []

    def other(record: dict[str, Any]) -> dict[str, Any]:
        if record["type"] == "request" and record["gate"] == "ungated" and not changed:
            record["tokens"][-1] += 1
            changed.append(record["prompt_id"])
        return record

    records(file.with_suffix(""), other)
    told_anew(file)
    assert found(dataset, file.stem) == ["answers"]
    for honest in run_files(dataset)[1:]:
        assert found(dataset, honest.stem) == []


def test_readings_that_stand_in_another_run_are_found(dataset: Path) -> None:
    first, second, _ = run_files(dataset)
    for name in ("power.raw.gz", "power.index"):
        shutil.copyfile(first.with_suffix("") / name, second.with_suffix("") / name)
    told_anew(second)
    assert "readings" in found(dataset, second.stem)
    assert found(dataset, first.stem) == []


def test_readings_that_are_told_twice_are_found(dataset: Path) -> None:
    file = run_files(dataset)[0]

    def twice(text: str) -> str:
        begin = "<?xml"
        documents = text.split(begin)
        for place in range(100, 200):
            if len(documents[place]) == len(documents[place - 1]):
                documents[place] = documents[place - 1]
        return begin.join(documents)

    raw(file.with_suffix(""), twice)
    told_anew(file)
    assert "time" in found(dataset, file.stem)


def test_a_run_that_can_no_longer_be_read_is_found(dataset: Path) -> None:
    file = run_files(dataset)[0]
    (file.with_suffix("") / "records.jsonl").write_text("not a record\n")
    assert found(dataset, file.stem) == ["rows"]
    shutil.rmtree(file.with_suffix(""))
    assert found(dataset, file.stem) == ["rows"]


def test_the_command_says_which_and_exits_with_1(dataset: Path) -> None:
    assert bench("data", "check", str(dataset), cwd=dataset).returncode == 0
    file = run_files(dataset)[0]
    shutil.rmtree(file.with_suffix(""))
    done = bench("data", "check", str(dataset), cwd=dataset)
    assert done.returncode == 1
    assert done.stdout.startswith("1 of 3 runs can't be believed.")
    assert file.stem in done.stdout
    told = json.loads(bench("data", "check", str(dataset), "--json", cwd=dataset).stdout)
    assert [bool(one["failed"]) for one in told] == [True, False, False]
    assert bench("data", "check", str(dataset), "nobody", cwd=dataset).returncode == 2


def test_a_run_added_later_is_checked_against_those_before(dataset: Path, honest: list[Path]) -> None:
    assert [one.why_not for one in add(honest, dataset)] == ["it is there already"] * len(honest)
