"""What each arm did and used, before anything is compared: tokens, seconds, joules.

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
class ArmTotals:
    """Sums over all slots of an arm that count. Joules are None if any of these slots has none."""

    arm: str
    slots: int
    slots_excluded: int
    requests: int
    prompt_tokens: int
    new_tokens: int
    forwards: int
    seconds_s: float
    gross_j: float | None
    net_j: float | None


@dataclass(frozen=True, kw_only=True)
class TokensSaved:
    """Tokens per request of two arms and what one leaves out of the other, as fractions."""

    prompt_tokens_per_request: float
    new_tokens_per_request: float
    baseline_new_tokens_per_request: float
    new_tokens_saved: float
    total_tokens_saved: float


def totals(slots: Sequence[Slot], arm: str) -> ArmTotals:
    """The sums of one arm."""
    mine = [slot for slot in slots if slot.arm == arm]
    used = [slot for slot in mine if slot.excluded is None]
    return ArmTotals(
        arm=arm,
        slots=len(used),
        slots_excluded=len(mine) - len(used),
        requests=sum(slot.requests for slot in used),
        prompt_tokens=sum(slot.prompt_tokens for slot in used),
        new_tokens=sum(slot.new_tokens for slot in used),
        forwards=sum(slot.forwards for slot in used),
        seconds_s=sum(slot.seconds_s for slot in used),
        gross_j=_sum([slot.gross_j for slot in used]),
        net_j=_sum([slot.net_j for slot in used]),
    )


def _sum(joules: Sequence[float | None]) -> float | None:
    """A total with a hole in it is no total."""
    known = [j for j in joules if j is not None]
    return float(np.sum(known)) if known and len(known) == len(joules) else None


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
    logs = np.log(table.values).mean(axis=0)
    if not logs.size:
        return Withheld("no whole block with a figure")
    has_interval = logs.size >= FEWEST_FOR_LEVEL and varies(logs)
    interval = ratio(t_interval(logs)) if has_interval else None
    return Level(point=float(np.exp(logs.mean())), interval=interval, blocks=logs.size)


def tokens_saved(slots: Sequence[Slot], *, treated: str, baseline: str) -> TokensSaved | Withheld:
    """New and total tokens that `treated` leaves out, per request, over all slots that count."""
    mine, theirs = totals(slots, treated), totals(slots, baseline)
    if not (mine.requests and theirs.requests):
        return Withheld("a configuration has no request: no tokens to compare")
    if not theirs.new_tokens:
        return Withheld(f"{baseline} made no generated token: nothing to save")
    new, baseline_new = mine.new_tokens / mine.requests, theirs.new_tokens / theirs.requests
    prompt, baseline_prompt = mine.prompt_tokens / mine.requests, theirs.prompt_tokens / theirs.requests
    return TokensSaved(
        prompt_tokens_per_request=prompt,
        new_tokens_per_request=new,
        baseline_new_tokens_per_request=baseline_new,
        new_tokens_saved=1 - new / baseline_new,
        total_tokens_saved=1 - (new + prompt) / (baseline_new + baseline_prompt),
    )
