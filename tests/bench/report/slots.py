"""Slots of made-up runs, as `read_back` would give them."""

from __future__ import annotations

from dataclasses import replace

from bench.report.slots import Idle, SlotRead, failed_gate
from bench.run.observed import Joules
from bench.run.records import RequestRecord, SlotRecord


def slot_read(record: SlotRecord, answers: list[RequestRecord]) -> SlotRead:
    """The row of a slot of a run without idle power, in 600 readings."""
    return SlotRead.of(
        record,
        answers,
        run="made-up",
        position=100 * record.block + record.position,
        idle=Idle([]),
        excluded=failed_gate(record.joules.thermal, 600, power=None),
    )


def with_joules(slot: SlotRead, joules: Joules) -> SlotRead:
    """The same slot with other joules."""
    return SlotRead.of(
        replace(slot.record, joules=joules),
        slot.answers,
        run=slot.run,
        position=slot.position,
        idle=Idle([]),
        excluded=slot.excluded,
        level=slot.level,
    )
