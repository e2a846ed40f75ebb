import numpy as np
import pytest

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
    assert 0 < bound[0, 0] < 2


def test_an_isolated_peak_is_clipped_in_proportion_and_the_bound_allows_for_any_place():
    start_s, end_s, joules = steady(watts=1.0)
    joules[20] = 1.0
    found, bound = attribute(start_s, end_s, joules, np.array([[1.0, 2.05]]))
    np.testing.assert_allclose(found, 1.5)
    np.testing.assert_allclose(bound, 9.0 * 0.05 * 0.05 / 0.1 / 2)


def test_an_edge_without_a_neighbour_has_the_widest_bound():
    start_s, end_s, joules = steady(watts=5.0)
    _, bound = attribute(start_s, end_s, joules, np.array([[9.0, 9.95]]))
    np.testing.assert_allclose(bound, 2 * 5.0 * 0.05 * 0.05 / 0.1 / 2)


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
