import time
from pathlib import Path

import numpy as np
import pytest

from energy.attribute import attribute
from energy.base import Trace
from energy.lab.documents import SHAPES
from energy.lab.simulated import simulated
from energy.lab.standin import HELP, main
from energy.replay import load
from tests.energy.lab.truth import read_truth
from tests.energy.test_stream import until_dead
from tests.waiting import TIMEOUT_S, wait_for

FAULTS = {
    "cut": "unreadable document",
    "silence": "stall",
    "death": "meter died",
    "dead-rail": "dead rail",
}


def kinds(trace: Trace) -> set[str]:
    return {fault.kind for fault in trace.faults}


def test_faults_on_command_happen_and_are_found(tmp_path: Path):
    sources = {fault: simulated(fault=f"{fault}@0.5", interval_ms=50, watts_per_core=0) for fault in FAULTS}
    for fault, source in sources.items():
        (tmp_path / fault).mkdir()
        source.start(tmp_path / fault)
    for fault, source in sources.items():
        wait_for(lambda source=source, fault=fault: FAULTS[fault] in kinds(source.trace()))
        source.stop()
    for fault, kind in FAULTS.items():
        assert kind in kinds(load(tmp_path / fault)[0]), fault


def test_a_meter_that_died_goes_on_and_dies_for_good_the_second_time(tmp_path: Path):
    source = simulated(fault="death@0.3", interval_ms=20, watts_per_core=0)
    source.start(tmp_path)
    until_dead(source._reader)
    assert not source.wait(time.perf_counter(), timeout_s=TIMEOUT_S)
    trace = source.trace()
    source.stop()
    assert [fault.kind for fault in trace.faults] == ["meter died", "meter died"]
    assert trace.faults[0].end_s < trace.faults[1].start_s
    assert trace.faults[1].end_s == float("inf")


def run(arguments: str, folder: Path, monkeypatch, capfdbinary) -> bytes:
    monkeypatch.setattr("signal.signal", lambda *_: None)
    main([*arguments.split(), "--truth", str(folder / "truth")])
    return capfdbinary.readouterr().out


@pytest.mark.parametrize("shape", SHAPES)
def test_documents_of_every_shape_can_be_replayed(shape: str, tmp_path: Path, monkeypatch, capfdbinary):
    from energy.replay import replay

    stream = run(f"-i 20 -n 4 --shape {shape} --watts-per-core 0", tmp_path, monkeypatch, capfdbinary)
    assert stream.count(b"\0") == 3
    (tmp_path / "stream").write_bytes(stream)
    source = replay(file=tmp_path / "stream")
    expected = {"intel": ("package",), "m1-macos12": ("cpu", "gpu", "ane", "dram")}
    assert source.info.rails == expected.get(shape, ("cpu", "gpu", "ane"))


def test_batched_counters(tmp_path: Path, monkeypatch, capfdbinary):
    from energy.framing import Framer
    from energy.plist import parse

    options = "-i 20 -n 40 --idle-w 20 --publish-every 0.2 --late 0.01 --watts-per-core 0"
    stream = run(options, tmp_path, monkeypatch, capfdbinary)
    joules = np.array([parse(content).joules["gpu"] for content in Framer().feed(stream)])
    truth = read_truth(tmp_path / "truth")
    assert (joules == 0).sum() > 25
    assert joules.sum() <= truth.joules[-1, 1]
    assert joules.sum() > 0.5 * truth.joules[-1, 1]


def test_help_lists_the_samplers(capsys, monkeypatch):
    monkeypatch.setattr("signal.signal", lambda *_: None)
    main(["-h"])
    assert capsys.readouterr().out.strip() == HELP.strip()


def test_an_unknown_fault_is_refused(capsys):
    with pytest.raises(SystemExit):
        main(["--fault", "earthquake@3"])
    assert "earthquake" in capsys.readouterr().err


def test_a_slot_in_which_the_meter_died_has_no_joules(tmp_path: Path):
    source = simulated(fault="death@0.5", interval_ms=20, watts_per_core=0)
    source.start(tmp_path)
    wait_for(lambda: "meter died" in kinds(source.trace()))
    assert source.wait(time.perf_counter(), timeout_s=TIMEOUT_S)  # it was started again
    trace = source.trace()
    source.stop()
    died_s = trace.faults[0].start_s
    windows = np.array([(trace.end_s[1], trace.end_s[4]), (trace.end_s[1], trace.end_s[-1])])
    assert windows[0, 1] < died_s < windows[1, 1]
    joules, _ = attribute(trace.start_s, trace.end_s, trace.joules, windows)
    assert not np.isnan(joules[0]).any()
    assert np.isnan(joules[1]).all()
