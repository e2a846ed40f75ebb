"""Made-up runs of which nothing is wrong, and the data set that they make."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from bench.report.dataset.add import add
from bench.report.dataset.folder import run_files
from benchmarks.dataset import make_honest_run
from energy.cache import KEPT, kept, pack_and_keep

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


@pytest.fixture(scope="session")
def decoded(honest: list[Path], shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy with the decoded readings that the runs kept, so that no test decodes them; don't change it."""
    own = tmp_path_factory.mktemp("decoded")
    folder = shutil.copytree(shared, own / "set")
    for file in run_files(folder):
        run = shutil.copytree(honest[0].with_name(file.stem), own / file.stem)
        pack_and_keep(run)
        shutil.copy(run / KEPT, file.with_suffix(""))
        assert kept(file.with_suffix(""))
    return folder


@pytest.fixture
def dataset(decoded: Path, tmp_path: Path) -> Path:
    """A copy to be changed."""
    return shutil.copytree(decoded, tmp_path / "set")
