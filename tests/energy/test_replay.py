import time
from pathlib import Path

import numpy as np
import pytest

from energy.base import EnergyError, SourceUnavailable
from energy.modelled import modelled
from energy.replay import load, replay
from tests.energy.samples import REAL, document
from tests.energy.test_text import SAMPLE


def played(source, folder: Path, seconds: float):
    source.start(folder)
    assert source.wait(time.perf_counter() + seconds, timeout_s=5)
    trace = source.trace()
    source.stop()
    return trace


def test_a_saved_stream_is_played_at_its_own_pace(tmp_path: Path):
    file = tmp_path / "stream.plist"
    file.write_bytes(b"\0".join(document(cpu=n, gpu=1, ane=0) for n in range(10)) + b"\0<?xml cut off")
    source = replay(file=file)
    (tmp_path / "run").mkdir()
    trace = played(source, tmp_path / "run", 0.35)
    assert source.info.kind == "replayed"
    assert 4 <= len(trace.joules) <= 6
    np.testing.assert_allclose(trace.joules[:4, 0], [0, 0.001, 0.002, 0.003])
    np.testing.assert_allclose(load(tmp_path / "run")[0].joules[:, 0], np.arange(10) / 1000)


def test_text_of_older_tools_and_readings_that_end(tmp_path: Path):
    file = tmp_path / "stream.txt"
    file.write_bytes(SAMPLE)
    source = replay(file=file)
    assert source.info.boundary == "soc_plus_dram"
    source.start(tmp_path)
    assert not source.wait(time.perf_counter() + 60, timeout_s=0.1)


def test_a_run_folder_is_played(tmp_path: Path):
    (tmp_path / "first").mkdir()
    (tmp_path / "second").mkdir()
    source = modelled(idle_w=2.0, interval_ms=20)
    source.start(tmp_path / "first")
    time.sleep(0.3)
    source.stop()
    trace = played(replay(file=tmp_path / "first"), tmp_path / "second", 0.1)
    np.testing.assert_allclose(trace.joules[:, 0] / (trace.end_s - trace.start_s), 2.0, rtol=0.01)


@pytest.mark.parametrize("content", [b"", b"no meter wrote this", document()[:-40]])
def test_a_file_without_a_reading_is_refused(tmp_path: Path, content: bytes):
    (tmp_path / "bad").write_bytes(content)
    with pytest.raises(SourceUnavailable, match="can't be replayed"):
        replay(file=tmp_path / "bad")


def test_a_missing_file_and_a_folder_without_a_recording_are_refused(tmp_path: Path):
    with pytest.raises(SourceUnavailable):
        replay(file=tmp_path / "nothing")
    with pytest.raises(SourceUnavailable):
        replay(file=tmp_path)
    with pytest.raises(EnergyError):
        load(tmp_path)[0]


@pytest.mark.skipif(not REAL.exists(), reason="no streams of real Macs beside the checkout")
@pytest.mark.parametrize(
    "name",
    ["m1-macos13.3-2s.plist", "m1-macos12.5.1-100ms-text.txt", "m4pro-macos15.5-gpu_power-5-documents.plist"],
)
def test_real_streams_can_be_replayed(name: str):
    assert replay(file=REAL / name).info.details["replays"] == "powermetrics"
