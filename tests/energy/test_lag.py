import sys
import time

import numpy as np
import pytest

from benchmarks.known_power import STEP_S, answered, noisy, on_rails, simulate
from energy import selftest
from energy.base import SourceInfo, Trace
from energy.lag import LEAST_PULSES, Lag, command, joined, lag_of, plan


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


class PulsedMeter:
    """Shows 2 W, and 9 W more while a commanded load is on: later than commanded, or earlier."""

    info = SourceInfo(
        name="pulsed",
        kind="measured",
        rails=("cpu", "gpu"),
        boundary="soc_cpu_gpu_ane",
        interval_s=0.05,
        resolution_j=0.0,
    )

    def __init__(self, *, onset_s: float, offset_s: float) -> None:
        self.late_s = np.array([onset_s, offset_s])
        self.pulses = np.empty((0, 2))
        self.began_s = time.perf_counter() - 1.0

    def command(self, pid: int, seconds: np.ndarray) -> np.ndarray:
        self.pulses = command(pid, seconds)
        return self.pulses

    def wait(self, until_s: float, *, timeout_s: float) -> bool:
        return True

    def trace(self) -> Trace:
        last_s = self.pulses[-1, 1] + 0.5 if len(self.pulses) else time.perf_counter()
        edges_s = np.arange(self.began_s, last_s, 0.053)
        start_s, end_s = edges_s[:-1], edges_s[1:]
        on, off = (self.pulses + self.late_s).T
        ends, starts = np.minimum(end_s[:, None], off), np.maximum(start_s[:, None], on)
        cpu_j = 2.0 * (end_s - start_s) + 9.0 * np.clip(ends - starts, 0.0, None).sum(axis=1)
        return Trace(("cpu", "gpu"), start_s, end_s, np.column_stack([cpu_j, 0 * cpu_j]), alignment_s=0.0)


@pytest.mark.parametrize(("onset_s", "offset_s"), [(0.027, -0.007), (0.0, 0.0), (0.035, 0.02)])
def test_pulses_of_a_live_process_tell_onset_and_offset(
    onset_s: float, offset_s: float, monkeypatch: pytest.MonkeyPatch
):
    meter = PulsedMeter(onset_s=onset_s, offset_s=offset_s)
    monkeypatch.setattr(selftest, "command", meter.command)
    monkeypatch.setattr(selftest, "SETTLE_S", 0.1)
    found = selftest.find_lag(meter, [sys.executable, "-c", "import time; time.sleep(600)"])
    assert found is not None
    assert found.onset_s == pytest.approx(onset_s, abs=0.003)
    assert found.offset_s == pytest.approx(offset_s, abs=0.003)
    assert found.spread_s >= abs(onset_s - offset_s) / 2 - 0.003


def test_a_load_that_ends_by_itself_tells_no_lag(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(selftest, "SETTLE_S", 2.0)
    meter = PulsedMeter(onset_s=0.0, offset_s=0.0)
    assert selftest.find_lag(meter, ["/bin/true"]) is None
    assert not len(meter.pulses)
