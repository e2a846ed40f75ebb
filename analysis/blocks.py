"""Slots -> one figure per block and arm, with a count of what had to be left out.

Each slot gives one figure, its joules over its work, and the slots of an arm weigh the same within a block,
however many passes they held. Their positions mirror each other, so a linear drift cancels; it would not if a
slot that was held for more passes weighed more.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from analysis.comparable import unlike_joules
from analysis.rows import Slot
from analysis.values import FloatArray, Withheld
from analysis.words import counted, listed

Amount = Literal["gross_j", "net_j", "seconds_s"]
Per = Literal["request", "new_token", "total_token"]


@dataclass(frozen=True, kw_only=True)
class BlockTable:
    """`values` has shape (arms, blocks), positive: the amount per unit of work in each whole block."""

    arms: tuple[str, ...]
    values: FloatArray
    runs: tuple[str, ...]
    """Of each block."""
    left_out: dict[str, int]
    """Blocks that do not count, by reason: `cut short`, `no figure`, or the gate that a slot failed."""

    def logs(self, *arms: str) -> FloatArray:
        """Logarithms of an arm's values, shape (blocks,); of several arms their mean."""
        rows = [self.arms.index(arm) for arm in arms]
        return np.asarray(np.log(self.values[rows]).mean(axis=0))


def units_of_work(slot: Slot, per: Per) -> int:
    """What the slot's joules are divided by."""
    if per == "request":
        return slot.requests
    return slot.new_tokens + (slot.prompt_tokens if per == "total_token" else 0)


def block_table(
    slots: Sequence[Slot], arms: Sequence[str], *, amount: Amount, per: Per
) -> BlockTable | Withheld:
    """The whole blocks of `arms`, or why there is no such table.

    A block is left out when one of these arms lacks a slot in it, failed a declared gate in it, or has
    no figure (not measured, or not above zero). Left-out blocks are counted, and never filled in.
    """
    used = [slot for slot in slots if slot.arm in arms]
    absent = [arm for arm in arms if all(slot.arm != arm for slot in used)]
    if absent:
        return Withheld(f"no window of {listed(absent)}: nothing to compare")
    unlike = unlike_joules(used) if amount != "seconds_s" else None
    if unlike:
        return unlike
    short = _short_arm(slots, arms)
    if short:
        return short
    blocks = sorted({(slot.run, slot.block) for slot in used})
    states = _states(used, arms, blocks, amount)
    whole = [block for block in blocks if states[block] == "whole"]
    counted = [slot for slot in used if states[slot.run, slot.block] == "whole"]
    values = _values(counted, arms, whole, amount, per)
    if not np.all(values > 0):
        return Withheld(f"{amount} per {per.replace('_', ' ')} is not above zero in every block")
    left_out = Counter(state for state in states.values() if state != "whole")
    return BlockTable(
        arms=tuple(arms), values=values, runs=tuple(run for run, _ in whole), left_out=dict(left_out)
    )


def _short_arm(slots: Sequence[Slot], arms: Sequence[str]) -> Withheld | None:
    """Why an arm that has lost the same slot in every block of a run is not whole; None if all are.

    All arms of a run have equally many slots in a block. What is left of a counterbalanced order without one
    of them no longer cancels a drift, so warming up would come out as a saving.
    """
    counts = Counter((slot.run, slot.arm, slot.block) for slot in slots)
    fullest: dict[tuple[str, str], int] = {}
    for (run, arm, _), count in counts.items():
        fullest[run, arm] = max(count, fullest.get((run, arm), 0))
    for (run, arm), count in fullest.items():
        most = max(other for (of, _), other in fullest.items() if of == run)
        if arm in arms and count < most:
            lost = counted(most - count, "window")
            return Withheld(
                f"{arm} is not whole: {lost} of {most} void in every block, so drift does not cancel"
            )
    return None


def _states(
    slots: Sequence[Slot], arms: Sequence[str], blocks: Sequence[tuple[str, int]], amount: Amount
) -> dict[tuple[str, int], str]:
    """Each block's state. A whole block has as many slots of each arm as the fullest block of its run."""
    counts = Counter((slot.run, slot.block, slot.arm) for slot in slots)
    fullest: dict[tuple[str, str], int] = {}
    for (run, _, arm), count in counts.items():
        fullest[run, arm] = max(count, fullest.get((run, arm), 0))
    states = {
        (run, block): "whole"
        if all(counts[run, block, arm] == fullest.get((run, arm), -1) for arm in arms)
        else "cut short"
        for run, block in blocks
    }
    for slot in slots:
        key = slot.run, slot.block
        if slot.excluded is not None:
            states[key] = slot.excluded
        elif states[key] == "whole" and (getattr(slot, amount) or 0) <= 0:
            states[key] = "no figure"
    return states


def _values(
    slots: Sequence[Slot], arms: Sequence[str], blocks: Sequence[tuple[str, int]], amount: Amount, per: Per
) -> FloatArray:
    """Mean over slots of the amount over the work, shape (arms, blocks); NaN where a slot did no work."""
    rates: dict[tuple[str, str, int], list[float]] = defaultdict(list)
    for slot in slots:
        work = units_of_work(slot, per)
        rate = getattr(slot, amount) / work if work > 0 else np.nan
        rates[slot.arm, slot.run, slot.block].append(rate)
    means = [
        sum(own) / len(own) if (own := rates[arm, *block]) else np.nan for arm in arms for block in blocks
    ]
    return np.array(means, dtype=np.float64).reshape(len(arms), len(blocks))
