from dataclasses import replace

import numpy as np
import pytest

from analysis.blocks import BlockTable, block_table
from analysis.contrast import Held, contrast, judge, judge_together
from analysis.rows import Slot
from analysis.stats import t_interval
from analysis.values import Withheld
from analysis.verdict import Contrast
from tests.analysis.slots import ARMS, run_slots


def held(slots: list[Slot], arm: str) -> Held:
    return Held(slots=slots, arm=arm, plain=ARMS[0], again=ARMS[2])


def test_blocks_of_one_run_are_paired_and_blocks_of_two_have_no_interval() -> None:
    slots, others = run_slots(ratio=0.8), run_slots(ratio=0.8, seed=1, run="r2")
    within = contrast(held(slots, "gated"), held(slots, "ungated"))
    between = contrast(held(others, "gated"), held(slots, "ungated"))
    for found, paired in ((within, True), (between, False)):
        assert isinstance(found, Contrast)
        assert found.effect.paired == paired
        assert all(copy.paired for copy in found.copies)
        assert found.effect.blocks == (6, 6)
        assert found.effect.point is not None
        assert abs(found.effect.point - 0.8) < 0.05
        assert (found.effect.interval is not None) == paired
    said = judge(held(others, "gated"), held(slots, "ungated"))
    assert (said.verdict, said.ratio) == ("not estimated", None)
    assert "how much changes from run to run is unknown" in said.reason


def test_several_comparisons_are_corrected_for_each_other() -> None:
    slots = run_slots(ratio=0.93, noise=0.04, seed=3)
    alone = judge(held(slots, "gated"), held(slots, "ungated"))
    assert alone.verdict == "saves"
    assert alone.p == alone.p_holm
    many = [
        replace(s, arm=f"other {n}", gross_j=s.gross_j and s.gross_j / 0.93)
        for n in range(20)
        for s in slots
        if s.arm == "gated"
    ]
    both = [*slots, *many]
    arms = sorted({slot.arm for slot in both} - {"ungated", "ungated again"})
    pairs = {arm: (held(both, arm), held(both, "ungated")) for arm in arms}
    among = judge_together(pairs)["gated"]
    assert among.asked == 21
    assert among.p == alone.p
    assert among.p is not None
    assert among.p_holm == 21 * among.p
    assert among.verdict == "inconclusive"
    assert "alone it saves" in among.reason


def test_pooled_runs_count_once_each() -> None:
    each = [slot for seed in range(6) for slot in run_slots(ratio=0.8, seed=seed, run=f"r{seed}")]
    hot = [replace(s, gross_j=s.gross_j * (1 + 0.1 * int(s.run[1]))) if s.arm == "gated" else s for s in each]
    found = contrast(held(hot, "gated"), held(hot, "ungated"))
    assert isinstance(found, Contrast)
    assert found.effect.blocks == (36, 36)
    assert len(found.effect.sample) == 6
    judged = judge(held(hot, "gated"), held(hot, "ungated"))
    assert judged.ratio is not None
    assert judged.ratio.high / judged.ratio.low > 1.2
    assert judged.lag_1 is None


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
    assert found.verdict == "not estimated"
    assert found.noise_floor is None


def test_unlike_joules_and_absent_arms_are_withheld() -> None:
    slots = run_slots()
    mixed = [replace(slot, boundary="wall") if slot.arm == "gated" else slot for slot in slots]
    assert isinstance(contrast(held(mixed, "gated"), held(mixed, "ungated")), Withheld)
    assert (
        judge(held(slots, "none"), held(slots, "ungated")).reason == "no window of none: nothing to compare"
    )


def test_the_ungated_arm_is_the_mean_of_its_two_copies() -> None:
    slots = run_slots(ratio=0.8)
    found, alone = (contrast(held(slots, arm), held(slots, "ungated")) for arm in ("gated", ARMS[2]))
    table = block_table(slots, ARMS, amount="gross_j", per="request")
    assert isinstance(found, Contrast)
    assert isinstance(alone, Contrast)
    assert isinstance(table, BlockTable)
    assert found.effect.baseline == pytest.approx((table.logs(ARMS[0]) + table.logs(ARMS[2])) / 2)
    assert alone.effect.baseline == pytest.approx(table.logs(ARMS[0]))


def test_both_copies_give_a_narrower_interval_with_the_same_coverage() -> None:
    logs = np.random.default_rng(1).normal(0, 0.01, (4000, 3, 5))
    one, both = (t_interval(logs[:, 0] - logs[:, 1 : 2 + copies].mean(axis=1)) for copies in (0, 1))
    assert np.mean(both.high - both.low) == pytest.approx(
        np.sqrt(3) / 2 * np.mean(one.high - one.low), rel=0.02
    )
    assert np.mean((both.low <= 0) & (both.high >= 0)) == pytest.approx(0.95, abs=0.01)
