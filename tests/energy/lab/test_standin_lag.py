"""The stand-in is no ideal meter: power rises late and is shown late. Commanded pulses find both."""

from __future__ import annotations

from argparse import Namespace

import numpy as np
import pytest

from energy.lab.standin import REST_S, Integrator
from energy.lag import lag_of, plan

STEP_S = 0.001


def drawing(*, onset_ms: float = 27.0, response_ms: float = 3.0) -> Integrator:
    """One that draws 10 W for the work it is told of, at rest since long ago."""
    integrator = Integrator.__new__(Integrator)
    integrator._options = Namespace(watts_per_core=10.0, onset_ms=onset_ms, response_ms=response_ms)
    integrator._work_w, integrator._rested_s, integrator._asleep_s = 0.0, 1.0, 0.0
    return integrator


def drawn_j(integrator: Integrator, busy: np.ndarray) -> np.ndarray:
    """Joules of each step in which one core worked or rested."""
    return np.array([integrator._drawn_j(works * STEP_S, STEP_S) for works in busy])


def spans(*lengths_s: float) -> np.ndarray:
    """Work, rest, work, and so on."""
    return np.concatenate([np.full(round(s / STEP_S), 1.0 - i % 2) for i, s in enumerate(lengths_s)])


@pytest.mark.parametrize(("rest_s", "wakes"), [(REST_S + 0.01, 2), (REST_S - 0.01, 1)])
def test_work_after_a_rest_draws_nothing_until_the_machine_is_awake(rest_s: float, wakes: int):
    total_j = drawn_j(drawing(), spans(0.5, rest_s, 0.5, 0.2)).sum()
    assert total_j == pytest.approx(10 * (1 - wakes * 0.027))


def test_power_follows_with_its_time_constant_whatever_the_step():
    for step_s in (0.001, 0.01):
        integrator = drawing(onset_ms=0.0, response_ms=5.0)
        up_j = sum(integrator._drawn_j(step_s, step_s) for _ in range(100))
        down_j = sum(integrator._drawn_j(0.0, step_s) for _ in range(100))
        assert 10 * 100 * step_s - up_j == pytest.approx(10 * 0.005)
        assert down_j == pytest.approx(10 * 0.005)


def test_pulses_tell_the_lag_that_it_was_given():
    chance = np.random.default_rng(2)
    edges = np.round(1.0 / STEP_S + np.cumsum(plan(0.1, chance)) / STEP_S).astype(int).reshape(-1, 2)
    busy = np.zeros(int(edges[-1, 1]) + 1000)
    for on, off in edges:
        busy[on:off] = 1
    total_j = np.cumsum(drawn_j(drawing(), busy))
    ends = np.cumsum(chance.integers(103, 130, len(busy) // 130))
    found = lag_of(ends[:-1] * STEP_S, ends[1:] * STEP_S, np.diff(total_j[ends - 1]), edges * STEP_S)
    assert found is not None
    assert found.onset_s == pytest.approx(0.03, abs=0.006)
    assert found.offset_s == pytest.approx(0.003, abs=0.006)
