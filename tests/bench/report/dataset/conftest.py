"""Made-up runs of which nothing is wrong, and the data set that they make."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from bench.report.dataset.add import add
from benchmarks.dataset import make_honest_run

RUNS = 3


@pytest.fixture(scope="session")
def honest(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Run folders; don't change them."""
    folder = tmp_path_factory.mktemp("honest")
    return [make_honest_run(folder, seed=seed) for seed in range(RUNS)]


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
