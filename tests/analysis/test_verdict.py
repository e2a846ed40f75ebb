from dataclasses import replace

import numpy as np
import pytest

from analysis.effect import LogPair
from analysis.rows import Slot
from analysis.statistical_power import PowerQuestion, blocks_to_settle
from analysis.stats import log_distance
from analysis.values import Estimate
from analysis.verdict import (
    Contrast,
    Judgement,
    Verdict,
    decide,
    decide_together,
    place,
)
from tests.analysis.slots import judged, run_slots

SPREAD = np.array([-2.0, -1.0, 0.0, 1.0, 2.0])


def pair(treated: np.ndarray, baseline: np.ndarray | None = None, *, paired: bool = True) -> LogPair:
    other = np.zeros_like(treated) if baseline is None else baseline
    return LogPair(treated=treated, baseline=other, paired=paired)


def weighed(log_ratios: np.ndarray, repeat: np.ndarray) -> Judgement:
    return decide(Contrast(effect=pair(log_ratios), copies=(pair(repeat),)))


def no_number(judgement: Judgement) -> bool:
    return judgement.ratio is judgement.repeat_ratio is judgement.blocks_to_settle is None


def test_half_the_joules_are_a_saving() -> None:
    saving = judged(run_slots(ratio=0.47))
    assert saving.verdict == "saves"
    assert saving.ratio is not None
    assert saving.ratio.contains(0.47)
    assert saving.blocks == 6
    assert saving.grade == 2
    assert saving.blocks_to_settle is None
    assert saving.noise_floor is not None
    assert 0 < saving.noise_floor < 0.02


def test_more_joules_cost() -> None:
    assert judged(run_slots(ratio=1.2)).verdict == "costs"


def test_the_same_joules_are_equivalent() -> None:
    assert judged(run_slots(noise=0.005)).verdict == "equivalent"


def test_equivalent_needs_the_whole_interval_within_the_threshold() -> None:
    # two one-sided tests at 5 % would place this one within 2 %; its 95 % interval reaches to 2.09 %
    rows = 0.011 + 0.0078 * SPREAD / SPREAD.std(ddof=1)
    found = weighed(rows, 0.001 * SPREAD)
    assert found.verdict == "inconclusive"
    assert found.ratio is not None
    assert found.ratio.high > 1 / 0.98
    assert weighed(rows - 0.008, 0.001 * SPREAD).verdict == "equivalent"


def test_noise_is_inconclusive_and_says_how_much_longer() -> None:
    saving = judged(run_slots(ratio=0.96, noise=0.04, seed=8))
    assert saving.verdict == "inconclusive"
    assert saving.blocks_to_settle is not None
    assert saving.blocks_to_settle > saving.blocks
    more = saving.blocks_to_settle - saving.blocks
    assert f"about {more} more block{'s' * (more > 1)} would settle it" in saving.reason
    assert f"({saving.blocks_to_settle} in all)" in saving.reason


def test_blocks_to_settle_are_those_of_the_rule_and_a_loud_floor_asks_for_more() -> None:
    rows = np.log(0.95) + 0.05 * SPREAD / 1.5811
    loud, quiet = weighed(rows, 0.1 * SPREAD), weighed(rows, 0.01 * SPREAD)
    question = PowerQuestion(
        effect=-np.log(0.95), bound=log_distance(0.02), spread=0.05, copy_spread=0.1 * SPREAD.std(ddof=1)
    )
    assert loud.verdict == quiet.verdict == "inconclusive"
    assert loud.blocks_to_settle == blocks_to_settle(question)
    assert loud.blocks_to_settle > (quiet.blocks_to_settle or 0) > 5


def test_no_number_of_blocks_settles_an_effect_on_the_threshold() -> None:
    found = weighed(np.log(0.98) + 0.04 * np.array([-1.0, 1.0, -1.0, 1.0, 0.0]), 0.001 * SPREAD)
    assert found.blocks_to_settle is None
    assert "no number of blocks would settle it" in found.reason


def test_an_effect_inside_the_aa_floor_is_not_a_saving() -> None:
    log_ratios = np.log(0.95) + 0.001 * SPREAD
    assert weighed(log_ratios, 0.001 * SPREAD).verdict == "saves"
    loud = weighed(log_ratios, 0.1 * SPREAD)
    assert loud.verdict == "inconclusive"
    assert loud.noise_floor is not None
    assert loud.noise_floor > 0.05
    assert loud.exceeds_noise is False
    assert "not shown to exceed the noise (A/A)" in loud.reason


def test_what_holm_takes_away_comes_back_with_more_blocks() -> None:
    effect = pair(np.log(0.9) + 0.045 * SPREAD / 1.5811)
    alone = Contrast(effect=effect, copies=(pair(0.01 * SPREAD),))
    nothing = replace(alone, effect=pair(0.01 * SPREAD))
    assert decide(alone).verdict == "saves"
    found = decide_together({"one": alone} | {f"other {n}": nothing for n in range(7)})["one"]
    assert (found.verdict, found.asked) == ("inconclusive", 8)
    assert found.blocks_to_settle is not None
    assert found.blocks_to_settle > 5
    assert f"({found.blocks_to_settle} in all)" in found.reason


def test_nothing_is_equivalent_beside_a_machine_that_does_not_repeat_itself() -> None:
    rows = 0.0015 * SPREAD
    assert weighed(rows, 0.001 * SPREAD).verdict == "equivalent"
    loud = weighed(rows, 0.10 + 0.001 * SPREAD)
    assert loud.verdict == "inconclusive"
    assert "noise (A/A) is 9.7 %" in loud.reason


def test_swapping_the_arms_mirrors_the_verdict() -> None:
    rng = np.random.default_rng(0)
    for _ in range(50):
        log_ratios, repeat = rng.normal(0.02, 0.015, 6), rng.normal(0, 0.01, 6)
        mirror = {"saves": "costs", "costs": "saves"}
        there, back = weighed(log_ratios, repeat).verdict, weighed(-log_ratios, repeat).verdict
        assert back == mirror.get(there, there)


def test_drift_that_both_arms_share_cancels_in_pairs_and_two_runs_have_no_interval() -> None:
    drift = np.arange(6) / 10
    noise = np.array([1, -1, 1, -1, 1, -1]) / 1000
    paired, unpaired = (pair(drift + np.log(0.9) + noise, drift, paired=p) for p in (True, False))
    assert paired.interval is not None
    assert paired.interval.high < 0.91
    assert paired.point == pytest.approx(unpaired.point)
    assert unpaired.interval is None


def test_two_runs_may_have_different_numbers_of_blocks() -> None:
    first, second = np.log([1.0, 1.1, 0.9, 1.0, 1.05]), np.log([2.0, 2.1, 1.9, 2.0, 2.05, 1.95, 2.0])
    found = pair(second, first, paired=False)
    assert found.blocks == (7, 5)
    copies = pair(first, first[::-1], paired=True), pair(second, second[::-1], paired=True)
    judged = decide(Contrast(effect=found, copies=copies))
    assert (judged.blocks, judged.verdict) == (5, "not estimated")
    assert judged.point == pytest.approx(2.0, rel=0.05)


def test_blocks_that_follow_each_other_have_a_wider_interval_beside_t() -> None:
    waves = np.log(0.9) + 0.01 * np.sin(np.arange(20) / 3)
    judged = weighed(waves, 0.001 * np.resize([1.0, -1.0, 0.5], 20))
    assert judged.lag_1 is not None
    assert judged.lag_1 > 0.5
    assert judged.ratio is not None
    assert judged.ratio_ar1 is not None
    assert judged.ratio_ar1.high - judged.ratio_ar1.low > 1.7 * (judged.ratio.high - judged.ratio.low)


@pytest.mark.parametrize(
    ("interval", "expected"),
    [
        (Estimate(0.80, 0.75, 0.85), "saves"),
        (Estimate(1.25, 1.20, 1.30), "costs"),
        (Estimate(1.00, 0.99, 1.01), "equivalent"),
        (Estimate(0.90, 0.80, 1.01), "inconclusive"),
        (Estimate(1.01, 1.00, 1.03), "inconclusive"),
    ],
)
def test_where_an_interval_lies(interval: Estimate, expected: Verdict) -> None:
    assert place(interval) == expected


def test_the_saving_per_new_token_differs_from_that_per_request() -> None:
    per_token = judged(run_slots(ratio=0.47, tokens=0.428), per="new_token")
    assert per_token.verdict == "costs"
    assert per_token.ratio is not None
    assert per_token.ratio.point == pytest.approx(0.47 / 0.428, rel=0.02)


def _cut_short(slots: list[Slot]) -> list[Slot]:
    return slots[:17]


def _mixed(slots: list[Slot]) -> list[Slot]:
    return [replace(slots[0], boundary="wall"), *slots[1:]]


def _modelled(slots: list[Slot]) -> list[Slot]:
    return [replace(slots[0], kind="modelled", grade=0), *slots[1:]]


def _one_block(slots: list[Slot]) -> list[Slot]:
    return slots[:6]


def _no_joules(slots: list[Slot]) -> list[Slot]:
    return [replace(slot, gross_j=None) for slot in slots]


def _throttled(slots: list[Slot]) -> list[Slot]:
    return [replace(slot, excluded="throttled" if slot.block < 3 else None) for slot in slots]


@pytest.mark.parametrize(
    ("spoil", "verdict", "says"),
    [
        (_cut_short, "not enough blocks", "2 whole blocks are not enough"),
        (_one_block, "not enough blocks", "1 whole block is not enough"),
        (_no_joules, "not enough blocks", "0 whole blocks"),
        (_throttled, "not enough blocks", "3 whole blocks are not enough for a claim (needs 5); left out: "),
        (_throttled, "not enough blocks", "left out: 3 blocks (throttled)"),
        (_mixed, "not estimated", "different boundaries"),
        (_modelled, "not estimated", "grade 0"),
    ],
)
def test_bad_input_gets_a_reason_and_no_number(spoil, verdict: str, says: str) -> None:
    saving = judged(spoil(run_slots(ratio=0.47)))
    assert saving.verdict == verdict
    assert says in saving.reason
    assert no_number(saving)


def test_without_an_aa_arm_nothing_is_concluded() -> None:
    saving = judged(run_slots(ratio=0.47), again="nobody")
    assert saving.verdict == "not estimated"
    assert "no A/A: what" in saving.reason
    assert no_number(saving)
    assert saving.point == pytest.approx(0.47, rel=0.02)


def test_zero_variance_is_not_certainty() -> None:
    saving = judged(run_slots(ratio=0.47, noise=0.0))
    assert saving.verdict == "not estimated"
    assert no_number(saving)
    copied = weighed(np.log(0.9) + 0.01 * SPREAD, np.zeros(5))
    assert (copied.verdict, copied.ratio) == ("not estimated", None)
    assert "A/A has no variance" in copied.reason


def test_no_slots_at_all() -> None:
    saving = judged([])
    assert saving.verdict == "not estimated"
    assert no_number(saving)
    assert saving.point is None


def test_a_cut_block_is_counted_beside_the_verdict() -> None:
    saving = judged(run_slots(ratio=0.47)[:-2])
    assert saving.verdict == "saves"
    assert saving.left_out == {"cut short": 1}
    assert saving.reason.endswith("; left out: 1 block (cut short)")
