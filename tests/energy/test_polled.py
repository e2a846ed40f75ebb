import itertools
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from energy.base import EnergyError, SourceInfo, SourceUnavailable
from energy.polled import PolledSource
from energy.replay import load
from tests.waiting import wait_for

INFO = SourceInfo(
    name="fake",
    kind="measured",
    rails=("cpu", "dram"),
    boundary="package",
    interval_s=0.01,
    resolution_j=0.0,
    stamp_s=0.003,
)


def test_readings_are_differences_of_counters_and_none_stays_none(tmp_path: Path):
    counter = itertools.count()
    source = PolledSource(INFO, lambda: {"cpu": float(next(counter)), "dram": None})
    source.start(tmp_path)
    assert source.wait(time.perf_counter() + 0.05, timeout_s=2)
    trace = source.trace()
    source.stop()
    assert (trace.joules[:, 0] == 1.0).all()
    assert trace.alignment_s == 0.003
    assert {(fault.kind, fault.rail) for fault in trace.faults} == {("missing rail", "dram")}


def test_a_counter_that_vanishes_ends_the_source_and_is_said(tmp_path: Path):
    values = iter([1.0, 2.0, 3.0])

    def read() -> dict[str, float | None]:
        try:
            return {"cpu": next(values), "dram": 0.0}
        except StopIteration:
            raise SourceUnavailable("the file is gone") from None

    source = PolledSource(INFO, read)
    source.start(tmp_path)
    assert not source.wait(time.perf_counter() + 9, timeout_s=5)
    trace = source.trace()
    source.stop()
    (fault,) = trace.faults
    assert fault.kind == "meter died"
    assert "the file is gone" in fault.detail


def test_a_hundred_resets_and_jumps_of_a_counter_are_found_live_and_in_what_was_kept(tmp_path: Path):
    """Every third look finds the counter at zero again, or fifty thousand joules on."""
    look, counter_j = -1, 0.0

    def read() -> dict[str, float | None]:
        nonlocal look, counter_j
        look, counter_j = look + 1, counter_j + 1e-4
        if look % 3 == 2 and look < 300:
            counter_j = 0.0 if look % 2 else counter_j + 50_072.0
        return {"cpu": counter_j, "dram": None}

    source = PolledSource(replace(INFO, interval_s=0.002), read)
    source.start(tmp_path)
    wait_for(lambda: look > 320)
    trace = source.trace()
    source.stop()
    of_cpu = [fault for fault in trace.faults if fault.rail == "cpu"]
    spoilt = np.isnan(trace.joules[:, 0])
    assert Counter(fault.kind for fault in of_cpu) == {"impossible figure": 50, "implausible": 50}
    assert spoilt.sum() == 100
    kept, _ = load(tmp_path)
    assert [fault for fault in kept.faults if fault.rail == "cpu"] == of_cpu


def test_a_source_that_was_not_started_has_no_trace():
    with pytest.raises(EnergyError, match="not started"):
        PolledSource(INFO, dict).trace()
