from dataclasses import replace

import numpy as np
import pytest

from analysis.contrast import Pair, Ratio, decide, noise_floor, pair, ratio
from analysis.values import Estimate, Withheld
from tests.analysis.slots import run_slots


def found(first: list[float], second: list[float], *, paired: bool) -> Ratio:
    values = ratio(Pair(first=np.array(first), second=np.array(second), paired=paired))
    assert isinstance(values, Ratio)
    return values


def test_blocks_of_one_run_are_paired_and_blocks_of_two_are_not() -> None:
    slots, others = run_slots(ratio=0.8), run_slots(ratio=0.8, seed=1, run="r2")
    within = pair((slots, "ungated"), (slots, "gated"), amount="gross_j", per="request")
    between = pair((slots, "ungated"), (others, "gated"), amount="gross_j", per="request")
    assert isinstance(within, Pair)
    assert isinstance(between, Pair)
    assert (within.paired, between.paired) == (True, False)
    for values in (within, between):
        known = ratio(values)
        assert isinstance(known, Ratio)
        assert known.interval is not None
        assert known.interval.contains(0.8)
        assert known.blocks == (6, 6)


def test_drift_that_both_arms_share_widens_only_the_unpaired_interval() -> None:
    drift = np.exp(np.arange(6) / 10)
    noise = 1 + np.array([1, -1, 1, -1, 1, -1]) / 1000
    paired, unpaired = (found(list(drift), list(0.9 * drift * noise), paired=p) for p in (True, False))
    assert paired.point == pytest.approx(unpaired.point)
    assert paired.interval is not None
    assert unpaired.interval is not None
    assert paired.interval.high < 0.91
    assert unpaired.interval.high > 1


def test_two_runs_may_have_different_numbers_of_blocks() -> None:
    known = found([1.0, 1.1, 0.9, 1.0, 1.05], [2.0, 2.1, 1.9, 2.0, 2.05, 1.95, 2.0], paired=False)
    assert known.blocks == (5, 7)
    assert known.interval is not None
    assert known.interval.contains(2.0)


def test_below_five_blocks_there_is_a_point_and_no_interval() -> None:
    known = found([1.0] * 6, [2.0, 2.1, 1.9, 2.0], paired=False)
    assert known.interval is None
    assert known.point == pytest.approx(2.0, rel=0.01)
    verdict, reason = decide(known, floor=0.01, threshold=0.02)
    assert verdict == "not enough blocks"
    assert reason == "4 blocks are not enough for a claim (needs 5)"


def test_the_inverse_swaps_the_ends() -> None:
    turned = Ratio(point=2.0, interval=Estimate(2.0, 1.6, 2.5), blocks=(5, 5), paired=True).inverse
    assert turned.interval == Estimate(0.5, 0.4, 0.625)


@pytest.mark.parametrize(
    ("interval", "floor", "verdict"),
    [
        (Estimate(0.80, 0.75, 0.85), 0.05, "fewer"),
        (Estimate(1.25, 1.20, 1.30), 0.05, "more"),
        (Estimate(1.00, 0.99, 1.01), 0.01, "equivalent"),
        (Estimate(0.95, 0.94, 0.96), 0.06, "inconclusive"),
        (Estimate(0.90, 0.80, 1.01), 0.02, "inconclusive"),
    ],
)
def test_verdicts(interval: Estimate, floor: float, verdict: str) -> None:
    known = Ratio(point=interval.point, interval=interval, blocks=(5, 5), paired=True)
    assert decide(known, floor=floor, threshold=0.02)[0] == verdict


def test_without_a_floor_or_a_spread_there_is_no_verdict() -> None:
    known = Ratio(point=0.8, interval=Estimate(0.8, 0.79, 0.81), blocks=(5, 5), paired=True)
    assert decide(known, floor=None, threshold=0.02)[0] == "withheld"
    assert decide(replace(known, interval=None), floor=0.01, threshold=0.02)[0] == "withheld"


def test_the_floor_is_the_farthest_end_of_any_copy() -> None:
    wide = Ratio(point=1.0, interval=Estimate(1.0, 0.9, 1.05), blocks=(5, 5), paired=True)
    few = Ratio(point=1.02, interval=None, blocks=(1, 1), paired=True)
    assert noise_floor([wide, few]) == pytest.approx(0.1)
    assert noise_floor([few]) == pytest.approx(1 - 1 / 1.02)
    assert noise_floor([wide, Withheld("no A/A arm")]) is None


def test_unlike_joules_and_absent_arms_are_withheld() -> None:
    slots = run_slots()
    mixed = [replace(slot, boundary="wall") if slot.arm == "gated" else slot for slot in slots]
    assert isinstance(pair((mixed, "ungated"), (mixed, "gated"), amount="gross_j", per="request"), Withheld)
    assert isinstance(pair((slots, "ungated"), (slots, "none"), amount="gross_j", per="request"), Withheld)
    empty = Pair(first=np.array([]), second=np.array([1.0]), paired=False)
    assert isinstance(ratio(empty), Withheld)
