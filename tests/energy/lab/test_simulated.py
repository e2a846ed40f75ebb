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
from energy.lab.simulated import read_truth, simulated
from energy.replay import load
from tests.energy.samples import burner


def test_joules_of_windows_agree_with_the_truth_and_the_bound_holds_it(tmp_path: Path):
    source = simulated(idle_w=2.0, watts_per_core=8.0)
    source.start(tmp_path)
    try:
        with burner() as busy:
            time.sleep(2.0)
            windows = []
            for seconds in (2.0, 3.0):
                time.sleep(0.5)
                windows.append(busy.burn(seconds))
            assert source.wait(windows[-1][1], timeout_s=3)
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
    np.testing.assert_allclose(found.sum(axis=1), exact.sum(axis=1), rtol=0.01)
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
time.sleep(60)
"""


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGTERM])
def test_the_meter_is_gone_within_two_intervals_of_its_reader(tmp_path: Path, end: signal.Signals):
    with subprocess.Popen(
        [sys.executable, "-c", CONDUCTOR, str(tmp_path)], stdout=subprocess.PIPE, text=True
    ) as conductor:
        meter = psutil.Process(int(conductor.stdout.readline()))
        os.kill(conductor.pid, end)
        killed_s = time.perf_counter()
        while meter.is_running() and meter.status() != psutil.STATUS_ZOMBIE:
            time.sleep(0.005)
            assert time.perf_counter() - killed_s < 2 * 0.130
