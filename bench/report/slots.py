"""A slot that counts: the row that `analysis` works on, and the records that it was made from."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from analysis.checks import gate_that_failed
from analysis.rows import Slot
from analysis.values import LEVEL
from bench.report.names import arm_label
from bench.run.records import RequestRecord, SlotRecord
from energy import idle as energy_idle
from energy.base import is_nominal
from energy.cadence import LEAST_READINGS


@dataclass(frozen=True)
class Idle:
    """Power with the models loaded and nothing running, measured before, between and after the blocks."""

    watts: list[float | None]
    """Of each idle window, in the order of the run; None where it was not measured."""

    @property
    def known_w(self) -> list[float]:
        """The powers that were measured."""
        return [watts for watts in self.watts if watts is not None]

    @property
    def judged(self) -> energy_idle.IdleVerdict:
        """Mean, drift, and whether it stayed what it was."""
        return energy_idle.judge_idle(self.watts)

    def net_j(self, gross_j: float | None, *, seconds_s: float) -> float | None:
        """Joules above idle; None where idle is unknown or unstable, or nothing is left above it."""
        judged = self.judged
        if gross_j is None or judged.mean_w is None or not judged.stable:
            return None
        net_j = gross_j - judged.mean_w * seconds_s
        return net_j if net_j > 0 else None


@dataclass(frozen=True, kw_only=True)
class SlotRead(Slot):
    """One slot that counts: the row that `analysis` works on, and the records that it was made from."""

    record: SlotRecord
    """With its joules attributed anew."""
    answers: list[RequestRecord]

    @classmethod
    def of(
        cls,
        record: SlotRecord,
        answers: list[RequestRecord],
        *,
        run: str,
        position: int,
        idle: Idle,
        excluded: str | None,
        level: float = LEVEL,
    ) -> SlotRead:
        """The row of a slot; arguments are those of its fields that the records do not hold.

        Args:
            record: with the joules that count.
            answers: its requests.
            run: id of its run.
            position: order within the run, from 0.
            idle: of the run, for the net joules.
            excluded: the declared gate that it failed.
            level: of the intervals that pay for every look at its run.
        """
        joules = record.joules
        return cls(
            run=run,
            block=record.block,
            position=position,
            arm=arm_label(record.arm),
            backend=record.backend,
            gate=record.gate,
            requests=sum(request.batch for request in answers),
            prompt_tokens=sum(request.all_prompt_tokens for request in answers),
            new_tokens=sum(request.all_new_tokens for request in answers),
            forwards=sum(request.forwards for request in answers),
            seconds_s=record.seconds_s,
            gross_j=joules.total_j,
            # idle is that of this machine, not of the other ranks'
            net_j=None if record.ranks else idle.net_j(joules.total_j, seconds_s=record.seconds_s),
            boundary=joules.boundary,
            kind=joules.kind,
            grade=joules.grade,
            readings=joules.readings,
            thermal=joules.thermal,
            excluded=excluded,
            level=level,
            record=record,
            answers=answers,
        )


def first_of_each_prompt(slots: Iterable[SlotRead]) -> dict[str, RequestRecord]:
    """By prompt id the first request of these slots."""
    first: dict[str, RequestRecord] = {}
    for slot in slots:
        for request in slot.answers:
            first.setdefault(request.prompt_id, request)
    return first


def tokens_of(requests: Mapping[str, RequestRecord]) -> dict[str, list[int]]:
    """By prompt id the new tokens; not of what a server answered, whose token ids are not known."""
    return {prompt: request.tokens for prompt, request in requests.items() if not request.served}


AnySlot = TypeVar("AnySlot", bound=Slot)


def that_count(slots: Sequence[AnySlot]) -> list[AnySlot]:
    """The slots that an arm's figures rest on: those that failed no declared gate.

    An arm of which no slot counts keeps them all: they are the figures there are, and no verdict rests on
    them.
    """
    counting = {slot.arm for slot in slots if slot.excluded is None}
    return [slot for slot in slots if slot.excluded is None or slot.arm not in counting]


def failed_gate(
    thermal: str | None, readings: int | None, *, power: str | None, as_published: bool = False
) -> str | None:
    """The declared gate that a slot failed, which leaves it out; None if it counts.

    Args:
        thermal: worst pressure within it, as the meter words it; None if no meter says.
        readings: of it; None without a meter.
        power: how the power supply differs from the session's start; None if it does not.
        as_published: whether its run repeats the papers' protocol.
    """
    throttled = None if thermal is None or is_nominal(thermal) else thermal
    return gate_that_failed(
        throttled=throttled,
        power=power,
        readings=readings,
        fewest_readings=LEAST_READINGS,
        as_published=as_published,
    )
