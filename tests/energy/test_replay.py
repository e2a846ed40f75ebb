import re
import time
from pathlib import Path

import numpy as np
import pytest

from energy.base import EnergyError, SourceUnavailable
from energy.lab.documents import SHAPES, Told
from energy.lab.documents import document as make_document
from energy.modelled import modelled
from energy.replay import load, read_kept, replay
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


def saved(folder: Path, documents: list[bytes]) -> Path:
    file = folder / "saved.plist"
    file.write_bytes(b"\0".join(documents))
    return file


def stream(count: int = 12, **changes) -> list[bytes]:
    """Documents two seconds apart, of a chip whose parts work."""
    told = [
        Told(
            elapsed_ns=2_000_000_000,
            label_s=1_700_000_000.5 + 2 * n,
            energies_mj={"cpu": 90 + n, "gpu": 30 + n, "ane": 0},
            active_cores=1.0,
            gpu_active=0.5,
            **changes,
        )
        for n in range(count)
    ]
    return [make_document(one, SHAPES["m1"]) for one in told]


PLAIN_J = {"cpu": 0.001 * (12 * 90 + 66), "gpu": 0.001 * (12 * 30 + 66), "ane": 0.0}


def measured_j(file: Path) -> tuple[dict[str, float], list[str], float]:
    """Joules by rail, kinds of the faults, and seconds of readings."""
    trace, _ = read_kept(file)
    joules = dict(zip(trace.rails, trace.joules.sum(axis=0).tolist(), strict=True))
    return joules, [fault.kind for fault in trace.faults], float((trace.end_s - trace.start_s).sum())


def test_a_plain_stream_has_no_fault(tmp_path: Path):
    joules, kinds, seconds_s = measured_j(saved(tmp_path, stream()))
    assert joules == pytest.approx(PLAIN_J)
    assert kinds == []
    assert seconds_s == pytest.approx(24)


def test_a_reading_told_twice_counts_once_and_is_named(tmp_path: Path):
    documents = stream()
    joules, kinds, _ = measured_j(saved(tmp_path, [*documents[:6], documents[5], *documents[6:]]))
    assert joules == pytest.approx(PLAIN_J)
    assert kinds == ["duplicated reading"]


def test_a_hole_is_named(tmp_path: Path):
    documents = stream()
    file = saved(tmp_path, documents[:5] + documents[7:])
    _, kinds, seconds_s = measured_j(file)
    assert kinds == ["gap"]
    assert seconds_s == pytest.approx(20)
    (gap,) = read_kept(file)[0].faults
    assert gap.end_s - gap.start_s == pytest.approx(4, abs=1)


def test_a_cut_document_costs_itself_alone(tmp_path: Path):
    documents = stream()
    documents[5] = documents[5][: len(documents[5]) // 2] + b"\n"
    joules, kinds, seconds_s = measured_j(saved(tmp_path, documents))
    assert joules["cpu"] == pytest.approx(PLAIN_J["cpu"] - 0.095)
    assert kinds == ["unreadable document"]
    assert seconds_s == pytest.approx(22)


def test_noise_between_documents_is_named_and_costs_none(tmp_path: Path):
    documents = stream()
    documents[5] = b"Second underflow occured.\n" + documents[5]
    joules, kinds, _ = measured_j(saved(tmp_path, documents))
    assert joules == pytest.approx(PLAIN_J)
    assert kinds == ["unreadable document"]


def test_a_stream_cut_at_its_end_says_so(tmp_path: Path):
    file = saved(tmp_path, stream())
    file.write_bytes(file.read_bytes()[:-900])
    _, kinds, seconds_s = measured_j(file)
    assert kinds == ["unreadable document"]
    assert seconds_s == pytest.approx(22)


def test_a_rail_that_is_zero_while_it_works_is_dead(tmp_path: Path):
    documents = [re.sub(rb"cpu_energy</key><integer>\d+", b"cpu_energy</key><integer>0", d) for d in stream()]
    joules, kinds, _ = measured_j(saved(tmp_path, documents))
    assert np.isnan(joules["cpu"])
    assert set(kinds) == {"dead rail"}


def test_rails_are_those_of_all_documents(tmp_path: Path):
    documents = stream()
    documents[0] = re.sub(rb"<key>cpu_(energy|power)</key>[^\n]*\n", b"", documents[0])
    trace, info = read_kept(saved(tmp_path, documents))
    assert info.rails == ("cpu", "gpu", "ane")
    assert [(fault.kind, fault.rail) for fault in trace.faults] == [("missing rail", "cpu")]
    assert np.isnan(trace.joules[0, 0])
    assert trace.joules[1:, 0].sum() == pytest.approx(PLAIN_J["cpu"] - 0.09)


def test_what_a_bare_stream_can_not_show_is_stated(tmp_path: Path):
    trace, info = read_kept(saved(tmp_path, stream()))
    assert "whole-second labels" in info.details["placed"]
    assert trace.alignment_s == pytest.approx(0.5, abs=0.01)
