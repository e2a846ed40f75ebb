"""The noise floor, and when an effect exceeds it."""

from __future__ import annotations

import numpy as np
import pytest

from analysis.effect import LogPair, exceeds, inside_floor, noise_floor
from analysis.stats import log_distance

SPREAD = np.array([-2.0, -1.0, 0.0, 1.0, 2.0])


def pair(log_ratios: np.ndarray, *, level: float = 0.95) -> LogPair:
    return LogPair(treated=log_ratios, baseline=np.zeros_like(log_ratios), paired=True, level=level)


def test_the_floor_is_the_farthest_one_sided_limit_of_any_copy() -> None:
    wide, few = pair(0.02 + 0.03 * SPREAD), pair(np.array([0.05]))
    limit = 0.02 + 2.131847 * 0.03 * np.sqrt(2.5 / 5)  # Student's t of 4 degrees of freedom at 95 %
    assert noise_floor([wide, few]) == pytest.approx(1 - np.exp(-limit))
    assert noise_floor([few]) == pytest.approx(1 - np.exp(-0.05))
    assert noise_floor([wide, pair(np.array([]))]) is None
    assert noise_floor([]) is None


def test_a_floor_counts_either_way() -> None:
    edge = log_distance(0.1)
    for sign in (-1, 1):
        assert inside_floor(float(np.exp(sign * edge * 0.999)), 0.1)
        assert not inside_floor(float(np.exp(sign * edge * 1.001)), 0.1)


def test_a_noisy_effect_has_to_lie_farther_outside_the_floor_than_a_sharp_one() -> None:
    copy = pair(0.02 * SPREAD)
    for spread, needed in ((0.001, 0.0301), (0.02, 0.0426)):
        for sign in (-1, 1):
            assert exceeds(pair(sign * (needed + 0.0005) + spread * SPREAD), copy)
            assert not exceeds(pair(sign * (needed - 0.0005) + spread * SPREAD), copy)


def test_what_exceeds_the_noise_lies_outside_the_floor() -> None:
    rng = np.random.default_rng(3)
    found = []
    for _ in range(500):
        effect, copy = pair(rng.normal(0.03, 0.02, 6)), pair(rng.normal(0, 0.02, 6))
        floor, point = noise_floor([copy]), effect.point
        assert floor is not None
        assert point is not None
        if exceeds(effect, copy):
            assert not inside_floor(point, floor)
        found.append((exceeds(effect, copy), inside_floor(point, floor)))
    assert {(True, False), (False, True), (False, False)} <= set(found)


@pytest.mark.parametrize("level", [0.95, 0.98])
@pytest.mark.parametrize("blocks", [5, 12])
def test_an_effect_as_large_as_the_noise_seldom_seems_larger(level: float, blocks: int) -> None:
    rng, truth, runs = np.random.default_rng(blocks), 0.05, 4000
    wrong = 0
    for _ in range(runs):
        effect, copy = rng.normal(truth, 0.017, blocks), rng.normal(-truth, 0.02, blocks)
        wrong += exceeds(pair(effect, level=level), pair(copy, level=level))
    assert wrong / runs <= 1 - level + 0.01
