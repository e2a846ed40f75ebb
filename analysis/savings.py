"""Is a saving real? The verdict on one arm against another, with everything that could overturn it.

    saves               the interval lies wholly below 1 - threshold, and the effect outside the noise floor
    costs               the same, above 1 / (1 - threshold)
    equivalent          two one-sided tests place the ratio within the threshold
    inconclusive        none of these yet; says how many blocks would settle it
    not enough blocks   fewer than five whole blocks
    withheld            the question can't be answered from these rows at all, and why

The noise floor comes from an A/A arm: the same gate twice in the same blocks. How far its interval
reaches from 1 is what this run can mistake for an effect.

Where there is no verdict there is no ratio either: a figure that looks like an answer is read as one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from analysis import stats
from analysis.blocks import Amount, BlockTable, Per, block_table
from analysis.comparable import lowest_grade
from analysis.rows import Slot
from analysis.values import Estimate, FloatArray, Withheld

Verdict = Literal["saves", "costs", "equivalent", "inconclusive", "not enough blocks", "withheld"]

THRESHOLD = 0.02
"""Practical threshold: a smaller effect is of no use to anybody, whatever its p-value."""
FEWEST_BLOCKS = 5
"""With four blocks t's multiplier is 3.2 and the A/A floor swallows any effect worth a claim."""
ALPHA = 0.05


@dataclass(frozen=True, kw_only=True)
class Question:
    """Which arm is compared with which, in what amount."""

    treated: str
    baseline: str
    repeat: str | None
    """The arm that does what `baseline` does, for the A/A floor; None if the run has none."""
    amount: Amount = "gross_j"
    per: Per = "request"
    threshold: float = THRESHOLD


@dataclass(frozen=True, kw_only=True)
class Saving:
    """The answer to a `Question`. Ratios are treated over baseline: 0.47 is 53 % less."""

    question: Question
    verdict: Verdict
    reason: str
    """One sentence: why this verdict, or what can't be concluded."""
    blocks: int
    """Whole blocks that it rests on."""
    left_out: dict[str, int] = field(default_factory=dict)
    """Blocks that do not count, by reason."""
    grade: int | None = None
    block_ratios: tuple[float, ...] = ()
    """The data: one ratio per whole block."""
    ratio: Estimate | None = None
    """Geometric mean over blocks with the t interval that decides."""
    ratio_bca: Estimate | None = None
    """The same mean with the BCa interval; too narrow below some fifty blocks (`analysis.stats`)."""
    repeat_ratio: Estimate | None = None
    """The A/A arm against the baseline."""
    noise_floor: float | None = None
    """Largest change, as a fraction, that the A/A interval allows: an effect within it is not a saving."""
    equivalence_p: float | None = None
    blocks_to_settle: int | None = None
    """Blocks that would settle an open question; None if settled, or if no number would do."""


@dataclass(frozen=True, kw_only=True)
class Weighed:
    """Log-ratios weighed: what `Saving` says, without where they came from."""

    verdict: Verdict
    ratio: Estimate
    repeat_ratio: Estimate
    noise_floor: float
    equivalence_p: float


def judge(slots: Sequence[Slot], question: Question) -> Saving:
    """The verdict on `question` from the slots of one or more runs; slots of other arms are left aside.

    Blocks of several runs count as blocks of one long run. That holds for runs on one machine; machines
    differ by more than blocks do, so a claim over machines is a verdict for each.
    """
    arms = [question.treated, question.baseline, *([question.repeat] if question.repeat else [])]
    table = block_table(slots, arms, amount=question.amount, per=question.per)
    if isinstance(table, Withheld):
        return Saving(question=question, verdict="withheld", reason=table.reason, blocks=0)
    grade = lowest_grade([slot for slot in slots if slot.arm in arms])
    refusal = _refusal(table, question)
    return _answer(table, question, grade) if refusal is None else _refused(table, question, grade, refusal)


def weigh(log_ratios: FloatArray, repeat_log_ratios: FloatArray, *, threshold: float = THRESHOLD) -> Weighed:
    """The verdict on paired log-ratios of five or more blocks, given those of the A/A arm.

    Args:
        log_ratios: treated over baseline, shape (blocks,).
        repeat_log_ratios: A/A arm over baseline, shape (blocks,).
        threshold: practical threshold as a fraction.
    """
    ratio = stats.ratio(stats.t_interval(log_ratios))
    repeat = stats.ratio(stats.t_interval(repeat_log_ratios))
    floor_log = max(abs(float(np.log(repeat.low))), abs(float(np.log(repeat.high))))
    p = stats.equivalence_p(log_ratios, threshold)
    return Weighed(
        verdict=_verdict(ratio, floor_log=floor_log, equivalence_p=p, threshold=threshold),
        ratio=ratio,
        repeat_ratio=repeat,
        noise_floor=float(-np.expm1(-floor_log)),
        equivalence_p=p,
    )


def _verdict(ratio: Estimate, *, floor_log: float, equivalence_p: float, threshold: float) -> Verdict:
    if equivalence_p < ALPHA:
        return "equivalent"
    if abs(np.log(ratio.point)) <= floor_log:
        return "inconclusive"
    if ratio.high < 1 - threshold:
        return "saves"
    return "costs" if ratio.low > 1 / (1 - threshold) else "inconclusive"


def _refusal(table: BlockTable, question: Question) -> tuple[Verdict, str] | None:
    """Why whole blocks still give no verdict; None if they do."""
    blocks = table.values.shape[1]
    if blocks < FEWEST_BLOCKS:
        plural = "block is" if blocks == 1 else "blocks are"
        return "not enough blocks", f"{blocks} whole {plural} not enough for a claim (needs {FEWEST_BLOCKS})"
    if question.repeat is None:
        return "withheld", "no A/A arm: what this run would report for no change at all is unknown"
    if not stats.varies(table.log_ratios(question.treated, question.baseline)):
        return "withheld", "all blocks give the same ratio: measured joules vary, so there is no interval"
    if not stats.varies(table.log_ratios(question.repeat, question.baseline)):
        return "withheld", "the A/A arm has no variance at all: the noise floor is unknown"
    return None


def _refused(
    table: BlockTable, question: Question, grade: int | None, refusal: tuple[Verdict, str]
) -> Saving:
    verdict, reason = refusal
    return Saving(
        question=question,
        verdict=verdict,
        reason=reason,
        blocks=table.values.shape[1],
        left_out=table.left_out,
        grade=grade,
        block_ratios=_block_ratios(table, question),
    )


def _answer(table: BlockTable, question: Question, grade: int | None) -> Saving:
    assert question.repeat is not None  # `_refusal` looked
    log_ratios = table.log_ratios(question.treated, question.baseline)
    repeat_log_ratios = table.log_ratios(question.repeat, question.baseline)
    weighed = weigh(log_ratios, repeat_log_ratios, threshold=question.threshold)
    return Saving(
        question=question,
        verdict=weighed.verdict,
        reason=_reason(weighed, question.threshold),
        blocks=table.values.shape[1],
        left_out=table.left_out,
        grade=grade,
        block_ratios=_block_ratios(table, question),
        ratio=weighed.ratio,
        ratio_bca=stats.ratio(stats.bca_interval(log_ratios)),
        repeat_ratio=weighed.repeat_ratio,
        noise_floor=weighed.noise_floor,
        equivalence_p=weighed.equivalence_p,
        blocks_to_settle=_blocks_to_settle(log_ratios, repeat_log_ratios, question.threshold)
        if weighed.verdict == "inconclusive"
        else None,
    )


def _blocks_to_settle(log_ratios: FloatArray, repeat_log_ratios: FloatArray, threshold: float) -> int | None:
    """Blocks that settle the interval and, for an effect beyond the threshold, lower the floor beneath it."""
    needed = [stats.blocks_to_settle(log_ratios, threshold)]
    effect = abs(float(log_ratios.mean()))
    if effect > -np.log1p(-threshold):
        margin = effect - abs(float(repeat_log_ratios.mean()))
        needed.append(stats.blocks_for(margin, spread=float(repeat_log_ratios.std(ddof=1))))
    known = [blocks for blocks in needed if blocks is not None]
    return max(FEWEST_BLOCKS, *known) if len(known) == len(needed) else None


def _reason(weighed: Weighed, threshold: float) -> str:
    floor_log = -np.log1p(-weighed.noise_floor)
    if weighed.verdict == "equivalent":
        return f"two one-sided tests place the ratio within {threshold:.0%} of 1"
    if weighed.verdict in ("saves", "costs"):
        return f"the whole interval lies beyond {threshold:.0%}, and the effect outside the A/A noise floor"
    if abs(np.log(weighed.ratio.point)) <= floor_log:
        return f"the effect lies inside the A/A noise floor of {weighed.noise_floor:.1%}"
    return f"the interval reaches across the threshold of {threshold:.0%}"


def _block_ratios(table: BlockTable, question: Question) -> tuple[float, ...]:
    log_ratios = table.log_ratios(question.treated, question.baseline)
    return tuple(float(r) for r in np.exp(log_ratios))
