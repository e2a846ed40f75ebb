"""What an arm uses per request and per token, and how fast it is, by one rule: `analysis.arms.level`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

from analysis.arms import Level, level
from analysis.blocks import Amount, Per
from analysis.rows import Slot
from analysis.values import Withheld
from bench.report.names import arm_label
from bench.report.readback import Readback
from bench.report.rows import PHASES, of_phase
from bench.report.slots import SlotRead, that_count
from bench.run.records import ArmKey


@dataclass(frozen=True, kw_only=True)
class Costs:
    """Of one arm; None where no block has a figure."""

    request: Level | None
    """Joules,"""
    new_token: Level | None
    total_token: Level | None
    seconds: Level | None
    """and seconds per request,"""
    phases: dict[str, Level | None]
    """and per token of a phase: of the prompt in prefill, forwards in decode."""

    @classmethod
    def of(cls, readback: Readback, key: ArmKey) -> Costs:
        """The costs of an arm among the slots of its run; of a baseline those of both its copies together."""
        own = arm_label(key)
        again = [arm_label((key[0], key[1], True))] if key[1:] == (readback.baseline, False) else []
        counting = {arm: slots for arm in (own, *again) if (slots := _that_count(readback.slots, arm))}
        of = partial(_level, counting, own)
        by_phase = {
            phase: {arm: [of_phase(slot, phase) for slot in slots] for arm, slots in counting.items()}
            for phase in PHASES
        }
        return cls(
            request=of("gross_j", "request"),
            new_token=of("gross_j", "new_token"),
            total_token=of("gross_j", "total_token"),
            seconds=of("seconds_s", "request"),
            phases={phase: _level(rows, own, "seconds_s", "new_token") for phase, rows in by_phase.items()},
        )

    def tokens_per_s(self, phase: str) -> float | None:
        """The reciprocal, so that repeats weigh the same in a block and blocks the same in a run."""
        known = self.phases[phase]
        return None if known is None else 1 / known.point


def _level(counting: Mapping[str, Sequence[Slot]], own: str, amount: Amount, per: Per) -> Level | None:
    """Of the copies of an arm by their slots; of its own alone where the copies have no block in common."""
    rows = [slot for slots in counting.values() for slot in slots]
    known = level(rows, tuple(counting), amount=amount, per=per)
    if isinstance(known, Withheld) and len(counting) > 1:
        known = level(counting[own], (own,), amount=amount, per=per)
    return None if isinstance(known, Withheld) else known


def _that_count(slots: Sequence[SlotRead], arm: str) -> list[SlotRead]:
    """The slots that the arm's figures rest on; all it has, where every one failed a declared gate."""
    mine = that_count([slot for slot in slots if slot.arm == arm])
    return [slot if slot.excluded is None else replace(slot, excluded=None) for slot in mine]
