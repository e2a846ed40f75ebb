"""One effect on several machines."""

from __future__ import annotations

import numpy as np
import pytest

from analysis.across import MachineEffect, across


def effects(values: np.ndarray, errors: np.ndarray) -> list[MachineEffect]:
    return [MachineEffect(log_ratio=v, standard_error=e) for v, e in zip(values, errors, strict=True)]


def test_fewer_than_five_machines_have_no_summary() -> None:
    assert across(effects(np.zeros(4), np.ones(4))) is None


BCG = """
    4 119 11 128   6 300 29 274   3 228 11 209   62 13536 248 12619   33 5036 47 5761   180 1361 372 1079
    8 2537 10 619   505 87886 499 87892   29 7470 45 7232   17 1699 65 1600   186 50448 141 27197
    5 2493 3 2338   27 16886 29 17825
"""
"""Trials of a vaccine (Colditz et al. 1994, JAMA 271:698): ill and well with it, ill and well without."""


def test_a_published_example_gives_the_published_figures() -> None:
    """Q = 152.233 and tau^2 = 0.3181 are those of the R package metafor for these trials."""
    ill, well, ill_without, well_without = np.array(BCG.split(), dtype=float).reshape(-1, 4).T
    treated, untreated = ill + well, ill_without + well_without
    values = np.log((ill / treated) / (ill_without / untreated))
    errors = np.sqrt(1 / ill - 1 / treated + 1 / ill_without - 1 / untreated)
    found = across(effects(values, errors))
    assert found is not None
    assert found.i2 == pytest.approx(1 - 12 / 152.2330, abs=1e-5)
    assert found.tau**2 == pytest.approx(0.3181, abs=5e-5)


def test_machines_that_are_alike_do_not_seem_to_differ_and_the_interval_holds() -> None:
    chance = np.random.default_rng(0)
    inside = alike = 0
    for _ in range(400):
        errors = chance.uniform(0.005, 0.02, 8)
        found = across(effects(chance.normal(-0.3, errors), errors))
        assert found is not None
        inside += found.ratio.low <= np.exp(-0.3) <= found.ratio.high
        alike += found.p_alike > 0.05
    assert inside / 400 > 0.93
    assert alike / 400 == pytest.approx(0.95, abs=0.035)


def test_machines_that_differ_are_seen_to_and_a_further_one_lies_where_it_is_said() -> None:
    chance = np.random.default_rng(1)
    inside = next_inside = 0
    for _ in range(400):
        errors = chance.uniform(0.005, 0.02, 8)
        truths = chance.normal(-0.3, 0.1, 9)
        found = across(effects(chance.normal(truths[:8], errors), errors))
        assert found is not None
        assert found.i2 > 0.5
        inside += found.ratio.low <= np.exp(-0.3) <= found.ratio.high
        next_inside += found.next_machine.low <= np.exp(truths[8]) <= found.next_machine.high
    assert inside / 400 == pytest.approx(0.95, abs=0.035)
    assert next_inside / 400 == pytest.approx(0.95, abs=0.035)
