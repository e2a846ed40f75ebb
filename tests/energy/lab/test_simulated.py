import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import psutil
import pytest

from energy.attribute import attribute
from energy.lab.simulated import simulated
from energy.replay import load
from tests.energy.lab.truth import read_truth
from tests.energy.samples import burner
from tests.waiting import TIMEOUT_S, wait_for


def test_joules_of_windows_agree_with_the_truth_and_the_bound_holds_it(tmp_path: Path):
    source = simulated(idle_w=2.0, watts_per_core=8.0, interval_ms=50)
    source.start(tmp_path)
    try:
        assert source.wait(time.perf_counter(), timeout_s=TIMEOUT_S)
        with burner() as busy:
            windows = []
            for seconds in (0.6, 0.9):
                time.sleep(0.2)
                windows.append(busy.burn(seconds))
            assert source.wait(windows[-1][1], timeout_s=TIMEOUT_S)
        trace = source.trace()
    finally:
        source.stop()
    found, bound = attribute(
        trace.start_s,
        trace.end_s,
        trace.joules,
        np.array(windows),
        alignment_s=trace.alignment_s,
        resolution_j=source.info.resolution_j,
    )
    truth = read_truth(tmp_path / "power.truth")
    exact = np.array([truth.joules_between(*window) for window in windows])
    assert (np.abs(found - exact) <= bound + 1e-9).all()
    assert (bound.sum(axis=1) < 0.5 * exact.sum(axis=1)).all()
    again, info = load(tmp_path)
    np.testing.assert_array_equal(again.end_s[: len(trace.end_s)].round(3), trace.end_s.round(3))
    assert info == source.info
    assert source.info.kind == "simulated"
    assert not trace.faults


def test_waiting_beyond_the_timeout_is_false_and_stop_leaves_nothing(tmp_path: Path):
    source = simulated()
    source.start(tmp_path)
    assert not source.wait(time.perf_counter() + 60, timeout_s=0.3)
    source.stop()
    source.stop()
    assert not psutil.Process().children()


CONDUCTOR = """
import sys, time
from pathlib import Path
from energy.lab.simulated import simulated
source = simulated()
source.start(Path(sys.argv[1]))
print(source._reader._process.pid, flush=True)
time.sleep(600)
"""


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGTERM])
def test_the_meter_does_not_outlive_its_reader(tmp_path: Path, end: signal.Signals):
    with subprocess.Popen(
        [sys.executable, "-c", CONDUCTOR, str(tmp_path)], stdout=subprocess.PIPE, text=True
    ) as conductor:
        meter = psutil.Process(int(conductor.stdout.readline()))
        os.kill(conductor.pid, end)
        wait_for(lambda: not meter.is_running() or meter.status() == psutil.STATUS_ZOMBIE)
