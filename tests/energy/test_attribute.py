import numpy as np
import pytest

from benchmarks.known_power import STEP_S, on_rails, simulate
from energy.attribute import attribute


def steady(count: int = 100, watts: float = 5.0):
    end_s = np.arange(1, count + 1) * 0.1
    return end_s - 0.1, end_s, np.full((count, 2), watts * 0.1)


def test_whole_readings_count_whole():
    start_s, end_s, joules = steady()
    found, _ = attribute(start_s, end_s, joules, np.array([[1.0, 3.0], [0.0, 10.0]]))
    np.testing.assert_allclose(found, [[10, 10], [50, 50]])


def test_edges_are_clipped_in_proportion_where_power_is_steady():
    start_s, end_s, joules = steady()
    found, bound = attribute(start_s, end_s, joules, np.array([[1.03, 3.08]]))
    np.testing.assert_allclose(found, [[10.25, 10.25]])
    np.testing.assert_allclose(bound, 0, atol=1e-9)


def test_a_window_inside_one_reading():
    start_s, end_s, joules = steady()
    found, _ = attribute(start_s, end_s, joules, np.array([[1.02, 1.05]]))
    np.testing.assert_allclose(found, [[0.15, 0.15]])


def test_a_window_that_opens_and_closes_with_the_work_gets_all_of_it():
    """Idle at 2 W, work at 20 W from 1.04 s to 3.07 s, right inside readings."""
    start_s, end_s, _ = steady()
    work_s = np.clip(np.minimum(end_s, 3.07) - np.maximum(start_s, 1.04), 0, None)
    joules = (0.1 * 2 + 18 * work_s)[:, None]
    found, bound = attribute(start_s, end_s, joules, np.array([[1.04, 3.07]]))
    np.testing.assert_allclose(found, [[20 * 2.03]])
    assert 0 < bound[0, 0] < 3


def test_an_isolated_peak_is_clipped_in_proportion_and_the_bound_allows_for_any_place():
    start_s, end_s, joules = steady(watts=1.0)
    joules[20] = 1.0
    found, bound = attribute(start_s, end_s, joules, np.array([[1.0, 2.05]]))
    np.testing.assert_allclose(found, 1.5)
    np.testing.assert_allclose(bound, 9.0 * 0.05)


def test_the_bound_reaches_to_where_all_of_an_edge_reading_lies_on_one_side():
    """Idle at 2 W; work of 23 W in every reading, which may have been a square wave of any height."""
    start_s, end_s, joules = steady(watts=23.0)
    joules[:5] = 0.2
    found, bound = attribute(start_s, end_s, joules, np.array([[3.0, 8.03]]))
    np.testing.assert_allclose(found, 23 * 5.03)
    np.testing.assert_allclose(bound, max(0.03, 0.07) * (23 - 2))


@pytest.mark.parametrize("cadence_s", [0.1, 0.24])
def test_the_bound_holds_the_truth_of_a_square_wave_faster_than_a_reading(cadence_s: float):
    chance = np.random.default_rng(7)
    watts = np.full(60_000, 3.0)
    wave = (np.arange(55_000) * STEP_S) % 0.115 < 0.0575
    watts[5_000:] = np.where(wave, 35.0, 12.0)
    power = on_rails(watts)
    simulation = simulate(power, chance, interval_s=cadence_s)
    starts_s = chance.uniform(power.start_s + 6, power.start_s + 50, 500)
    windows = np.column_stack([starts_s, starts_s + 2.0])
    found, bound = attribute(
        simulation.start_s, simulation.end_s, simulation.joules, windows, resolution_j=0.001
    )
    assert (np.abs(found - power.joules_in(windows)) <= bound + 1e-9).all()


def test_an_edge_without_a_neighbour_is_bounded_alike():
    start_s, end_s, joules = steady(watts=5.0)
    joules[0] = 0.0
    _, bound = attribute(start_s, end_s, joules, np.array([[9.0, 9.95]]))
    np.testing.assert_allclose(bound, 5.0 * 0.05)


def test_alignment_and_counter_steps_widen_the_bound():
    start_s, end_s, joules = steady(watts=5.0)
    _, bound = attribute(
        start_s, end_s, joules, np.array([[1.03, 3.08]]), alignment_s=0.004, resolution_j=0.001
    )
    np.testing.assert_allclose(bound, 2 * 5 * 0.004 + 21 * 0.001)


def test_a_missing_rail_voids_the_windows_that_touch_it_and_no_other():
    start_s, end_s, joules = steady()
    joules[50, 1] = np.nan
    windows = np.array([[1.0, 5.05], [1.0, 4.9], [5.15, 9.0]])
    found, bound = attribute(start_s, end_s, joules, windows)
    np.testing.assert_array_equal(np.isnan(found), [[False, True], [False, False], [False, False]])
    np.testing.assert_array_equal(np.isnan(bound), np.isnan(found))


@pytest.mark.parametrize("window", [(-0.1, 1.0), (9.0, 10.1), (20.0, 21.0), (3.0, 2.0)])
def test_windows_that_readings_do_not_cover_are_void(window: tuple[float, float]):
    start_s, end_s, joules = steady()
    found, _ = attribute(start_s, end_s, joules, np.array([window]))
    assert np.isnan(found).all()


def test_a_gap_between_readings_voids_the_windows_across_it():
    start_s, end_s, joules = steady()
    keep = np.arange(100) != 40
    found, _ = attribute(
        start_s[keep], end_s[keep], joules[keep], np.array([[1.0, 6.0], [4.05, 4.08], [5.0, 6.0]])
    )
    np.testing.assert_array_equal(np.isnan(found[:, 0]), [True, True, False])


def test_no_readings_no_joules():
    empty = np.empty(0)
    found, bound = attribute(empty, empty, np.empty((0, 3)), np.array([[0.0, 1.0]]))
    assert found.shape == bound.shape == (1, 3)
    assert np.isnan(found).all()


def test_a_million_readings_in_ten_thousand_windows():
    chance = np.random.default_rng(5)
    elapsed_s = chance.uniform(0.103, 0.130, 1_000_000)
    end_s = np.cumsum(elapsed_s)
    windows = chance.uniform(0, end_s[-1] - 60, 10_000)[:, None] + np.array([0.0, 60.0])
    found, _ = attribute(end_s - elapsed_s, end_s, elapsed_s[:, None] * [3.0, 1.0, 0.0], windows)
    np.testing.assert_allclose(found, np.broadcast_to([180.0, 60.0, 0.0], found.shape), rtol=1e-6)
