import subprocess
import sys
import time
from pathlib import Path

import pytest

from energy import stream
from energy.base import SourceInfo
from energy.decode import RecordingDecoder
from energy.recording import Event, Header, Recording, RecordingReader
from energy.stream import StreamReader
from tests.energy.samples import document
from tests.waiting import TIMEOUT_S, wait_for

SOURCE = SourceInfo(
    name="fake", kind="simulated", rails=("cpu",), boundary="package", interval_s=0.1, resolution_j=0.001
)
METER = f"""
import os, sys, time
DOCUMENT = {document()!r}
def write(content, pieces=1):
    step = -(-len(content) // pieces)
    for begin in range(0, len(content), step):
        os.write(1, content[begin : begin + step])
"""


def follow(folder: Path, body: str) -> StreamReader:
    return StreamReader(
        lambda: subprocess.Popen([sys.executable, "-c", METER + body], stdout=subprocess.PIPE, bufsize=0),
        Recording(folder, Header("plist", SOURCE)),
    )


def readings(folder: Path) -> int:
    decoder = RecordingDecoder(folder)
    decoder.update()
    return len(decoder.columns().elapsed_s)


def events(folder: Path) -> list[str]:
    return [entry.event for entry in RecordingReader(folder).new_entries() if isinstance(entry, Event)]


def until_dead(reader: StreamReader) -> None:
    wait_for(lambda: reader.dead is not None)


def test_an_unbuffered_meter_is_read_document_by_document(tmp_path: Path):
    reader = follow(tmp_path, "for _ in range(5): write(DOCUMENT, 200); time.sleep(0.05)\ntime.sleep(600)")
    arrived_s, arrivals = 0.0, 0
    while arrivals < 5 and reader.wait_for_document(arrived_s, deadline_s=time.perf_counter() + TIMEOUT_S):
        arrived_s, arrivals = reader.last_arrival_s, arrivals + 1
    reader.stop(grace_s=30)
    assert readings(tmp_path) == arrivals == 5


def test_a_meter_that_dies_is_started_again_once(tmp_path: Path):
    reader = follow(tmp_path, "write(DOCUMENT); sys.exit(3)")
    until_dead(reader)
    assert not reader.wait_for_document(time.perf_counter(), deadline_s=time.perf_counter() + TIMEOUT_S)
    reader.stop(grace_s=30)
    assert reader.dead == "the meter ended with exit code 3"
    assert events(tmp_path) == ["started", "died", "restarted", "died", "stopped"]
    assert readings(tmp_path) == 2


def test_what_a_dying_meter_left_unfinished_is_no_part_of_the_next_document(tmp_path: Path):
    reader = follow(tmp_path, "write(DOCUMENT + DOCUMENT[:80]); sys.exit(1)")
    until_dead(reader)
    reader.stop(grace_s=30)
    assert readings(tmp_path) == 2


@pytest.mark.parametrize("body", ["time.sleep(600)", "write(DOCUMENT[:50]); time.sleep(600)"])
def test_a_silent_meter_is_ended_at_once(tmp_path: Path, body: str):
    reader = follow(tmp_path, body)
    reader.stop(grace_s=TIMEOUT_S)
    reader.stop(grace_s=TIMEOUT_S)
    assert events(tmp_path) == ["started", "stopped"]  # and nothing that lingers


def test_a_meter_that_ignores_its_end_is_killed(tmp_path: Path):
    body = "import signal\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\nwrite(DOCUMENT)\ntime.sleep(600)"
    reader = follow(tmp_path, body)
    assert reader.wait_for_document(0.0, deadline_s=time.perf_counter() + TIMEOUT_S)
    reader.stop(grace_s=0.3)
    assert "lingers" in events(tmp_path)


def test_a_stream_without_the_end_of_a_document_is_given_up(tmp_path: Path, monkeypatch):
    monkeypatch.setattr(stream, "MAX_DOCUMENT_BYTES", 2**20)
    reader = follow(tmp_path, "while True: write(b'x' * 50_000)")
    until_dead(reader)
    reader.stop(grace_s=30)
    assert "without the end of a document" in reader.dead
    assert (tmp_path / "power.raw").stat().st_size < 4 * 2**20


def test_a_full_disk_is_said(tmp_path: Path, monkeypatch):
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Recording, "append", full)
    reader = follow(tmp_path, "write(DOCUMENT)\ntime.sleep(600)")
    until_dead(reader)
    reader.stop(grace_s=30)
    assert "No space left" in reader.dead
