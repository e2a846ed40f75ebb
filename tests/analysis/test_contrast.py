from dataclasses import replace

from analysis.contrast import Held, contrast, judge
from analysis.rows import Slot
from analysis.values import Withheld
from analysis.verdict import Contrast
from tests.analysis.slots import ARMS, run_slots


def held(slots: list[Slot], arm: str) -> Held:
    return Held(slots=slots, arm=arm, plain=ARMS[0], again=ARMS[2])


def test_blocks_of_one_run_are_paired_and_blocks_of_two_are_not() -> None:
    slots, others = run_slots(ratio=0.8), run_slots(ratio=0.8, seed=1, run="r2")
    within = contrast(held(slots, "gated"), held(slots, "ungated"))
    between = contrast(held(others, "gated"), held(slots, "ungated"))
    for found, paired in ((within, True), (between, False)):
        assert isinstance(found, Contrast)
        assert [found.effect.paired, *(copy.paired for copy in found.copies)] == [paired] * 3
        assert found.effect.interval is not None
        assert found.effect.interval.contains(0.8)
        assert found.effect.blocks == (6, 6)


def test_a_block_counts_if_the_aa_arm_is_whole_in_it_too() -> None:
    slots = run_slots(ratio=0.8, blocks=7)
    hurt = [replace(s, excluded="hot") if (s.arm, s.block) == (ARMS[2], 3) else s for s in slots]
    found = contrast(held(hurt, "gated"), held(hurt, "ungated"))
    assert isinstance(found, Contrast)
    assert found.effect.blocks == (6, 6)
    assert found.left_out == {"hot": 1}


def test_what_two_runs_leave_out_is_counted_together() -> None:
    slots, others = (run_slots(blocks=7, seed=seed, run=f"r{seed}")[:-2] for seed in (0, 1))
    found = judge(held(others, "gated"), held(slots, "ungated"))
    assert found.blocks == 6
    assert found.left_out == {"cut short": 2}


def test_a_side_without_an_aa_arm_has_no_floor() -> None:
    slots = run_slots()
    others = [slot for slot in run_slots(seed=1, run="r2") if slot.arm != ARMS[2]]
    found = judge(held(others, "gated"), held(slots, "ungated"))
    assert found.verdict == "withheld"
    assert found.noise_floor is None


def test_unlike_joules_and_absent_arms_are_withheld() -> None:
    slots = run_slots()
    mixed = [replace(slot, boundary="wall") if slot.arm == "gated" else slot for slot in slots]
    assert isinstance(contrast(held(mixed, "gated"), held(mixed, "ungated")), Withheld)
    assert judge(held(slots, "none"), held(slots, "ungated")).reason == "no slot of none: nothing to compare"
