"""A disk that is full, a file that may not grow, and a power cut: one line, and what is whole stays whole."""

from __future__ import annotations

import os
import random
import resource
import shutil
from collections import Counter
from pathlib import Path

import pytest

from bench.report.readback import read_back
from bench.run import repair, store
from bench.run.records import RequestRecord, SlotRecord
from benchmarks.campaign.full_disk import room_for
from tests.bench.at_hand import QUICK, quick
from tests.bench.processes import bench
from tests.bench.runs import run_folder, run_suite
from tests.bench.suites import write_suite


@pytest.fixture(scope="module")
def three_blocks(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return run_suite(tmp_path_factory.mktemp("run"), protocol__blocks=3, protocol__min_window_s=0.02)


@pytest.mark.parametrize("bytes_free", [300, 40_000])
def test_a_full_disk_is_told_in_a_line_and_the_run_goes_on_once_there_is_room(
    tmp_path: Path, bytes_free: int
) -> None:
    write_suite(tmp_path, **QUICK)
    with room_for(bytes_free):
        full = quick("run", "suite.toml", "--quiet", cwd=tmp_path)
    assert full.returncode == 1
    assert "(No space left on device)" in full.stderr
    assert len(full.stderr.splitlines()) == 1
    left = list((tmp_path / "results").glob("*/run.json"))
    arguments = ["--resume", str(left[0].parent)] if left else ["suite.toml"]
    assert quick("run", *arguments, "--quiet", cwd=tmp_path).returncode == 0
    assert read_back(store.read(run_folder(tmp_path / "results"))).whole_blocks == 1


def test_a_stream_that_may_not_grow_is_called_what_it_is(tmp_path: Path) -> None:
    write_suite(tmp_path, energy={"source": "simulated", "interval_ms": 20})
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (150_000, before[1]))
    try:
        done = bench("run", "suite.toml", "--quiet", cwd=tmp_path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert done.returncode == 1
    assert "power.raw (File too large)" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def counts_of_whole_blocks(folder: Path) -> dict[int, tuple[int, int]]:
    """Windows and requests of each block that is marked as whole."""
    stored = store.read(folder)
    slots = Counter(slot.block for slot in stored.of(SlotRecord))
    requests = Counter(request.block for request in stored.of(RequestRecord))
    return {block: (slots[block], requests[block]) for block in stored.finished_blocks}


def damaged_copy(run: Path, into: Path, *, at: int, zeros: int = 0) -> Path:
    """The run with its records cut at a byte, and so many zeros after it, as a power cut leaves them."""
    copy = Path(shutil.copytree(run, into / str(at)))
    os.truncate(copy / store.RECORDS, at)
    os.truncate(copy / store.RECORDS, at + zeros)
    return copy


def test_records_that_were_cut_at_any_byte_have_whole_blocks_that_are_whole(
    three_blocks: Path, tmp_path: Path
) -> None:
    whole = counts_of_whole_blocks(three_blocks)
    size = (three_blocks / store.RECORDS).stat().st_size
    first = (three_blocks / store.RECORDS).read_bytes().index(b"\n") + 1
    for at in random.Random(1).sample(range(first, size), 25):
        cut = damaged_copy(three_blocks, tmp_path / "cut", at=at)
        assert counts_of_whole_blocks(cut).items() <= whole.items()
        zeroed = damaged_copy(three_blocks, tmp_path / "zeroed", at=at, zeros=200)
        with (zeroed / store.RECORDS).open("ab") as file:
            file.write(b"\n")
        repair.repair(zeroed)
        assert counts_of_whole_blocks(zeroed).items() <= whole.items()


def test_an_index_that_was_cut_at_any_byte_can_be_reported(three_blocks: Path, tmp_path: Path) -> None:
    size = (three_blocks / "power.index").stat().st_size
    for at in [size - 1, *random.Random(2).sample(range(400, size), 6)]:
        cut = Path(shutil.copytree(three_blocks, tmp_path / str(at)))
        os.truncate(cut / "power.index", at)
        readback = read_back(store.read(cut))
        assert readback.whole_blocks == len(counts_of_whole_blocks(three_blocks))
