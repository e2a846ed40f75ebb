"""Rules of length count readings, whatever a reading lasts."""

import numpy as np
import pytest

from energy.base import Trace
from energy.cadence import (
    IDLE,
    LEAST_READINGS,
    REST,
    SELF_TEST,
    SETTLED_READINGS,
    USUAL_S,
    WINDOW,
    WORTH,
    Need,
    cadence_of,
    lasting,
)
from energy.grade import WIDEST_BOUND

CADENCES_S = [0.02, 0.1, 0.13, 0.245, 0.47, 2.0]


def trace(lengths_s: list[float]) -> Trace:
    end_s = np.cumsum(lengths_s)
    return Trace(("cpu",), end_s - lengths_s, end_s, np.zeros((len(end_s), 1)), 0.0)


def test_cadence_is_that_of_most_readings() -> None:
    assert cadence_of(trace([0.05, 0.24, 0.245, 0.249, 0.471])) == pytest.approx(0.245)
    assert cadence_of(trace([])) is None


@pytest.mark.parametrize("cadence_s", CADENCES_S)
@pytest.mark.parametrize("need", [WINDOW, IDLE, SELF_TEST, REST])
def test_as_many_readings_as_were_meant_as_far_as_they_are_needed(need: Need, cadence_s: float) -> None:
    for stated_s in (0.5, 1.5, 6.0, 20.0, 60.0):
        meant = min(max(stated_s / USUAL_S, need.least), need.enough)
        length_s = lasting(stated_s, need, cadence_s=cadence_s)
        assert length_s >= max(stated_s, meant * cadence_s / WORTH)
        assert length_s <= max(stated_s, meant * cadence_s + 0.1)


def test_the_usual_meter_lengthens_nothing_that_holds_enough() -> None:
    for stated_s, need in ((6.0, WINDOW), (2.0, SELF_TEST), (1.6, IDLE), (0.5, REST)):
        assert lasting(stated_s, need, cadence_s=USUAL_S) == stated_s


def test_what_is_off_stays_off() -> None:
    assert [lasting(0.0, need, cadence_s=2.0) for need in (WINDOW, SELF_TEST, REST)] == [0.0] * 3


@pytest.mark.parametrize("need", [WINDOW, IDLE, SELF_TEST])
@pytest.mark.parametrize("slow", [(4, 5), (6, 9), (8, 13)])
def test_what_is_metered_keeps_ten_readings_though_two_last_twice_as_long(
    need: Need, slow: tuple[int, int]
) -> None:
    """At 245 ms now and then one of 471."""
    lengths_s = np.full(200, 0.245)
    lengths_s[list(slow)] = 0.471
    readings = trace(lengths_s.tolist())
    for start_s in np.linspace(0.5, 1.5, 41):
        end_s = start_s + lasting(1.5, need, cadence_s=0.245)
        assert np.count_nonzero((readings.end_s > start_s) & (readings.start_s < end_s)) >= LEAST_READINGS


def test_the_readings_that_two_edges_cut_are_as_much_as_a_bound_may_be() -> None:
    assert pytest.approx(2 / WIDEST_BOUND) == SETTLED_READINGS
