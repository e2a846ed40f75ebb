"""Slots of one run or two -> the `Contrast` of two arms that a verdict is decided on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from analysis.blocks import Amount, BlockTable, Per, block_table
from analysis.comparable import lowest_grade
from analysis.effect import LogPair
from analysis.rows import Slot
from analysis.values import LEVEL, FloatArray, Withheld
from analysis.verdict import THRESHOLD, Contrast, Judgement, decide_together


@dataclass(frozen=True, kw_only=True)
class Held:
    """An arm among the slots of its run, or of runs of one machine that are pooled."""

    slots: Sequence[Slot]
    arm: str
    plain: str
    """The ungated arm of its backend,"""
    again: str
    """and its A/A copy; the two give the noise floor. They need not be there."""

    @property
    def copies(self) -> tuple[str, ...]:
        """The A/A pair; empty if one of the two has no slot."""
        pair = (self.plain, self.again)
        return pair if set(pair) <= {slot.arm for slot in self.slots} else ()


def judge(
    treated: Held,
    baseline: Held,
    *,
    amount: Amount = "gross_j",
    per: Per = "request",
    threshold: float = THRESHOLD,
) -> Judgement:
    """The verdict on one arm against another, asked about alone.

    Args:
        treated: the arm that is asked about.
        baseline: the arm that it is held against. Blocks are paired if both have the same `slots`.
        amount: what is compared.
        per: unit of work.
        threshold: practical threshold as a fraction.
    """
    pairs = {treated.arm: (treated, baseline)}
    return judge_together(pairs, amount=amount, per=per, threshold=threshold)[treated.arm]


def judge_together(
    pairs: Mapping[str, tuple[Held, Held]],
    *,
    amount: Amount = "gross_j",
    per: Per = "request",
    threshold: float = THRESHOLD,
) -> dict[str, Judgement]:
    """The verdicts on several pairs, by their names: one family, each with Holm's correction for the others.

    Holm's correction holds however the pairs depend on each other, so it does not matter that they share
    baselines, or that one pair's baseline is another's treated arm.

    Args:
        pairs: treated arm and what it is held against, as of `judge`.
        amount: what is compared.
        per: unit of work.
        threshold: practical threshold as a fraction.
    """
    contrasts = {
        name: contrast(treated, baseline, amount=amount, per=per, threshold=threshold)
        for name, (treated, baseline) in pairs.items()
    }
    return decide_together(contrasts, threshold=threshold)


def contrast(
    treated: Held,
    baseline: Held,
    *,
    amount: Amount = "gross_j",
    per: Per = "request",
    threshold: float = THRESHOLD,
) -> Contrast | Withheld:
    """What the verdict rests on; arguments as of `judge`.

    A block counts if the arm, what it is held against and the A/A arms are whole in it.
    """
    paired = treated.slots is baseline.slots
    tables = _tables(treated, baseline, paired=paired, amount=amount, per=per)
    if isinstance(tables, Withheld):
        return tables
    mine, theirs = tables
    # of all the runs that it rests on, the one that was looked at most often
    level = max((slot.level for held in (treated, baseline) for slot in held.slots), default=LEVEL)
    copies = [
        LogPair(
            treated=table.logs(held.again),
            baseline=table.logs(held.plain),
            paired=True,
            runs=table.runs,
            level=level,
        )
        for held, table in ((treated, mine), (baseline, theirs))
        if held.copies
    ]
    return Contrast(
        effect=LogPair(
            treated=_logs(mine, treated, against=baseline if paired else None),
            baseline=_logs(theirs, baseline, against=treated if paired else None),
            paired=paired,
            runs=mine.runs,
            level=level,
        ),
        copies=tuple(copies) if len(copies) == 2 else (),
        threshold=threshold,
        left_out=mine.left_out if paired else Counter(mine.left_out) + Counter(theirs.left_out),
        grade=lowest_grade([s for held in (treated, baseline) for s in held.slots if s.arm == held.arm]),
    )


def _tables(
    treated: Held, baseline: Held, *, paired: bool, amount: Amount, per: Per
) -> tuple[BlockTable, BlockTable] | Withheld:
    """The whole blocks of either side; the same table twice where they are paired."""
    arms = [tuple(dict.fromkeys((held.arm, *held.copies))) for held in (treated, baseline)]
    if paired:
        both = block_table(treated.slots, list(dict.fromkeys((*arms[0], *arms[1]))), amount=amount, per=per)
        return both if isinstance(both, Withheld) else (both, both)
    mine, theirs = (
        block_table(held.slots, names, amount=amount, per=per)
        for held, names in zip((treated, baseline), arms, strict=True)
    )
    if isinstance(mine, Withheld):
        return mine
    return theirs if isinstance(theirs, Withheld) else (mine, theirs)


def _logs(table: BlockTable, held: Held, *, against: Held | None) -> FloatArray:
    """One side of an effect, shape (blocks,): the ungated arm is the mean of its two copies.

    Two slots more of the same arm cost nothing, and take a quarter off the variance of a log-ratio. Mean and
    difference of the copies are independent, so the noise floor stays a check on it. Beside its own copy an
    arm stands alone.
    """
    if held.arm != held.plain or (against is not None and against.arm == held.again):
        return table.logs(held.arm)
    return table.logs(*(held.copies or (held.arm,)))
