"""Questions to a data set."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from bench.errors import UserError
from bench.report.dataset.folder import read_rows, run_files
from bench.report.dataset.query import QUESTIONS, query
from tests.bench.processes import bench

pytest.importorskip("duckdb")


def test_cost_is_the_median_over_runs_and_says_what_the_joules_are(shared: Path) -> None:
    answer, joules = query(shared, "cost", only={})
    rows = read_rows(shared).to_pylist()
    first = sorted(row["joules_per_token"] for row in rows if row["against"] is None and not row["a_a"])
    assert list(answer["joules_per_token"]) == [pytest.approx(first[1])]
    assert (answer["lowest"][0], answer["highest"][0]) == (first[0], first[2])
    assert answer["runs"][0] == 3
    assert joules == "simulated, NOT a measurement; soc_cpu_gpu_ane"


def test_best_takes_nothing_that_answers_worse_than_asked(shared: Path) -> None:
    rows = read_rows(shared).to_pylist()
    for quality in (0.0, 100.0):
        answer, _ = query(shared, "best", only={}, quality=quality)
        able = [
            row["joules_per_token"]
            for row in rows
            if not row["a_a"]
            and (
                row["against"] is None
                or (row["verdict"] == "saves" and row["token_match_percent"] >= quality)
            )
        ]
        assert answer["joules_per_token"].min() == min(able)


def test_drift_has_a_row_for_each_version(shared: Path) -> None:
    answer, _ = query(shared, "drift", only={})
    assert answer["runs"].sum() == 3


@pytest.mark.parametrize("question", sorted(QUESTIONS))
def test_boundaries_are_mixed_only_if_that_is_asked_for(dataset: Path, question: str) -> None:
    _of_another_boundary(dataset)
    with pytest.raises(UserError, match="several kinds of boundary: mains and soc_cpu_gpu_ane"):
        query(dataset, question, only={})
    with pytest.raises(UserError, match="no boundary 'moon'"):
        query(dataset, question, only={"boundary": "moon"})
    alone, _ = query(dataset, question, only={"boundary": "mains"})
    assert len(alone) == 1
    mixed, joules = query(dataset, question, only={}, mixed=True)
    assert set(mixed["boundary"]) == {"mains", "soc_cpu_gpu_ane"}
    assert joules.endswith("mains and soc_cpu_gpu_ane")


def _of_another_boundary(dataset: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    file = run_files(dataset)[0]
    table = pq.ParquetFile(file).read()
    place = table.column_names.index("boundary")
    mains = pa.array(["mains"] * table.num_rows, pa.string())
    other = file.parent.with_name("boundary=mains")
    other.mkdir()
    pq.write_table(table.set_column(place, "boundary", mains), other / file.name)
    file.unlink()
    shutil.move(file.with_suffix(""), other)


@pytest.mark.parametrize(
    ("sql", "said"),
    [
        ("select * from read_csv('/etc/passwd')", "file system operations are disabled"),
        ("copy configurations to 'stolen.csv'", "file system operations are disabled"),
        ("set enable_external_access = true", "can't"),
        ("install httpfs", "can't answer"),
        ("selekt", "can't answer"),
    ],
)
def test_sql_reaches_no_file_and_a_mistake_is_one_line(
    shared: Path, sql: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match=said) as refused:
        query(shared, sql, only={})
    assert "\n" not in str(refused.value)
    assert not list(tmp_path.iterdir())


def test_the_command_prints_the_answer_and_the_same_for_programs(shared: Path) -> None:
    printed = bench("data", "query", str(shared), "cost", cwd=shared)
    assert printed.returncode == 0, printed.stderr
    assert "joules simulated, NOT a measurement" in printed.stdout
    sql = "select count(*) as n from configurations"
    done = bench("data", "query", str(shared), sql, "--json", cwd=shared)
    assert json.loads(done.stdout)["rows"] == [{"n": read_rows(shared).num_rows}]
