"""Several looks, one promise."""

from __future__ import annotations

import numpy as np
import pytest

from analysis.looks import level_of
from analysis.stats import t_interval
from analysis.values import LEVEL


def test_one_look_costs_nothing_and_more_of_them_more() -> None:
    assert level_of(()) == level_of((5,)) == LEVEL
    assert LEVEL < level_of((10, 20)) < level_of((5, 10, 20)) < level_of((5, 10, 20, 40))
    assert level_of((20, 5, 10, 10)) == level_of((5, 10, 20))


def test_with_many_blocks_it_is_pococks() -> None:
    """His constants for two, three and five evenly spaced looks with a known variance."""
    levels = [level_of(range(1000, 1000 * looks + 1, 1000)) for looks in (2, 3, 5)]
    assert [1 - level for level in levels] == pytest.approx([0.0294, 0.0221, 0.0158], abs=0.0005)


def test_runs_err_at_any_of_the_looks_in_five_percent() -> None:
    looks = (5, 10, 20)
    blocks = np.random.default_rng(3).normal(0, 1, (20_000, 20))
    errs = np.zeros(len(blocks), dtype=bool)
    plain = np.zeros(len(blocks), dtype=bool)
    for n in looks:
        found = t_interval(blocks[:, :n], level=level_of(looks))
        errs |= (found.low > 0) | (found.high < 0)
        usual = t_interval(blocks[:, :n])
        plain |= (usual.low > 0) | (usual.high < 0)
    assert errs.mean() == pytest.approx(0.05, abs=0.005)
    assert plain.mean() > 0.1
