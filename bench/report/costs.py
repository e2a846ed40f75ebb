"""What an arm uses per request and per token, by one rule for all views: `analysis.arms.level`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from analysis.arms import Level, level
from analysis.blocks import Amount, Per
from analysis.rows import Slot
from analysis.values import Withheld
from bench.report.readback import that_count
from bench.report.rows import arm_label
from bench.run.records import ArmKey


@dataclass(frozen=True, kw_only=True)
class Costs:
    """Of one arm; None where no block has a figure."""

    request: Level | None
    """Joules,"""
    new_token: Level | None
    total_token: Level | None
    seconds: Level | None
    """and seconds per request."""

    @classmethod
    def of(cls, slots: Sequence[Slot], key: ArmKey, *, baseline: str) -> Costs:
        """The costs of an arm among the slots of its run; of a baseline those of both its copies together."""
        own = arm_label(key)
        both = (own, arm_label((key[0], key[1], True))) if key[1:] == (baseline, False) else (own,)
        counting = {arm: _that_count(slots, arm) for arm in both}
        copies = tuple(arm for arm in both if counting[arm])
        rows = [slot for arm in copies for slot in counting[arm]]

        def of(amount: Amount, per: Per) -> Level | None:
            found = level(rows, copies, amount=amount, per=per)
            if isinstance(found, Withheld) and len(copies) > 1:  # the copies have no block in common
                found = level(counting[own], (own,), amount=amount, per=per)
            return None if isinstance(found, Withheld) else found

        return cls(
            request=of("gross_j", "request"),
            new_token=of("gross_j", "new_token"),
            total_token=of("gross_j", "total_token"),
            seconds=of("seconds_s", "request"),
        )


def _that_count(slots: Sequence[Slot], arm: str) -> list[Slot]:
    """The slots that the arm's figures rest on; all it has, where every one failed a declared gate."""
    return [replace(slot, excluded=None) for slot in that_count([slot for slot in slots if slot.arm == arm])]
