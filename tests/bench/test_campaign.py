"""Short campaigns: damaged run folders and inputs, and kills of a run."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from bench.errors import UserError
from bench.report.readback import read_back
from bench.run import store
from benchmarks.campaign import folders, inputs, kills
from tests.bench.at_hand import quick


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    def run_in(folder: Path) -> None:
        done = quick("run", "suite.toml", "--quiet", cwd=folder)
        assert done.returncode == 0, done.stderr

    return folders.make_run(tmp_path_factory.mktemp("campaign") / "good", run_in=run_in)


@pytest.mark.parametrize("part", range(4))
def test_a_damaged_run_folder_is_read_or_refused(good: Path, tmp_path: Path, part: int) -> None:
    for seed in range(part * 10, part * 10 + 10):
        command, damage, outcome = folders.one(good, tmp_path / str(seed), seed=seed)
        assert not outcome.is_bad, f"seed {seed}, {command}, {damage}: {outcome.kind}: {outcome.detail}"


@pytest.mark.parametrize("name", inputs.readers())
def test_a_damaged_input_is_read_or_refused(tmp_path: Path, name: str) -> None:
    read, honest = inputs.readers()[name]
    (tmp_path / name).write_bytes(honest)
    read(tmp_path / name)
    for seed in range(40):
        outcome = inputs.one(read, honest, tmp_path / name, seed=seed)
        assert not outcome.is_bad, f"seed {seed}: {outcome.kind}: {outcome.detail}"


@pytest.mark.parametrize("blocks", [9223372036854775807, 5_000_000])
def test_more_blocks_than_anybody_waits_for_are_refused_by_their_hours(tmp_path: Path, blocks: int) -> None:
    read, honest = inputs.readers()["suite.toml"]
    (tmp_path / "suite.toml").write_bytes(honest.replace(b"blocks = 5", b"blocks = %d" % blocks))
    with pytest.raises(UserError, match=r"takes .* hours at least"):
        read(tmp_path / "suite.toml")


def test_a_run_that_is_killed_again_and_again_ends_whole(tmp_path: Path) -> None:
    done = kills.one(tmp_path / "run", seed=2, kills=2)
    assert not done.bad
    assert done.kills
    assert done.sessions > 1


def test_a_record_that_is_gone_or_stands_twice_is_seen(good: Path, tmp_path: Path) -> None:
    whole = kills.whole(good)
    assert whole is not None
    assert kills.looked_at(good, whole) == []
    run = Path(shutil.copytree(good, tmp_path / good.name))
    lines = (run / "records.jsonl").read_bytes().splitlines(keepends=True)
    request = next(number for number, line in enumerate(lines) if b'"type": "request"' in line)
    for damaged in (lines[:request] + lines[request + 1 :], lines[: request + 1] + lines[request:]):
        (run / "records.jsonl").write_bytes(b"".join(damaged))
        assert "a request is missing or twice" in kills.looked_at(run, read_back(store.read(run)))
