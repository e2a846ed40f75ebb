"""A backend from outside: its own folder and an entry point, and every command knows it."""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tests.bench.at_hand import quick
from tests.bench.processes import AS_ROOT, Done, bench, of_type
from tests.bench.suites import write_suite

HERE = Path(__file__).parent / "third_backend.py"
SUITE = {
    "backends": ["third"],
    "backend_options": None,
    "models": {"full": {"name": "model", "dtype": "int8"}},
    "gates": {"ungated": {}, "random": {"rate": 0.5, "small": {"max_new_tokens": 2}}},
    "protocol__a_a": False,
    "energy": {"source": "simulated", "interval_ms": 20},
}


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    """A folder with the package, as it is once installed, and a model that only it reads."""
    packages = tmp_path / "packages"
    (packages / "third_backend-1.0.dist-info").mkdir(parents=True)
    shutil.copyfile(HERE, packages / "third.py")
    (packages / "third_backend-1.0.dist-info" / "METADATA").write_text("Name: third-backend\nVersion: 1.0\n")
    (packages / "third_backend-1.0.dist-info" / "entry_points.txt").write_text(
        "[bench.backends]\nthird = third:load\nthird_again = third:load\n"
    )
    (tmp_path / "model").mkdir()
    np.random.default_rng(5).permutation(np.eye(256, dtype=np.int8)).tofile(
        tmp_path / "model" / "weights.table"
    )
    return tmp_path


def installed(*arguments: str, cwd: Path, by: Callable[..., Done] = bench) -> Done:
    return by(*arguments, cwd=cwd, package=cwd / "packages")


@pytest.mark.usefixtures("no_figures")
def test_it_runs_a_suite_beside_another_and_is_reported(outside: Path) -> None:
    write_suite(outside, **{**SUITE, "backends": ["third", "third_again"]})
    done = installed("run", "suite.toml", cwd=outside)
    assert done.returncode == 0, done.stderr
    (run,) = (outside / "results").iterdir()
    header = json.loads((run / "run.json").read_text())
    assert header["packages"]["third-backend"] == "1.0"
    assert header["models"]["full"]["dtype"] == "int8"
    assert header["models"]["full"]["weight_sha256"] is not None
    (session,) = of_type(outside / "results", "session")
    assert session["loaded"]["third/full"]["versions"] == {"third-backend": "1.0"}
    assert [agreement["tolerance"] for agreement in session["equal_work"]] == [0.25]
    slots = of_type(outside / "results", "slot")
    assert slots
    assert all(slot["error"] is None for slot in slots)
    said = installed("report", str(run), cwd=outside)
    assert said.returncode == 0, said.stderr
    assert "third random" in said.stdout


def test_equal_work_is_judged_by_its_own_tolerance(outside: Path) -> None:
    options = {"third_again": {"times": 2}}
    write_suite(outside, **{**SUITE, "backends": ["third", "third_again"], "backend_options": options})
    done = installed("run", "suite.toml", cwd=outside, by=quick)
    assert done.returncode == 1
    assert "logits in int8 differ by 50 % (tolerance 25 %)" in done.stderr


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"models": {"full": {"name": "model", "dtype": "float32"}}}, "has no dtype 'float32'"),
        ({"models": {"full": {"name": "packages", "dtype": "int8"}}}, "holds no *.table"),
    ],
)
def test_what_it_does_not_read_is_refused(outside: Path, changes: dict[str, object], said: str) -> None:
    write_suite(outside, **{**SUITE, **changes})
    done = installed("run", "suite.toml", cwd=outside, by=quick)
    assert done.returncode == 2
    assert said in done.stderr


def test_the_doctor_and_the_isolation_know_it(outside: Path) -> None:
    findings = json.loads(installed("doctor", "--json", cwd=outside).stdout)["findings"]
    (found,) = [finding["found"] for finding in findings if finding["what"] == "backend third"]
    assert found.startswith("third-backend 1.0, no Abacus")
    (outside / "isolation.toml").write_text(
        'name = "x"\nwindow_s = 0.05\nrounds = 2\nstream_bytes = 1000000\n'
        '[[cells]]\nbackend = "third"\nmodel = "model"\nprecision = "int8"\n'
    )
    command = ["isolate", "isolation.toml", "--energy", "modelled", "--csv", "windows.csv", *AS_ROOT]
    done = installed(*command, cwd=outside, by=quick)
    assert done.returncode == 0, done.stderr
    with (outside / "windows.csv").open(newline="") as file:
        tests = {row["test"] for row in csv.DictReader(file)}
    assert tests >= {"S1", "S2", "S3", "S8", "S9", "S10"}
