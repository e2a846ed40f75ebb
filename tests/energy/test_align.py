import numpy as np
import pytest
from scipy.optimize import linprog

from energy.align import LATENCY_S, align


def stream(count: int, chance: np.random.Generator, *, drift: float = 0.0, late: float = 0.05):
    """Lengths, true ends, arrivals and labels of a stream whose clock goes slow by `drift`."""
    lengths_s = chance.uniform(0.103, 0.130, count)
    end_s = 5000.0 + chance.uniform() + np.cumsum(lengths_s)
    latency_s = 0.002 + chance.exponential(0.003, count)
    latency_s += (chance.random(count) < late) * chance.uniform(0, 0.8, count)
    wall_ahead_s = 1.7e9 + chance.uniform()
    label_s = np.floor(end_s + wall_ahead_s) - wall_ahead_s
    return lengths_s * (1 - drift), end_s, np.maximum.accumulate(end_s + latency_s), label_s


@pytest.mark.parametrize("drift", [0.0, 60e-6, -120e-6])
def test_two_minutes_are_placed_within_5_ms_whatever_the_drift(drift: float):
    for seed in range(20):
        elapsed_s, end_s, arrival_s, label_s = stream(1000, np.random.default_rng(seed), drift=drift)
        found = align(elapsed_s, arrival_s, label_s)
        error_s = np.abs(found.end_s - end_s).max()
        assert error_s < 0.005
        assert error_s <= found.uncertainty_s + 1e-6


def test_hours_are_placed_within_a_millisecond():
    elapsed_s, end_s, arrival_s, label_s = stream(100_000, np.random.default_rng(1), drift=80e-6)
    found = align(elapsed_s, arrival_s, label_s)
    assert np.abs(found.end_s - end_s).max() < 0.001
    assert found.uncertainty_s < 0.001


def test_a_clock_that_wanders_is_followed_in_pieces():
    elapsed_s, end_s, arrival_s, label_s = stream(20_000, np.random.default_rng(2))
    wander_s = 0.02 * np.sin(np.arange(20_000) / 3000)
    found = align(elapsed_s - np.diff(wander_s, prepend=0.0), arrival_s, label_s)
    error_s = np.abs(found.end_s - end_s).max()
    assert error_s < 0.008
    assert error_s <= found.uncertainty_s + 0.002


def test_without_labels_the_quickest_arrival_decides():
    elapsed_s, end_s, arrival_s, _ = stream(600, np.random.default_rng(3))
    found = align(elapsed_s, arrival_s, np.full(600, np.nan))
    assert np.abs(found.end_s - end_s).max() <= found.uncertainty_s
    assert found.uncertainty_s == pytest.approx(LATENCY_S / 2)


def test_labels_that_contradict_the_arrivals_are_not_believed():
    elapsed_s, end_s, arrival_s, label_s = stream(600, np.random.default_rng(4))
    found = align(elapsed_s, arrival_s, label_s - 3.4)
    assert np.abs(found.end_s - end_s).max() <= found.uncertainty_s


def test_it_is_placed_in_the_middle_of_what_a_solver_finds_possible():
    """At the first and the last reading: the lowest and the highest line that arrivals and labels allow."""
    for seed in range(10):
        elapsed_s, _, arrival_s, label_s = stream(300, np.random.default_rng(seed), drift=70e-6)
        found = align(elapsed_s, arrival_s, label_s)
        sums_s = np.cumsum(elapsed_s)
        low = np.column_stack([-np.ones(300), -sums_s])
        limits = np.concatenate([-low, -low, low])
        ceilings_s = np.concatenate([arrival_s - sums_s, label_s + 1 - sums_s, sums_s - label_s])
        ends_s = []
        for row in (0, -1):
            goal = np.array([1.0, sums_s[row]])
            lines = [
                linprog(way * goal, limits, ceilings_s, bounds=[(None, None), (-2e-4, 2e-4)]).x
                for way in (1, -1)
            ]
            ends_s.append(sums_s[row] + np.array(lines) @ goal)
        assert found.end_s[[0, -1]] == pytest.approx(np.mean(ends_s, axis=1), abs=1e-6)
        assert found.uncertainty_s == pytest.approx(np.max(np.ptp(ends_s, axis=1)) / 2, abs=1e-6)
