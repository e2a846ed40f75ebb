import time
from pathlib import Path

import numpy as np
import pytest

from energy.attribute import attribute
from energy.modelled import modelled
from energy.replay import load
from tests.energy.samples import burner


def test_idle_plus_a_constant_for_every_cpu_second_below_the_harness(tmp_path: Path):
    source = modelled(idle_w=3.0, watts_per_core=10.0)
    with burner() as busy:
        source.start(tmp_path)
        window = busy.burn(1.5)
        assert source.wait(window[1], timeout_s=2)
        trace = source.trace()
        source.stop()
        source.stop()
    joules, _ = attribute(trace.start_s, trace.end_s, trace.joules, np.array([window]))
    seconds = window[1] - window[0]
    np.testing.assert_allclose(joules[0, 0], 3.0 * seconds + 10.0 * 1.5, rtol=0.05)
    assert source.info.boundary == "modelled"
    again, info = load(tmp_path)
    np.testing.assert_allclose(again.joules[: len(trace.joules)], trace.joules)
    assert info == source.info


def test_idle_is_exact(tmp_path: Path):
    source = modelled(idle_w=2.5, interval_ms=20)
    source.start(tmp_path)
    assert source.wait(time.perf_counter() + 0.2, timeout_s=2)
    assert not source.wait(time.perf_counter() + 60, timeout_s=0.05)
    trace = source.trace()
    source.stop()
    seconds_s = trace.end_s - trace.start_s
    # a pause between reading the clock and the counter moves joules from one reading to the next
    assert np.median(trace.joules[:, 0] / seconds_s) == pytest.approx(2.5, rel=0.01)
    assert trace.joules.sum() / seconds_s.sum() == pytest.approx(2.5, rel=0.05)
