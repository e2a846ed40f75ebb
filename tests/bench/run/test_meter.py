"""What the meter remembers of the meter when a window has been closed."""

from __future__ import annotations

import numpy as np
import pytest

from bench.errors import RunFailed
from bench.run.meter import Meter
from bench.run.sources import ChosenMeter
from energy.base import EnergySource, SourceInfo, Trace


class Source:
    """A meter that reads one watt, and is as hot as it is told to be."""

    info = SourceInfo(
        name="made up",
        kind="simulated",
        rails=("cpu",),
        boundary="soc_cpu_gpu_ane",
        interval_s=0.1,
        resolution_j=0.001,
    )

    def __init__(self) -> None:
        self.thermal: tuple[tuple[float, str], ...] = ()
        self.is_alive = True

    def wait(self, until_s: float, *, timeout_s: float) -> bool:
        return self.is_alive

    def trace(self) -> Trace:
        ends_s = np.arange(1, 101) / 10
        joules = np.full((100, 1), 0.1)
        return Trace(("cpu",), ends_s - 0.1, ends_s, joules, alignment_s=0.0, thermal=self.thermal)


@pytest.fixture
def source() -> Source:
    return Source()


@pytest.fixture
def running(source: Source) -> Meter:
    meter: EnergySource = source  # type: ignore[assignment]
    return Meter(ChosenMeter(source=meter, note="made up"))


def test_thermal_pressure_is_that_of_the_last_reading_and_none_where_it_is_not_told(
    running: Meter, source: Source
) -> None:
    assert running.joules(1.0, 5.0).total_j == pytest.approx(4.0)
    assert running.thermal is None
    source.thermal = ((0.0, "Nominal"), (6.0, "Heavy"))
    running.joules(5.0, 9.0)
    assert running.thermal == "Heavy"


def test_a_meter_without_readings_for_two_windows_is_dead(running: Meter, source: Source) -> None:
    source.is_alive = False
    running.joules(1.0, 5.0)
    running.check_alive()
    running.joules(5.0, 9.0)
    with pytest.raises(RunFailed, match="made up gives no readings"):
        running.check_alive()
