"""The gate before a slot."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from bench.run import cooling
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


@pytest.mark.parametrize("reading_s", [0.1, 0.245, 2.0])
def test_power_is_that_of_the_last_ten_readings_whatever_they_last(reading_s: float) -> None:
    """Ten at rest are enough after twenty at work; with an eleventh power is still too high."""
    end_s = np.arange(1, 31) * reading_s
    for working, ready in ((20, True), (21, False)):
        joules = np.where(np.arange(30)[:, None] < working, 9.0, 2.0) * reading_s
        read = Trace(("cpu",), end_s - reading_s, end_s, joules, 0.0)
        assert (what_is_hot(read, ("cpu",), 2.0, since_s=0.0) is None) == ready


class Clock:
    """A clock that moves when somebody sleeps, and a meter that has just read up to its now."""

    info = modelled().info

    def __init__(self, watts: float) -> None:
        self.now_s, self._watts = 50.0, watts

    def perf_counter(self) -> float:
        return self.now_s

    def sleep(self, seconds: float) -> None:
        self.now_s += seconds

    def trace(self) -> Trace:
        read = trace(self._watts)
        ends_s = read.end_s - read.end_s[-1] + self.now_s
        rails = self.info.rails
        joules = np.repeat(read.joules, len(rails), axis=1) / len(rails)
        return replace(read, rails=rails, start_s=ends_s - 0.1, end_s=ends_s, joules=joules)


@pytest.mark.parametrize("rest_s", [0.0, 7.0])
def test_it_rests_as_asked_and_no_longer_than_the_meter_needs_to_say_so(
    rest_s: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock(watts=2.0)
    monkeypatch.setattr(cooling, "time", clock)
    assert cool_down(clock, rest_s=rest_s, idle_w=2.0, limit_s=60.0) is None  # type: ignore[arg-type]
    needed_s = max(rest_s, 3 * 0.1)  # three readings since the work ended
    assert needed_s <= clock.now_s - 50.0 < needed_s + 0.3


def test_it_waits_for_a_hot_machine_to_the_limit_and_says_what_is_wrong(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock = Clock(watts=9.0)
    monkeypatch.setattr(cooling, "time", clock)
    problem = cool_down(clock, rest_s=1.0, idle_w=2.0, limit_s=60.0)  # type: ignore[arg-type]
    assert problem == "power is 9.00 W, idle was 2.00 W"
    assert 61.0 <= clock.now_s - 50.0 < 61.5
