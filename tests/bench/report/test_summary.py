"""An arm's row, from its slots."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from bench.report.readback import read_back
from bench.report.slots import SlotRead
from bench.report.summary import summarise
from bench.run import store
from tests.bench.report.slots import with_joules


def test_the_grade_of_an_arm_is_explained_by_its_widest_bound(echo_run: Path) -> None:
    """Every slot is graded 1; what mends the worst of them mends them all."""
    readback = read_back(store.read(echo_run))

    def bounded(slot: SlotRead, share: float) -> SlotRead:
        reasons = [f"known to {share:.0%}"]
        joules = slot.record.joules
        wide = replace(joules, grade=1, bound_j=share * joules.total_j, grade_reasons=reasons)
        return with_joules(slot, wide)

    shares = [0.03, 0.08, 0.05]
    slots = [bounded(slot, shares[number % 3]) for number, slot in enumerate(readback.slots)]
    widest = {
        arm: max(s.record.joules.bound_j / s.gross_j for s in slots if s.arm == arm)
        for arm in {slot.arm for slot in slots}
    }
    rows = summarise(replace(readback, slots=slots)).rows
    assert rows
    for row in rows:
        assert row.grade_reasons == (f"known to {widest[row.label]:.0%}",)


def test_reasoning_tokens_are_summed_where_every_request_has_a_count(echo_run: Path) -> None:
    readback = read_back(store.read(echo_run))
    assert {row.reasoning_tokens_per_repeat for row in summarise(readback).rows} == {None}

    def thinking(slot: SlotRead) -> SlotRead:
        return replace(slot, answers=[replace(one, reasoning_tokens=3) for one in slot.answers])

    told = replace(readback, slots=[thinking(slot) for slot in readback.slots])
    for row in summarise(told).rows:
        assert row.reasoning_tokens_per_repeat == 3 * row.prompts


def test_a_baseline_that_generated_nothing_leaves_no_share_to_save(echo_run: Path) -> None:
    readback = read_back(store.read(echo_run))
    slots = [
        replace(slot, new_tokens=0, answers=tuple(replace(one, tokens=[]) for one in slot.answers))
        if slot.record.gate == readback.baseline
        else slot
        for slot in readback.slots
    ]
    rows = summarise(replace(readback, slots=slots)).rows
    gated = [row for row in rows if row.gate != readback.baseline]
    assert gated
    assert all(row.tokens_saved_percent is None for row in gated)
