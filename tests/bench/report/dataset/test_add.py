"""What a data set holds of a run."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from bench.errors import UserError
from bench.report.dataset.add import add
from bench.report.dataset.folder import read_file, read_rows, run_files
from bench.report.export.collect import collect, run_folders
from bench.report.export.tables import tables_of
from bench.report.story import Story
from bench.run import store


def test_a_run_is_one_file_in_the_folders_of_its_chip_and_boundary(shared: Path, honest: list[Path]) -> None:
    files = run_files(shared)
    assert sorted(file.stem for file in files) == sorted(run.name for run in honest)
    assert {str(file.parent.relative_to(shared)) for file in files} == {
        "schema=2/chip=made-up/boundary=soc-cpu-gpu-ane"
    }
    (row, *_) = read_file(files[0]).to_pylist()
    story = Story.of(honest[0].with_name(files[0].stem))
    exported = tables_of([story])["configurations"][0]
    assert {name: row[name] for name in exported} == exported
    assert row["model"] == "made-up-full"
    assert row["chip"] == "made up"
    assert row["decode_bytes_per_s"] > 0
    assert row["stream_marks"]


def test_the_run_beside_it_has_all_that_it_is_computed_from_and_no_more(shared: Path) -> None:
    for file in run_files(shared):
        names = {entry.name for entry in file.with_suffix("").rglob("*") if entry.is_file()}
        assert names <= {"run.json", "prompts.jsonl", "records.jsonl", "power.raw.gz", "power.index"}
        assert {"run.json", "records.jsonl", "power.raw.gz", "power.index"} <= names
        assert store.read(file.with_suffix("")).records


def test_a_run_or_its_readings_are_taken_once(dataset: Path, honest: list[Path], tmp_path: Path) -> None:
    (again,) = add([honest[0]], dataset)
    assert again.file is None
    assert again.why_not == "it is there already"
    renamed = shutil.copytree(honest[1], tmp_path / "renamed")
    header = (renamed / "run.json").read_text().replace(honest[1].name, "20200101-000000-long-ffff")
    (renamed / "run.json").write_text(header)
    (copied,) = add([renamed], dataset)
    assert copied.file is None
    assert copied.why_not == f"it has readings of {honest[1].name}"
    assert len(run_files(dataset)) == len(honest)


def test_rows_are_read_again_where_a_file_has_changed(dataset: Path) -> None:
    before = read_rows(dataset)
    assert read_rows(dataset).equals(before)
    run_files(dataset)[0].unlink()
    after = read_rows(dataset)
    assert len(set(after["run"].to_pylist())) == len(set(before["run"].to_pylist())) - 1


def test_collect_reads_the_runs_of_a_data_set(decoded: Path, honest: list[Path], tmp_path: Path) -> None:
    assert [folder.name for folder in run_folders([decoded])] == sorted(run.name for run in honest)
    one, other = (
        collect([place], tmp_path / f"{place.name}.parquet") for place in (decoded, honest[0].parent)
    )
    assert (one.runs, one.slots) == (other.runs, other.slots)


def test_what_is_no_data_set_is_refused(tmp_path: Path, honest: list[Path]) -> None:
    with pytest.raises(UserError, match="is no data set"):
        read_rows(tmp_path)
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(UserError, match="is no data set"):
        list(add([honest[0]], tmp_path))
    assert [entry.name for entry in tmp_path.iterdir()] == ["mine.txt"]


def test_a_link_in_a_data_set_is_not_followed(dataset: Path, tmp_path: Path) -> None:
    file = run_files(dataset)[0]
    file.rename(tmp_path / "elsewhere.parquet")
    file.symlink_to(tmp_path / "elsewhere.parquet")
    with pytest.raises(UserError, match="not the plain Parquet file"):
        read_rows(dataset)
