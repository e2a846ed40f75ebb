"""What an arm uses per unit of work, and how many tokens it leaves out.

Tokens processed (prompt) and tokens generated (new) are kept apart throughout, because a prompt token
costs a small fraction of a new one. Token counts are counts, so they have no interval.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from analysis.blocks import Amount, Per, block_table
from analysis.rows import Slot
from analysis.stats import ratio, t_interval, varies
from analysis.values import Estimate, Withheld

FEWEST_FOR_LEVEL = 3
"""Blocks below which t's multiplier is 12.7: an interval that says nothing."""


@dataclass(frozen=True, kw_only=True)
class TokensSaved:
    """What one arm leaves out of another's tokens per request, as fractions."""

    new_tokens_saved: float
    total_tokens_saved: float


@dataclass(frozen=True, kw_only=True)
class Level:
    """What an arm uses per unit of work."""

    point: float
    """Geometric mean over blocks, so that a quotient of two levels is the geometric mean of the ratios."""
    interval: Estimate | None
    """The same with its 95 % interval over blocks; None below three of them, or where they are all alike."""
    blocks: int


def level(slots: Sequence[Slot], copies: Sequence[str], *, amount: Amount, per: Per) -> Level | Withheld:
    """Joules (or seconds) per unit of work: the one rule for every figure of this kind.

    Slots weigh the same within a block (`analysis.blocks`), blocks the same within a run.

    Args:
        slots: of one run.
        copies: the arm; of a baseline both its copies, as others are held against their mean.
        amount: what is used.
        per: unit of work.
    """
    table = block_table(slots, copies, amount=amount, per=per)
    if isinstance(table, Withheld):
        return table
    if not table.values.size:
        return Withheld("no whole block with a figure")
    logs = np.log(table.values).mean(axis=0)
    has_interval = logs.size >= FEWEST_FOR_LEVEL and varies(logs)
    interval = ratio(t_interval(logs)) if has_interval else None
    return Level(point=float(np.exp(logs.mean())), interval=interval, blocks=logs.size)


def tokens_saved(slots: Sequence[Slot], *, treated: str, baseline: str) -> TokensSaved | Withheld:
    """New and total tokens that `treated` leaves out, per request, over all slots that count."""
    mine, theirs = (
        [slot for slot in slots if slot.arm == arm and slot.excluded is None] for arm in (treated, baseline)
    )
    asked, asked_baseline = _of("requests", mine), _of("requests", theirs)
    if not (asked and asked_baseline):
        return Withheld("a configuration has no request: no tokens to compare")
    if not _of("new_tokens", theirs):
        return Withheld(f"{baseline} made no generated token: nothing to save")
    new, baseline_new = _of("new_tokens", mine) / asked, _of("new_tokens", theirs) / asked_baseline
    prompt, baseline_prompt = (
        _of("prompt_tokens", mine) / asked,
        _of("prompt_tokens", theirs) / asked_baseline,
    )
    return TokensSaved(
        new_tokens_saved=1 - new / baseline_new,
        total_tokens_saved=1 - (new + prompt) / (baseline_new + baseline_prompt),
    )


def _of(count: str, slots: Sequence[Slot]) -> int:
    return sum(getattr(slot, count) for slot in slots)
