"""The time that is left, and how sure it is."""

from __future__ import annotations

import random
from statistics import fmean

import pytest

from bench.run.remaining import Remaining
from bench.suite.plan import PlannedSlot
from tests.bench.events import blocks


def play(
    remaining: Remaining, slots: list[PlannedSlot], length_s: dict[str, float], *, noise: float = 0.0
) -> float:
    """Let these slots pass; returns their seconds."""
    chance = random.Random(str(slots) + str(noise))
    lengths_s = [length_s[slot.arm.label] * (1 + chance.gauss(0, noise)) for slot in slots]
    for slot, seconds_s in zip(slots, lengths_s, strict=True):
        remaining.slot_took(slot, seconds_s=seconds_s)
    return sum(lengths_s)


LENGTHS_S = {"torch": 60.0, "torch (A/A)": 60.0, "torch norm_fraction": 90.0}


def test_before_the_first_slot_only_the_least_is_known() -> None:
    remaining = Remaining(blocks(2), idle_s=20.0, slot_least_s=61.0)
    assert remaining.left() is None
    assert remaining.running_s() == 0.0
    assert remaining.least_s == 12 * 61 + 2 * 20


def test_it_adds_up_each_arm_by_its_own_mean_and_the_idle_measurements() -> None:
    planned = blocks(2)
    remaining = Remaining(planned, idle_s=20.0)
    play(remaining, planned[0], LENGTHS_S)
    left = remaining.left()
    assert left is not None
    assert left.mean_s == pytest.approx(2 * (60 + 60 + 90) + 20)
    assert left.spread_s == pytest.approx(0.0)
    assert remaining.running_s() == LENGTHS_S[planned[1][0].arm.label]
    assert remaining.done == 6


def test_one_slot_per_arm_says_nothing_of_the_spread() -> None:
    planned = blocks(2)
    remaining = Remaining(planned)
    play(remaining, planned[0][:3], LENGTHS_S)
    left = remaining.left()
    assert left is not None
    assert left.spread_s is None


def test_an_arm_that_has_not_run_is_taken_for_one_of_the_others() -> None:
    planned = blocks(1)
    remaining = Remaining(planned)
    remaining.slot_took(planned[0][0], seconds_s=50.0)
    assert remaining.running_s() == 50.0
    left = remaining.left()
    assert left is not None
    assert left.mean_s == pytest.approx(250.0)


def test_what_is_left_is_covered_about_as_often_as_it_says() -> None:
    covered = []
    for seed in range(200):
        planned = blocks(5, gate=f"gate{seed}")
        lengths = {slot.arm.label: 60.0 for slot in planned[0]}
        remaining = Remaining(planned)
        play(remaining, planned[0] + planned[1], lengths, noise=0.1)
        left = remaining.left()
        assert left is not None
        assert left.spread_s is not None
        rest = [slot for block in planned[2:] for slot in block]
        truth_s = play(remaining, rest, lengths, noise=0.1)
        covered.append(abs(truth_s - left.mean_s) <= left.spread_s)
    assert 0.85 < fmean(covered) < 0.99
