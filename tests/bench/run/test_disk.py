"""The disk of a run: room before it starts, streams packed after it."""

from __future__ import annotations

import shutil
from collections import namedtuple
from pathlib import Path

import pytest

from bench.errors import UserError
from bench.run import disk
from bench.suite.config import Protocol
from energy.base import SourceInfo
from energy.packing import PACKED, RAW
from energy.recording import INDEX
from tests.bench.processes import bench

SOURCE = SourceInfo(
    name="powermetrics",
    kind="measured",
    rails=("cpu", "gpu", "ane"),
    boundary="soc_cpu_gpu_ane",
    interval_s=0.1,
    resolution_j=0.001,
)
Usage = namedtuple("Usage", "total used free")


def room(folder: Path, monkeypatch: pytest.MonkeyPatch, *, free_mb: float) -> str | None:
    """Ten minutes at ten readings a second of 12 kB, with so much free."""
    (folder / RAW).write_bytes(bytes(12_000))
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(0, 0, int(free_mb * 1e6)))
    protocol = Protocol(min_window_s=59.0, cool_down_s=1.0)
    return disk.check_room(folder, protocol, windows=10, source=SOURCE)


def test_a_run_that_does_not_fit_on_the_disk_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(UserError, match=r"has 70 MB free, and this run writes about 78 MB; free some"):
        room(tmp_path, monkeypatch, free_mb=70)


def test_a_disk_that_may_become_narrow_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "has 100 MB free" in str(room(tmp_path, monkeypatch, free_mb=100))
    assert room(tmp_path, monkeypatch, free_mb=200) is None


def test_the_stream_of_a_session_that_was_not_begun_stays_open_for_the_next(tmp_path: Path) -> None:
    begun, not_begun = tmp_path, tmp_path / "session-2"
    for folder in (begun, not_begun, not_begun / "rapl"):
        folder.mkdir(exist_ok=True)
        (folder / RAW).write_bytes(b"stream")
        (folder / INDEX).write_bytes(b"")
    disk.pack_streams(tmp_path, but=not_begun)
    assert sorted(str(file.relative_to(tmp_path)) for file in tmp_path.rglob("power.raw*")) == [
        PACKED,
        f"session-2/{RAW}",
        f"session-2/rapl/{RAW}",
    ]


def test_a_run_is_refused_before_a_model_is_loaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(0, 0, 1_000_000))
    done = bench("run", "quick", "--energy", "modelled", "--quiet", cwd=tmp_path)
    assert done.returncode == 2
    assert "has 1 MB free, and this run writes about" in done.stderr
    assert not (tmp_path / "results").exists()
