"""Fixtures that several files share: one small run, made once."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.bench.processes import bench
from tests.bench.suites import write_suite


@pytest.fixture(scope="session")
def echo_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A stored run of one block: echo ungated, its A/A copy, a gate; modelled joules. Don't change it."""
    folder = tmp_path_factory.mktemp("echo")
    suite = write_suite(folder)
    done = bench("run", str(suite), "--out", str(folder / "results"), cwd=folder)
    assert done.returncode == 0, done.stderr
    return next((folder / "results").iterdir())
