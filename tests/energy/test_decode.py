from pathlib import Path
from typing import Any

import numpy as np
import pytest

from energy import decode
from energy.base import DocumentError, EnergyError, SourceInfo
from energy.decode import RecordingDecoder, parse_json
from energy.recording import Header, Recording, Stamp
from tests.energy.samples import document

SOURCE = SourceInfo(
    name="fake",
    kind="simulated",
    rails=("cpu", "gpu", "ane"),
    boundary="soc_cpu_gpu_ane",
    interval_s=0.1,
    resolution_j=0.001,
)


def at(instant_s: float) -> Stamp:
    return Stamp(instant_s, instant_s + 100, instant_s)


def test_documents_become_rows_as_they_arrive(tmp_path: Path):
    recording = Recording(tmp_path, Header("plist", SOURCE))
    decoder = RecordingDecoder(tmp_path)
    first, second = document(cpu=100, gpu=20, ane=0), document(cpu=200, gpu=20)
    recording.append(first + b"\0" + second[:50], at(1.0))
    decoder.update()
    assert len(decoder.columns().arrival_s) == 1
    recording.append(second[50:], at(2.0))
    recording.close()
    decoder.update()
    columns = decoder.columns()
    np.testing.assert_array_equal(columns.arrival_s, [1.0, 2.0])
    np.testing.assert_array_equal(columns.wall_s, [101.0, 102.0])
    np.testing.assert_allclose(columns.joules, [[0.1, 0.02, 0.0], [0.2, 0.02, np.nan]])
    assert columns.unreadable == columns.rail_faults == ()


def test_an_interrupt_in_the_middle_of_a_row_loses_and_doubles_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """Ctrl-C comes wherever it comes, and what was measured is decoded once more at the end of the run."""
    recording = Recording(tmp_path, Header("plist", SOURCE))
    for second in range(4):
        recording.append(document(cpu=100 + second, gpu=20, ane=0) + b"\0", at(second))
    recording.close()
    decoder, left = RecordingDecoder(tmp_path), [5]  # two columns to a row: in the third, after its first one

    def interrupted(*given: Any) -> None:
        left[0] -= 1
        if left[0] == 0:
            raise KeyboardInterrupt
        appended(*given)

    appended = decode._append
    monkeypatch.setattr(decode, "_append", interrupted)
    with pytest.raises(KeyboardInterrupt):
        decoder.update()
    decoder.update()
    assert decoder.columns().arrival_s.tolist() == [0.0, 1.0, 2.0, 3.0]
    np.testing.assert_allclose(decoder.columns().joules[:, 0], [0.1, 0.101, 0.102, 0.103])


def test_the_rails_are_those_that_the_stream_shows(tmp_path: Path):
    recording = Recording(tmp_path, Header("plist", SOURCE))
    recording.append(document(cpu=1, gpu=1, ane=0, dram=3, package=9), at(1.0))
    recording.close()
    decoder = RecordingDecoder(tmp_path)
    decoder.update()
    assert decoder.source.rails == ("cpu", "gpu", "ane", "dram")
    assert decoder.source.boundary == "soc_plus_dram"


def test_a_document_that_can_not_be_read_is_a_note(tmp_path: Path):
    recording = Recording(tmp_path, Header("plist", SOURCE))
    recording.append(document() + b"<?xml nonsense</plist>" + document(), at(1.0))
    recording.close()
    decoder = RecordingDecoder(tmp_path)
    decoder.update()
    columns = decoder.columns()
    assert np.isnan(columns.elapsed_s).tolist() == [False, True, False]
    assert [row for row, _ in columns.unreadable] == [1]


def test_deaths_and_thermal_pressure_are_kept(tmp_path: Path):
    recording = Recording(tmp_path, Header("plist", SOURCE))
    hot = document().replace(
        b"<key>processor", b"<key>thermal_pressure</key><string>Heavy</string><key>processor", 1
    )
    recording.append(document() + hot + hot, at(1.0))
    recording.event("died", "exit code 1", at(2.0))
    recording.event("restarted", "process 2", at(3.0))
    recording.append(document(), at(4.0))
    recording.close()
    decoder = RecordingDecoder(tmp_path)
    decoder.update()
    columns = decoder.columns()
    assert columns.deaths == ((2.0, "exit code 1"),)
    assert columns.thermal == ((1.0, "Heavy"),)
    assert columns.session.tolist() == [1, 1, 1, 2]


def test_a_recording_without_a_heading_is_refused(tmp_path: Path):
    (tmp_path / "power.index").write_text("")
    decoder = RecordingDecoder(tmp_path)
    decoder.update()
    with pytest.raises(EnergyError, match="no header"):
        _ = decoder.source


@pytest.mark.parametrize("line", [b"", b"{}", b"[1]", b'{"elapsed_s": "x", "joules": {}}'])
def test_lines_that_are_no_readings(line: bytes):
    with pytest.raises(DocumentError):
        parse_json(line)


def test_rails_are_those_of_all_documents_not_of_the_first(tmp_path: Path):
    recording = Recording(tmp_path, Header("plist", SOURCE))
    for number, content in enumerate([document(gpu=1), document(cpu=2, gpu=1, ane=0, dram=3)]):
        recording.append(content, at(number + 1.0))
    recording.close()
    decoder = RecordingDecoder(tmp_path)
    decoder.update()
    assert decoder.source.rails == ("cpu", "gpu", "ane", "dram")
    np.testing.assert_allclose(
        decoder.columns().joules, [[np.nan, 0.001, np.nan, np.nan], [0.002, 0.001, 0, 0.003]]
    )


def test_a_document_behind_a_cut_one_is_read(tmp_path: Path):
    recording = Recording(tmp_path, Header("plist", SOURCE))
    recording.append(document()[:90] + b"\n\0" + document(cpu=7, gpu=1), at(1.0))
    recording.close()
    decoder = RecordingDecoder(tmp_path)
    decoder.update()
    columns = decoder.columns()
    assert [row for row, _ in columns.unreadable] == [0]
    assert columns.joules[1, 0] == 0.007
