from dataclasses import replace

import numpy as np
import pytest

from analysis.rows import Slot
from analysis.savings import Question, Saving, judge, weigh
from tests.analysis.slots import run_slots

ASKED = Question(treated="gated", baseline="ungated", repeat="ungated again")


def no_number(saving: Saving) -> bool:
    figures = (saving.ratio, saving.ratio_bca, saving.repeat_ratio, saving.noise_floor, saving.equivalence_p)
    return all(figure is None for figure in figures)


def test_half_the_joules_are_a_saving() -> None:
    saving = judge(run_slots(ratio=0.47), ASKED)
    assert saving.verdict == "saves"
    assert saving.ratio is not None
    assert saving.ratio.contains(0.47)
    assert saving.blocks == 6
    assert saving.grade == 2
    assert saving.blocks_to_settle is None
    assert saving.noise_floor is not None
    assert 0 < saving.noise_floor < 0.02


def test_more_joules_cost() -> None:
    assert judge(run_slots(ratio=1.2), ASKED).verdict == "costs"


def test_the_same_joules_are_equivalent() -> None:
    saving = judge(run_slots(noise=0.005), ASKED)
    assert saving.verdict == "equivalent"
    assert saving.equivalence_p is not None
    assert saving.equivalence_p < 0.05


def test_noise_is_inconclusive_and_says_how_much_longer() -> None:
    saving = judge(run_slots(ratio=0.96, noise=0.04, seed=3), ASKED)
    assert saving.verdict == "inconclusive"
    assert saving.blocks_to_settle is not None
    assert saving.blocks_to_settle > saving.blocks


def test_an_effect_inside_the_aa_floor_is_not_a_saving() -> None:
    log_ratios = np.log(0.95) + 0.001 * np.array([-2.0, -1.0, 0.0, 1.0, 2.0])
    quiet, loud = 0.001 * np.array([-2.0, -1.0, 0.0, 1.0, 2.0]), 0.1 * np.array([-2.0, -1.0, 0.0, 1.0, 2.0])
    assert weigh(log_ratios, quiet).verdict == "saves"
    weighed = weigh(log_ratios, loud)
    assert weighed.verdict == "inconclusive"
    assert weighed.noise_floor > 0.05


def test_swapping_the_arms_mirrors_the_verdict() -> None:
    rng = np.random.default_rng(0)
    for _ in range(50):
        log_ratios, repeat = rng.normal(0.02, 0.015, 6), rng.normal(0, 0.01, 6)
        mirror = {"saves": "costs", "costs": "saves"}
        there, back = weigh(log_ratios, repeat).verdict, weigh(-log_ratios, repeat).verdict
        assert back == mirror.get(there, there)


def test_the_saving_per_new_token_differs_from_that_per_request() -> None:
    slots = run_slots(ratio=0.47, tokens=0.428)
    per_token = judge(slots, replace(ASKED, per="new_token"))
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
        (_throttled, "not enough blocks", "3 whole blocks"),
        (_mixed, "withheld", "different boundaries"),
        (_modelled, "withheld", "grade 0"),
    ],
)
def test_bad_input_gets_a_reason_and_no_number(spoil, verdict: str, says: str) -> None:
    saving = judge(spoil(run_slots(ratio=0.47)), ASKED)
    assert saving.verdict == verdict
    assert says in saving.reason
    assert no_number(saving)


def test_without_an_aa_arm_nothing_is_concluded() -> None:
    saving = judge(run_slots(ratio=0.47), replace(ASKED, repeat=None))
    assert saving.verdict == "withheld"
    assert "no A/A arm" in saving.reason
    assert no_number(saving)
    assert len(saving.block_ratios) == 6


def test_zero_variance_is_not_certainty() -> None:
    saving = judge(run_slots(ratio=0.47, noise=0.0), ASKED)
    assert saving.verdict == "withheld"
    assert no_number(saving)


def test_no_slots_at_all() -> None:
    saving = judge([], ASKED)
    assert saving.verdict == "withheld"
    assert no_number(saving)


def test_a_cut_block_is_counted_beside_the_verdict() -> None:
    saving = judge(run_slots(ratio=0.47)[:-2], ASKED)
    assert saving.verdict == "saves"
    assert saving.left_out == {"cut short": 1}
