"""The gate before a slot."""

from __future__ import annotations

import numpy as np

from bench.cooling import what_is_hot
from energy.base import Trace


def trace(watts: float, thermal: str | None = "Nominal") -> Trace:
    end_s = np.arange(1, 31) * 0.1
    states = () if thermal is None else ((0.0, thermal),)
    return Trace(("cpu",), end_s - 0.1, end_s, np.full((30, 1), watts * 0.1), 0.0, thermal=states)


def test_idle_power_and_nominal_pressure_are_ready() -> None:
    assert what_is_hot(trace(2.0), ("cpu",), 2.0) is None
    assert what_is_hot(trace(2.4), ("cpu",), 2.0) is None
    assert what_is_hot(trace(0.2), ("cpu",), 0.05) is None


def test_power_above_idle_is_not() -> None:
    assert what_is_hot(trace(3.0), ("cpu",), 2.0) == "power is 3.00 W, idle was 2.00 W"


def test_thermal_pressure_is_not() -> None:
    assert what_is_hot(trace(2.0, "Heavy"), ("cpu",), 2.0) == "thermal pressure is Heavy"


def test_what_is_not_told_is_not_waited_for() -> None:
    assert what_is_hot(trace(9.0, None), ("cpu",), None) is None
    assert what_is_hot(trace(9.0, None), ("gpu",), 2.0) is None
