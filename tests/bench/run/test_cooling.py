"""The gate before a slot."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

import numpy as np

from bench.run.cooling import cool_down, what_is_hot
from energy.base import Trace
from energy.modelled import modelled


def trace(watts: float, thermal: str | None = "Nominal") -> Trace:
    end_s = np.arange(1, 31) * 0.1
    states = () if thermal is None else ((0.0, thermal),)
    return Trace(("cpu",), end_s - 0.1, end_s, np.full((30, 1), watts * 0.1), 0.0, thermal=states)


def test_idle_power_and_nominal_pressure_are_ready() -> None:
    assert what_is_hot(trace(2.0), ("cpu",), 2.0, since_s=0.0) is None
    assert what_is_hot(trace(2.4), ("cpu",), 2.0, since_s=0.0) is None
    assert what_is_hot(trace(0.2), ("cpu",), 0.05, since_s=0.0) is None


def test_power_above_idle_is_not() -> None:
    assert what_is_hot(trace(3.0), ("cpu",), 2.0, since_s=0.0) == "power is 3.00 W, idle was 2.00 W"


def test_thermal_pressure_is_not() -> None:
    assert what_is_hot(trace(2.0, "Heavy"), ("cpu",), 2.0, since_s=0.0) == "thermal pressure is Heavy"


def test_what_is_not_told_is_not_waited_for() -> None:
    assert what_is_hot(trace(9.0, None), ("cpu",), None, since_s=0.0) is None
    assert what_is_hot(trace(9.0, None), ("gpu",), 2.0, since_s=0.0) is None


def test_only_power_since_the_work_ended_counts() -> None:
    working, resting = trace(9.0), trace(2.0)
    joules = np.where(np.arange(30)[:, None] < 25, working.joules, resting.joules)
    found = replace(resting, joules=joules)
    assert what_is_hot(found, ("cpu",), 2.0, since_s=2.49) is None
    assert "power is" in (what_is_hot(found, ("cpu",), 2.0, since_s=0.0) or "")


def test_too_few_readings_are_waited_for() -> None:
    assert (
        what_is_hot(trace(2.0), ("cpu",), 2.0, since_s=2.75) == "fewer than 3 readings since the work ended"
    )


def test_a_rail_that_is_never_told_is_not_waited_for() -> None:
    unknown = replace(trace(2.0), joules=np.full((30, 1), np.nan))
    assert what_is_hot(unknown, ("cpu",), 2.0, since_s=0.0) is None


def test_it_rests_no_longer_than_the_meter_needs_to_say_so(tmp_path: Path) -> None:
    source = modelled(interval_ms=20)
    source.start(tmp_path)
    try:
        time.sleep(0.2)
        began_s = time.perf_counter()
        assert cool_down(source, rest_s=0.0, idle_w=100.0, limit_s=5.0) is None
        assert time.perf_counter() - began_s < 1.0
    finally:
        source.stop()
