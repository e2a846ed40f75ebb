from dataclasses import replace

import numpy as np
import pytest

from analysis.blocks import BlockTable, block_table
from analysis.values import Withheld
from tests.analysis.slots import ARMS, PLAIN, run_slots


def table_of(slots: list, per: str = "request") -> BlockTable:
    table = block_table(slots, ARMS, amount="gross_j", per=per)  # type: ignore[arg-type]
    assert isinstance(table, BlockTable)
    return table


def test_in_a_block_every_slot_weighs_the_same() -> None:
    slots = [
        replace(PLAIN, arm=arm, gross_j=joules, requests=requests)
        for arm, joules, requests in (("a", 100.0, 50), ("a", 300.0, 100), ("b", 50.0, 50), ("b", 50.0, 50))
    ]
    table = block_table(slots, ["a", "b"], amount="gross_j", per="request")
    assert isinstance(table, BlockTable)
    assert table.values.tolist() == [[2.5], [1.0]]
    assert table.logs("b") - table.logs("a") == pytest.approx([np.log(1 / 2.5)])


def test_per_token_divides_by_tokens() -> None:
    slots = run_slots(noise=0.0)
    assert table_of(slots, "new_token").values == pytest.approx(100 / 250 * np.ones((3, 6)))
    assert table_of(slots, "total_token").values == pytest.approx(100 / 750 * np.ones((3, 6)))


def test_blocks_of_several_runs_are_kept_apart() -> None:
    slots = [*run_slots(blocks=2, run="a"), *run_slots(blocks=3, run="b")]
    assert table_of(slots).values.shape == (3, 5)


def test_what_does_not_count_is_counted() -> None:
    slots = run_slots(blocks=6)
    slots = slots[:-1]  # cut short in the last block
    slots[0] = replace(slots[0], excluded="throttled")
    slots[6] = replace(slots[6], gross_j=None)
    table = table_of(slots)
    assert table.values.shape == (3, 3)
    assert table.left_out == {"cut short": 1, "throttled": 1, "no figure": 1}


def test_an_absent_arm_is_named() -> None:
    answer = block_table(run_slots(), ["gated", "random"], amount="gross_j", per="request")
    assert answer == Withheld("no window of random: nothing to compare")


def test_no_new_token_is_no_price_per_new_token() -> None:
    slots = [replace(slot, new_tokens=0) for slot in run_slots()]
    assert isinstance(block_table(slots, ARMS, amount="gross_j", per="new_token"), Withheld)


def test_seconds_do_not_care_about_boundaries() -> None:
    slots = run_slots()
    slots[0] = replace(slots[0], boundary="wall")
    assert isinstance(block_table(slots, ARMS, amount="gross_j", per="request"), Withheld)
    assert isinstance(block_table(slots, ARMS, amount="seconds_s", per="request"), BlockTable)


def test_an_arm_with_a_slot_void_in_every_block_is_not_whole() -> None:
    slots = [slot for slot in run_slots() if not (slot.arm == "ungated" and slot.position % 6 > 2)]
    answer = block_table(slots, ARMS, amount="gross_j", per="request")
    assert isinstance(answer, Withheld)
    assert answer.reason.startswith("ungated is not whole: 1 window of 2 void in every block")
    # in one block alone it costs that block
    once = [slot for slot in run_slots() if slot.position != 5]
    assert table_of(once).left_out == {"cut short": 1}
