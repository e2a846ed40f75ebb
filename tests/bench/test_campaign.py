"""A short campaign: damaged run folders through every command that reads one."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.campaign import folders


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return folders.make_run(tmp_path_factory.mktemp("campaign") / "good")


@pytest.mark.parametrize("part", range(4))
def test_a_damaged_run_folder_is_read_or_refused(good: Path, tmp_path: Path, part: int) -> None:
    for seed in range(part * 10, part * 10 + 10):
        command, damage, outcome = folders.one(good, tmp_path / str(seed), seed=seed)
        assert not outcome.is_bad, f"seed {seed}, {command}, {damage}: {outcome.kind}: {outcome.detail}"
