"""Made-up runs of which nothing is wrong, and the data set that they make."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from bench.report.dataset.add import add
from bench.run import store
from bench.run.records import SelfTestRecord
from benchmarks.long_run import make_long_run
from energy.selftest import Finding

RUNS = 3


def with_self_test(run: Path) -> Path:
    """The run with a self-test that its meter has passed."""
    found = [
        Finding(load=load, rail=rail, expected="moves", rise_w=8.0, passed=True)
        for load, rail in (("cpu spin", "cpu"), ("gpu stream", "gpu"))
    ]
    written = store.Store(run)
    written.append([SelfTestRecord(session=1, start_s=0.0, end_s=1.0, outcome="passed", findings=found)])
    written.close()
    return run


@pytest.fixture(scope="session")
def honest(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Run folders; don't change them."""
    folder = tmp_path_factory.mktemp("honest")
    return [
        with_self_test(make_long_run(folder, hours=0.02, slot_s=1.0, prompts=2, seed=seed))
        for seed in range(RUNS)
    ]


@pytest.fixture(scope="session")
def shared(honest: list[Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Their data set; don't change it."""
    folder = tmp_path_factory.mktemp("data") / "set"
    assert all(one.file for one in add(honest, folder))
    return folder


@pytest.fixture
def dataset(shared: Path, tmp_path: Path) -> Path:
    """A copy of it."""
    return shutil.copytree(shared, tmp_path / "set")
