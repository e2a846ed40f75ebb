"""`bench report`, as a user types it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from tests.bench.processes import bench
from tests.bench.runs import SAID


@pytest.mark.usefixtures("no_figures")
def test_one_run_has_its_page_in_its_own_folder(echo_run: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    shutil.copytree(echo_run, run)
    done = bench("report", "run", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "NOT a measurement" in done.stdout
    assert done.stdout.splitlines()[-1] == "page: run/report/report.html"
    assert (run / "report" / "report.html").is_file()
    again = bench("report", "run", "--json", "--out", "elsewhere", cwd=tmp_path)
    found = json.loads(again.stdout)
    assert [row["gate"] for row in found["rows"]] == ["ungated", "ungated", "length"]
    assert found["page"] == "elsewhere/report.html"
    assert (tmp_path / "elsewhere" / "configurations.csv").is_file()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ((), "2 runs go into one page; say where with --out DIR"),
        (("--out", "pages", "--wall", "w.csv"), "--wall is the meter of one run"),
        (("--out", "pages", "--json"), "--json is for one run"),
    ],
)
def test_what_fits_one_run_only_is_refused_for_several(
    echo_run: Path, hostile_run: Path, tmp_path: Path, options: tuple[str, ...], said: str
) -> None:
    done = bench("report", str(echo_run), str(hostile_run), *options, cwd=tmp_path)
    assert done.returncode == 2
    assert said in done.stderr
    assert not (tmp_path / "pages").exists()


def test_a_run_that_is_no_run_leaves_nothing(echo_run: Path, tmp_path: Path) -> None:
    done = bench("report", str(echo_run), "no-run", "--out", "pages", cwd=tmp_path)
    assert done.returncode == 2
    assert "no-run is not a run folder" in done.stderr
    assert not list(tmp_path.glob("pages/*"))


def test_a_hostile_run_prints_nothing_that_moves_a_cursor(hostile_run: Path) -> None:
    said = (hostile_run.parent.parent / SAID).read_text(encoding="utf-8")
    assert "<b>gate</b>␛[31m=" in said
    assert not [char for char in said if ord(char) < 0x20 and char != "\n"]
