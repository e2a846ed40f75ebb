import sys
import time
from pathlib import Path

from energy.selftest import judge, run_self_test
from energy.simulated import simulated

IDLE = {"cpu": 1.0, "gpu": 0.5, "ane": 0.0}
NAN = float("nan")


def outcome(load: str, **watts: float) -> dict[str, bool]:
    return {finding.rail: finding.passed for finding in judge(load, {**IDLE, **watts}, IDLE)}


def test_a_cpu_spin_moves_the_cpu_and_nothing_else():
    assert outcome("cpu spin", cpu=9.0) == {"cpu": True, "gpu": True, "ane": True}
    assert outcome("cpu spin", cpu=1.1) == {"cpu": False, "gpu": True, "ane": True}
    assert outcome("cpu spin", cpu=9.0, gpu=4.0)["gpu"] is False


def test_a_gpu_stream_moves_the_gpu_and_may_move_the_cpu():
    assert outcome("gpu stream", gpu=12.0, cpu=3.0) == {"gpu": True, "ane": True}
    assert outcome("gpu stream", cpu=3.0)["gpu"] is False


def test_a_memory_stream_moves_dram_where_there_is_such_a_rail():
    findings = judge("memory stream", {"dram": 2.0}, {"dram": 0.4})
    assert [(finding.rail, finding.passed) for finding in findings] == [("dram", True)]
    assert outcome("memory stream", cpu=9.0) == {"ane": True}


def test_sleep_moves_nothing():
    assert all(outcome("sleep").values())
    assert outcome("sleep", gpu=2.0)["gpu"] is False


def test_a_rail_that_was_not_measured_does_not_pass():
    (finding,) = [f for f in judge("cpu spin", {**IDLE, "cpu": NAN}, IDLE) if f.rail == "cpu"]
    assert not finding.passed
    assert finding.rise_w is None


def test_the_stand_in_answers_a_command_that_spins(tmp_path: Path):
    source = simulated(watts_per_core=8.0)
    source.start(tmp_path)
    time.sleep(1.5)
    try:
        loads = {"cpu spin": [sys.executable, "-c", "while True: pass"]}
        findings = run_self_test(source, loads, seconds=1.5)
    finally:
        source.stop()
    by_rail = {(f.load, f.rail): f for f in findings}
    assert by_rail["cpu spin", "cpu"].rise_w > 1.0
    assert all(finding.passed for finding in findings)
