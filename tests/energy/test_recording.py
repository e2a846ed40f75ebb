import json
from pathlib import Path

import pytest

from energy.base import EnergyError, SourceInfo
from energy.packing import RAW
from energy.recording import INDEX, Arrival, Event, Header, Recording, RecordingReader, Stamp

SOURCE = SourceInfo(
    name="fake", kind="simulated", rails=("cpu",), boundary="package", interval_s=0.1, resolution_j=0.001
)


def test_what_was_recorded_is_read_back_while_it_grows(tmp_path: Path):
    recording = Recording(tmp_path, Header("plist", SOURCE))
    reader = RecordingReader(tmp_path)
    assert list(reader.new_entries()) == [Header("plist", SOURCE)]
    recording.append(b"abc", Stamp(1.0, 2.0, 3.0))
    recording.event("died", "exit code 1", Stamp(4.0, 5.0, 6.0))
    assert list(reader.new_entries()) == [
        Arrival(3, Stamp(1.0, 2.0, 3.0)),
        Event("died", "exit code 1", Stamp(4.0, 5.0, 6.0)),
    ]
    recording.close()
    assert list(reader.new_entries()) == []
    assert reader.content(1, 3) == b"bc"


def test_a_second_session_is_appended(tmp_path: Path):
    for _ in range(2):
        recording = Recording(tmp_path, Header("plist", SOURCE))
        recording.append(b"abc", Stamp(1.0, 2.0, 3.0))
        recording.close()
    received = [e.received for e in RecordingReader(tmp_path).new_entries() if isinstance(e, Arrival)]
    assert received == [3, 6]
    assert (tmp_path / RAW).read_bytes() == b"abcabc"


def test_readings_in_si_units_are_lines_of_json(tmp_path: Path):
    recording = Recording(tmp_path, Header("readings", SOURCE))
    recording.reading(0.1, {"cpu": 0.5, "gpu": None}, Stamp(1.0, 2.0, 3.0))
    recording.close()
    assert json.loads((tmp_path / RAW).read_text()) == {"elapsed_s": 0.1, "joules": {"cpu": 0.5, "gpu": None}}


def test_a_line_that_was_cut_short_is_left_for_later(tmp_path: Path):
    Recording(tmp_path, Header("plist", SOURCE)).close()
    with (tmp_path / INDEX).open("a") as index:
        index.write('{"received": 3, "at": [1')
    assert len(list(RecordingReader(tmp_path).new_entries())) == 1


@pytest.mark.parametrize("line", ["nonsense", "{}", '{"received": 3, "at": [1]}', '{"schema": 99}'])
def test_an_index_that_is_none_is_refused(tmp_path: Path, line: str):
    (tmp_path / INDEX).write_text(line + "\n")
    with pytest.raises(EnergyError, match=r"power\.index"):
        list(RecordingReader(tmp_path).new_entries())


def test_the_sleepless_clock_goes_on():
    first, second = Stamp.now(), Stamp.now()
    assert second.sleepless_s >= first.sleepless_s
    assert second.harness_s >= first.harness_s
