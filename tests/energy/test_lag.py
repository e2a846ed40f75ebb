import numpy as np
import pytest

from benchmarks.known_power import STEP_S, answered, noisy, on_rails, simulate
from energy.lag import LEAST_PULSES, Lag, joined, lag_of, plan


def commanded(seed: int, *, cadence_s: float, lag_s: float, rise_s: float = 0.0, load_w: float = 15.0):
    """Readings of commanded pulses, and the pulses."""
    chance = np.random.default_rng(seed)
    steps = np.cumsum(plan(cadence_s, chance)) / STEP_S + 2000
    watts = np.full(int(steps[-1]) + 2000, 3.0)
    edges = np.round(steps).astype(int).reshape(-1, 2)
    for on, off in edges:
        watts[on:off] += load_w
    power = on_rails(noisy(answered(watts, rise_s=rise_s, response_s=0.003), chance))
    simulation = simulate(power, chance, interval_s=cadence_s, lag_s=lag_s)
    pulses = power.start_s + edges * STEP_S
    return simulation.start_s, simulation.end_s, simulation.joules.sum(axis=1), pulses


@pytest.mark.parametrize("cadence_s", [0.1, 0.24, 0.4])
@pytest.mark.parametrize(("lag_s", "rise_s"), [(0.0, 0.0), (0.025, 0.0), (-0.007, 0.034), (0.035, 0.0)])
def test_the_lag_is_found_within_its_spread(cadence_s: float, lag_s: float, rise_s: float):
    for seed in range(4):
        found = lag_of(*commanded(seed, cadence_s=cadence_s, lag_s=lag_s, rise_s=rise_s))
        assert found is not None
        assert abs(found.mean_s - lag_s - rise_s / 2) < 0.012
        assert abs(found.mean_s - lag_s) <= found.spread_s + 0.004


def test_pulses_that_no_rail_answers_say_nothing():
    assert lag_of(*commanded(1, cadence_s=0.1, lag_s=0.02, load_w=0.0)) is None
    start_s, end_s, joules, pulses = commanded(1, cadence_s=0.1, lag_s=0.02)
    assert lag_of(start_s, end_s, np.full_like(joules, np.nan), pulses) is None
    assert lag_of(start_s, end_s, joules, pulses[:3]) is None


def test_in_little_time_there_are_fewer_pulses_and_too_few_are_none():
    chance = np.random.default_rng(3)
    for cadence_s in (0.1, 0.25, 1.0):
        usual = len(plan(cadence_s, chance))
        for most_s in (1.0, 3.0, 10.0, 1e4):
            planned = plan(cadence_s, chance, most_s=most_s)
            assert len(planned) in (0, *range(LEAST_PULSES, usual + 1))
            assert planned.sum() <= 1.5 * most_s  # the gaps are drawn, so their sum is not exact
        assert len(planned) == usual


def test_what_moved_between_before_and_after_widens_the_spread():
    before = Lag(onset_s=0.02, offset_s=0.01, spread_s=0.006, pulses=12)
    after = Lag(onset_s=0.03, offset_s=0.02, spread_s=0.007, pulses=12)
    both = joined(before, after)
    assert both is not None
    assert both.mean_s == pytest.approx(0.02)
    assert both.spread_s == pytest.approx(0.012)
    assert joined(before, None) == before
    assert joined(None, None) is None
