from dataclasses import replace

import pytest

from analysis.arms import TokensSaved, level, tokens_saved, totals
from analysis.values import Estimate, Withheld
from tests.analysis.slots import run_slots


def test_totals_are_sums_over_what_counts() -> None:
    slots = run_slots(blocks=2, noise=0.0)
    mine = [i for i, slot in enumerate(slots) if slot.arm == "gated"]
    slots[mine[0]] = replace(slots[mine[0]], excluded="throttled")
    total = totals(slots, "gated")
    assert (total.slots, total.slots_excluded, total.requests) == (3, 1, 150)
    assert total.gross_j == pytest.approx(300.0)


def test_a_hole_makes_no_total() -> None:
    slots = run_slots(blocks=2)
    slots = [replace(slot, net_j=None) if slot.position == 0 else slot for slot in slots]
    total = totals(slots, slots[0].arm)
    assert total.net_j is None
    assert total.gross_j is not None
    assert totals([], "gated").gross_j is None


def test_level_has_an_interval_over_blocks() -> None:
    value = level(run_slots(), "ungated", amount="gross_j", per="new_token")
    assert isinstance(value, Estimate)
    assert value.contains(100 / 250)
    assert isinstance(level(run_slots(), "random", amount="gross_j", per="request"), Withheld)


def test_tokens_saved_keeps_prompt_and_new_tokens_apart() -> None:
    saved = tokens_saved(run_slots(tokens=0.4), treated="gated", baseline="ungated")
    assert isinstance(saved, TokensSaved)
    assert saved.new_tokens_saved == pytest.approx(0.6)
    assert saved.total_tokens_saved == pytest.approx(1 - (500 + 100) / 750)
    assert saved.prompt_tokens_per_request == 10


def test_tokens_saved_of_nothing_is_withheld() -> None:
    assert isinstance(tokens_saved([], treated="a", baseline="b"), Withheld)
