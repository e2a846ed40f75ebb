"""A whole run of the echo backend, of which machines that are none make copies."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.bench.runs import run_suite
from tests.bench.suites import write_suite

CHANGES = {"protocol__blocks": 2, "protocol__min_window_s": 0.05, "protocol__idle_s": 0.05}


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Its folder; don't change it."""
    return run_suite(tmp_path_factory.mktemp("template"), **CHANGES)


@pytest.fixture
def suites(tmp_path: Path) -> list[str]:
    """Files of two suites, each with a hash of its own."""
    files = []
    for name in ("one", "two"):
        file = write_suite(tmp_path / "suites", **CHANGES, name=name)
        files.append(str(file.rename(file.with_stem(name))))
    return files
