import sys
import time
from pathlib import Path
from unittest.mock import MagicMock

import numpy as np
import pytest

from energy import selftest
from energy.base import Trace
from energy.lab.simulated import simulated
from energy.selftest import (
    Finding,
    find_lag,
    judge,
    judge_windows,
    lasting_s,
    outcome,
    put_loads,
    run_self_test,
    without_silent,
)
from tests.waiting import TIMEOUT_S


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Loads and what follows them settle sooner."""
    monkeypatch.setattr(selftest, "SETTLE_S", 0.2)


IDLE = {"cpu": 1.0, "gpu": 0.5, "ane": 0.0}
NAN = float("nan")


def by_rail(load: str, **watts: float) -> dict[str, bool]:
    return {finding.rail: finding.passed for finding in judge(load, {**IDLE, **watts}, IDLE)}


def test_a_cpu_spin_moves_the_cpu_and_nothing_else():
    assert by_rail("cpu spin", cpu=9.0) == {"cpu": True, "gpu": True, "ane": True}
    assert by_rail("cpu spin", cpu=1.1) == {"cpu": False, "gpu": True, "ane": True}
    assert by_rail("cpu spin", cpu=9.0, gpu=4.0)["gpu"] is False


def test_a_gpu_stream_moves_the_gpu_and_may_move_the_cpu():
    assert by_rail("gpu stream", gpu=12.0, cpu=3.0) == {"gpu": True, "ane": True}
    assert by_rail("gpu stream", cpu=3.0)["gpu"] is False


def test_a_memory_stream_moves_dram_where_there_is_such_a_rail():
    findings = judge("memory stream", {"dram": 2.0}, {"dram": 0.4})
    assert [(finding.rail, finding.passed) for finding in findings] == [("dram", True)]
    assert by_rail("memory stream", cpu=9.0) == {"ane": True}


def test_sleep_moves_nothing():
    assert all(by_rail("sleep").values())
    assert by_rail("sleep", gpu=2.0)["gpu"] is False


def test_a_rail_that_was_not_measured_does_not_pass():
    (finding,) = [f for f in judge("cpu spin", {**IDLE, "cpu": NAN}, IDLE) if f.rail == "cpu"]
    assert not finding.passed
    assert finding.rise_w is None


@pytest.mark.usefixtures("quick")
def test_the_stand_in_answers_a_command_that_spins(tmp_path: Path):
    source = simulated(watts_per_core=100.0, interval_ms=20)
    source.start(tmp_path)
    try:
        assert source.wait(time.perf_counter(), timeout_s=TIMEOUT_S)
        loads = {"cpu spin": [sys.executable, "-c", "while True: pass"]}
        findings = run_self_test(source, loads, seconds=2.0)  # a busy machine is slow to start the load
    finally:
        source.stop()
    rises_w = {(f.load, f.rail): f.rise_w for f in findings}
    assert rises_w["cpu spin", "cpu"] > 1.0
    assert outcome(findings, source.info.rails).passed


@pytest.mark.usefixtures("quick")
def test_a_load_that_somebody_has_stopped_is_ended(tmp_path: Path):
    stops = (sys.executable, "-c", "import os, signal; os.kill(os.getpid(), signal.SIGSTOP)")
    source = simulated(interval_ms=20)
    source.start(tmp_path)
    try:
        findings = run_self_test(source, {"cpu spin": stops}, seconds=0.01)
    finally:
        source.stop()
    [moves] = [f for f in findings if (f.load, f.rail, f.expected) == ("cpu spin", "cpu", "moves")]
    assert moves.passed is False


@pytest.mark.usefixtures("quick")
def test_a_load_that_crashes_tests_nothing_and_is_not_held_against_its_rail(tmp_path: Path):
    source = simulated(watts_per_core=100.0, interval_ms=20)
    source.start(tmp_path)
    try:
        assert source.wait(time.perf_counter(), timeout_s=TIMEOUT_S)
        loads = {
            "cpu spin": [sys.executable, "-c", "while True: pass"],
            "gpu stream": [sys.executable, "-c", "raise SystemExit(1)"],
        }
        windows = put_loads(source, loads, seconds=0.5)
        start_s, end_s = windows["cpu spin"]
        windows["cpu spin"] = start_s, end_s - 0.1  # the stand-in loses sight of a process as it ends
        findings = judge_windows(source.trace(), windows)
    finally:
        source.stop()
    gpu = [f for f in findings if f.load == "gpu stream"]
    assert [(f.rail, f.passed) for f in gpu] == [("gpu", None)]
    assert outcome(findings, source.info.rails).silent == {}


def finding(
    rail: str, *, passed: bool | None, expected: str = "moves", rise_w: float | None = 0.01
) -> Finding:
    return Finding(load="cpu spin", rail=rail, expected=expected, rise_w=rise_w, passed=passed)


@pytest.mark.parametrize("cadence_s", [0.1, 0.25])
def test_what_a_run_takes_for_its_loads_and_pulses_is_known_beforehand(
    monkeypatch: pytest.MonkeyPatch, cadence_s: float
):
    """All sleeps of a self-test with three loads, and of the pulses on both sides of the blocks, added up."""
    slept_s: list[float] = []
    monkeypatch.setattr(time, "sleep", slept_s.append)
    ends_s = time.perf_counter() + cadence_s * np.arange(-100, 100)
    trace = Trace(("cpu",), ends_s - cadence_s, ends_s, np.ones((200, 1)), alignment_s=0.0)
    source = MagicMock(trace=lambda: trace, info=MagicMock(rails=("cpu",), interval_s=cadence_s))
    load = [sys.executable, "-c", "import time; time.sleep(60)"]
    run_self_test(source, dict.fromkeys(("cpu spin", "gpu stream", "memory stream"), load), seconds=5.0)
    for _ in ("before", "after"):
        find_lag(source, load)
    assert sum(slept_s) == pytest.approx(lasting_s(5.0, cadence_s), rel=0.05)


def test_a_rail_that_does_not_answer_is_silent_and_the_test_has_failed():
    tested = outcome(
        [finding("cpu", passed=False), finding("gpu", passed=True, expected="rests")], ["cpu", "gpu"]
    )
    assert not tested.passed
    assert set(tested.silent) == {"cpu"}
    assert "'cpu spin' cpu rose by 0.01 W and must rise by 0.3 W" in tested.reason


def test_a_rail_that_moves_when_it_should_rest_fails_the_test_and_keeps_its_joules():
    findings = [finding("cpu", passed=True), finding("gpu", passed=False, expected="rests", rise_w=4.0)]
    tested = outcome(findings, ["cpu", "gpu"])
    assert not tested.passed
    assert tested.silent == {}
    assert "gpu rose by 4.00 W and must rest" in tested.reason


def test_not_tested_is_not_failed():
    findings = [finding("cpu", passed=True), finding("gpu", passed=None, rise_w=None)]
    assert outcome(findings, ["cpu", "gpu"]).passed


def test_a_test_that_measured_nothing_has_failed_for_every_rail():
    for findings in (
        [],
        [finding("gpu", passed=None, rise_w=None)],
        [finding("cpu", passed=False, rise_w=None)],
    ):
        tested = outcome(findings, ["cpu", "gpu"])
        assert not tested.passed
        assert set(tested.silent) == {"cpu", "gpu"}
        assert "measured nothing" in tested.reason


def test_a_silent_rail_is_not_measured_and_names_its_fault():
    ends_s = np.arange(1.0, 4.0)
    trace = Trace(("cpu", "gpu"), ends_s - 1, ends_s, np.ones((3, 2)), 0.0)
    refused = without_silent(trace, {"cpu": "why"})
    assert np.isnan(refused.joules[:, 0]).all()
    assert (refused.joules[:, 1] == 1).all()
    (fault,) = refused.faults
    assert (fault.kind, fault.rail, fault.detail, fault.start_s, fault.end_s) == (
        "dead rail",
        "cpu",
        "why",
        0,
        3,
    )
    assert without_silent(trace, {}) is trace
