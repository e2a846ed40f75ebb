"""`pytest --joules`, as a user's project has it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

PROJECT = """
import sys, time
import pytest

def test_short(): pass

@pytest.mark.joules(most=0.5)
def test_dear(): time.sleep(1.4)

@pytest.mark.joules(most=100)
def test_with_windows(joules):
    with joules("part") as m:
        pass
    assert m.seconds >= 0

def test_what_is_imported():
    assert [n for n in ("numpy", "psutil", "bench.run.meter") if n in sys.modules] == []
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "test_it.py").write_text(PROJECT, encoding="utf-8")
    return tmp_path


def run(project: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    strict = ["-p", "no:cacheprovider", "-W", "error", "--strict-markers"]
    command = [sys.executable, "-m", "pytest", "-q", *strict, *arguments]
    return subprocess.run(command, cwd=project, capture_output=True, text=True, timeout=240, check=False)


def test_without_the_option_nothing_is_imported_and_what_measures_is_skipped(project: Path) -> None:
    done = run(project, "-rs", "-k", "not dear")
    assert done.returncode == 0, done.stdout
    assert "2 passed, 1 skipped" in done.stdout
    assert "measures joules: add --joules" in done.stdout


def test_with_it_every_test_has_a_row_and_a_limit_is_held(project: Path) -> None:
    done = run(project, "--joules", "--joules-energy", "modelled", "-k", "not imported")
    assert done.returncode == 1, done.stdout
    assert "1 failed, 2 passed" in done.stdout
    assert "J are allowed" in done.stdout
    assert "joules (modelled, NOT a measurement)" in done.stdout
    rows = {line.split()[-1]: line.split() for line in done.stdout.splitlines() if "test_it.py::" in line}
    assert float(rows["test_it.py::test_dear"][0]) > 2
    assert "-: 1 readings in the window" in done.stdout or "-: " in done.stdout
    assert any(line.endswith("whole session") for line in done.stdout.splitlines())


def test_tests_that_run_side_by_side_share_the_power(project: Path) -> None:
    done = run(project, "--joules", "-n", "2")
    assert done.returncode == 4
    assert "one test at a time" in done.stderr
    assert (
        "unknown energy source 'nonsense'" in run(project, "--joules", "--joules-energy", "nonsense").stderr
    )
