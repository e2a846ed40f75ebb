"""What a pilot's noise says about the length of a run."""

from __future__ import annotations

import numpy as np
import pytest

from analysis.contrast import Held, contrast
from analysis.effect import FEWEST_BLOCKS
from analysis.rows import Slot
from analysis.sizing import EFFECT_SHARE, Noise, blocks_to_tell, noise_of, smallest_change
from analysis.statistical_power import PowerQuestion, chance_to_settle
from analysis.stats import log_distance
from analysis.verdict import Contrast
from tests.analysis.slots import ARMS, run_slots


def noise(planned: float) -> Noise:
    return Noise(seen=planned, planned=planned, blocks=6)


def held_arms(slots: list[Slot]) -> list[Held]:
    return [Held(slots=slots, arm=arm, plain=ARMS[0], again=ARMS[2]) for arm in ("gated", "ungated")]


def test_four_of_five_pairs_of_pilot_and_run_settle() -> None:
    rng, asked = np.random.default_rng(1), 0.06
    settled = []
    for _ in range(200):
        blocks = blocks_to_tell(asked, noise_of(rng.normal(0, 0.06, 6)))
        assert blocks is not None
        truth = PowerQuestion(
            effect=log_distance(asked), bound=log_distance(0.02), spread=EFFECT_SHARE * 0.06, copy_spread=0.06
        )
        settled.append(chance_to_settle(truth, blocks))
    assert np.mean(settled) == pytest.approx(0.8, abs=0.03)


def test_what_is_seen_is_the_standard_deviation() -> None:
    found = noise_of(np.array([0.01, -0.01, 0.02, -0.02]))
    assert found.seen == pytest.approx(np.std([0.01, -0.01, 0.02, -0.02], ddof=1))
    assert found.planned > found.seen
    assert found.blocks == 4


def test_more_noise_needs_more_blocks_and_a_quiet_machine_the_fewest() -> None:
    assert blocks_to_tell(0.04, noise(0.0)) == FEWEST_BLOCKS
    assert blocks_to_tell(0.04, noise(0.02)) == 8
    few, many = blocks_to_tell(0.04, noise(0.03)), blocks_to_tell(0.04, noise(0.06))
    assert few is not None
    assert many is not None
    assert many == pytest.approx(4 * few, rel=0.15)


def test_more_gates_and_more_looks_need_more_blocks() -> None:
    sizes = [
        blocks_to_tell(0.04, noise(0.02), asked=gates, level=level)
        for gates, level in ((1, 0.95), (2, 0.95), (8, 0.95), (8, 0.98))
    ]
    assert sizes == [8, 10, 13, 16]
    with_one, with_eight = (smallest_change(8, noise(0.02), asked=gates) for gates in (1, 8))
    assert with_one is not None
    assert with_eight is not None
    assert 0.02 < with_one < 0.04 < with_eight


def test_an_arm_varies_less_against_both_copies_than_they_against_each_other() -> None:
    spreads = []
    for seed in range(60):
        found = contrast(*held_arms(run_slots(noise=0.02, seed=seed, blocks=20)))
        assert isinstance(found, Contrast)
        spreads.append((found.effect.spread, found.copies[0].spread))
    effect, copy = np.sqrt(np.mean(np.square(spreads), axis=0))
    assert effect / copy == pytest.approx(EFFECT_SHARE, abs=0.03)


def test_a_change_on_the_threshold_is_never_settled() -> None:
    assert blocks_to_tell(0.02, noise(0.01)) is None
    assert blocks_to_tell(0.02, noise(0.01), threshold=0.01) is not None


def test_the_smallest_change_is_what_so_many_blocks_tell() -> None:
    least = smallest_change(10, noise(0.02))
    assert least is not None
    assert blocks_to_tell(least * 1.001, noise(0.02)) == 10
    assert blocks_to_tell(least * 0.99, noise(0.02)) == 11
    assert smallest_change(5, noise(10.0)) is None
