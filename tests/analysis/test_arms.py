from dataclasses import replace

import pytest

from analysis.arms import Level, TokensSaved, level, tokens_saved
from analysis.values import Withheld
from tests.analysis.slots import ARMS, judged, run_slots


def test_level_has_an_interval_over_blocks() -> None:
    value = level(run_slots(), ("ungated",), amount="gross_j", per="new_token")
    assert isinstance(value, Level)
    assert value.interval is not None
    assert value.interval.contains(100 / 250)
    assert value.blocks == 6
    assert isinstance(level(run_slots(), ("random",), amount="gross_j", per="request"), Withheld)


def test_a_linear_drift_cancels_however_many_passes_each_slot_held() -> None:
    """Later slots are faster, so they hold more passes: a mean over passes would lean towards them."""
    slots = [
        replace(s, gross_j=passes * 100 * (1 - 0.02 * (s.position % 6)), requests=50 * passes)
        for s in run_slots(blocks=4)
        for passes in [1 + s.position % 6]
    ]
    levels = [level(slots, (arm,), amount="gross_j", per="request") for arm in ARMS]
    for found in levels:
        assert isinstance(found, Level)
        assert found.point == pytest.approx(2 * (1 - 0.02 * 2.5))
    both = level(slots, (ARMS[0], ARMS[2]), amount="gross_j", per="request")
    assert isinstance(both, Level)
    assert both.point == pytest.approx(2 * (1 - 0.02 * 2.5))


def test_a_quotient_of_levels_is_the_ratio_that_is_judged() -> None:
    slots = run_slots(blocks=7, ratio=0.8, noise=0.05)
    treated = level(slots, ("gated",), amount="gross_j", per="request")
    plain = level(slots, ("ungated", ARMS[2]), amount="gross_j", per="request")
    assert isinstance(treated, Level)
    assert isinstance(plain, Level)
    assert treated.point / plain.point == pytest.approx(judged(slots).point)


def test_two_blocks_have_a_level_and_no_interval() -> None:
    found = level(run_slots(blocks=2), ("gated",), amount="gross_j", per="new_token")
    assert isinstance(found, Level)
    assert found.interval is None


def test_tokens_saved_keeps_prompt_and_new_tokens_apart() -> None:
    saved = tokens_saved(run_slots(tokens=0.4), treated="gated", baseline="ungated")
    assert isinstance(saved, TokensSaved)
    assert saved.new_tokens_saved == pytest.approx(0.6)
    assert saved.total_tokens_saved == pytest.approx(1 - (500 + 100) / 750)


def test_tokens_of_slots_that_are_left_out_do_not_count() -> None:
    slots = run_slots(tokens=0.4)
    first = next(i for i, slot in enumerate(slots) if slot.arm == "gated")
    slots[first] = replace(slots[first], excluded="throttled", new_tokens=10**6)
    saved = tokens_saved(slots, treated="gated", baseline="ungated")
    assert isinstance(saved, TokensSaved)
    assert saved.new_tokens_saved == pytest.approx(0.6)


def test_tokens_saved_of_nothing_is_withheld() -> None:
    assert isinstance(tokens_saved([], treated="a", baseline="b"), Withheld)
