"""What an arm uses per request and per token, and how fast it is, by one rule: `analysis.arms.level`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

from analysis.arms import Level, level
from analysis.blocks import Amount, Per
from analysis.rows import Slot
from analysis.values import Withheld
from bench.report.names import arm_label
from bench.report.readback import Readback
from bench.report.rows import PHASES, of_phase
from bench.report.slots import that_count
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
        of, slots = partial(_level, key=key, baseline=readback.baseline), readback.slots
        by_phase = {phase: [of_phase(slot, phase) for slot in slots] for phase in PHASES}
        return cls(
            request=of(slots, "gross_j", "request"),
            new_token=of(slots, "gross_j", "new_token"),
            total_token=of(slots, "gross_j", "total_token"),
            seconds=of(slots, "seconds_s", "request"),
            phases={phase: of(rows, "seconds_s", "new_token") for phase, rows in by_phase.items()},
        )

    def tokens_per_s(self, phase: str) -> float | None:
        """The reciprocal, so that repeats weigh the same in a block and blocks the same in a run."""
        known = self.phases[phase]
        return None if known is None else 1 / known.point


def _level(slots: Sequence[Slot], amount: Amount, per: Per, *, key: ArmKey, baseline: str) -> Level | None:
    own = arm_label(key)
    both = (own, arm_label((key[0], key[1], True))) if key[1:] == (baseline, False) else (own,)
    counting = {arm: _that_count(slots, arm) for arm in both}
    copies = tuple(arm for arm in both if counting[arm])
    rows = [slot for arm in copies for slot in counting[arm]]
    known = level(rows, copies, amount=amount, per=per)
    if isinstance(known, Withheld) and len(copies) > 1:  # the copies have no block in common
        known = level(counting[own], (own,), amount=amount, per=per)
    return None if isinstance(known, Withheld) else known


def _that_count(slots: Sequence[Slot], arm: str) -> list[Slot]:
    """The slots that the arm's figures rest on; all it has, where every one failed a declared gate."""
    return [replace(slot, excluded=None) for slot in that_count([slot for slot in slots if slot.arm == arm])]
