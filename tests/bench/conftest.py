"""Fixtures that several files share: one small run, made once."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.bench.runs import run_suite


@pytest.fixture(scope="session")
def echo_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A stored run of one block: echo, its A/A copy, a gate; modelled joules. Don't change it."""
    return run_suite(tmp_path_factory.mktemp("echo"))
