"""What a pilot's noise says about the length of a run."""

from __future__ import annotations

import numpy as np
import pytest

from analysis.sizing import Noise, blocks_to_tell, noise_of, smallest_change
from analysis.verdict import FEWEST_BLOCKS


def noise(planned: float) -> Noise:
    return Noise(seen=planned, planned=planned, blocks=6)


def test_the_plan_covers_the_true_spread_four_times_in_five() -> None:
    rng = np.random.default_rng(1)
    planned = [noise_of(rng.normal(0, 0.01, 6)).planned for _ in range(4000)]
    assert np.mean(np.array(planned) >= 0.01) == pytest.approx(0.8, abs=0.02)


def test_what_is_seen_is_the_standard_deviation() -> None:
    found = noise_of(np.array([0.01, -0.01, 0.02, -0.02]))
    assert found.seen == pytest.approx(np.std([0.01, -0.01, 0.02, -0.02], ddof=1))
    assert found.planned > found.seen
    assert found.blocks == 4


def test_more_noise_needs_more_blocks_and_a_quiet_machine_the_fewest() -> None:
    assert blocks_to_tell(0.02, noise(0.0)) == FEWEST_BLOCKS
    assert blocks_to_tell(0.02, noise(0.02)) == 10
    few, many = blocks_to_tell(0.02, noise(0.03)), blocks_to_tell(0.02, noise(0.06))
    assert few is not None
    assert many is not None
    assert many == pytest.approx(4 * few, rel=0.15)
    assert blocks_to_tell(0.0001, noise(0.5)) is None


def test_the_smallest_change_is_what_so_many_blocks_tell() -> None:
    least = smallest_change(10, noise(0.02))
    assert blocks_to_tell(least * 1.001, noise(0.02)) == 10
    assert blocks_to_tell(least * 0.97, noise(0.02)) == 11
    assert smallest_change(40, noise(0.02)) < least / 1.9


def test_told_means_told_in_four_of_five_runs() -> None:
    rng = np.random.default_rng(2)
    effect = -np.log1p(-smallest_change(8, noise(0.02)))
    runs = rng.normal(effect, 0.02, (4000, 8))
    reach = 2.3646 * runs.std(axis=1, ddof=1) / np.sqrt(8)  # t, 7 degrees of freedom, two-sided 95 %
    assert np.mean(runs.mean(axis=1) > reach) == pytest.approx(0.8, abs=0.05)
