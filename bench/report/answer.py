"""What a run answers, as values: the same on the terminal, at the top of the page, and for programs.

The words of the sentences are in `bench.report.sentences`; where each figure comes from is told by `ArmRow`.
"""

from __future__ import annotations

import math
import shlex
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Literal

from analysis.effect import FEWEST_BLOCKS
from analysis.values import NOT_ESTIMATED
from analysis.verdict import VERDICTS
from analysis.words import counted
from bench.report import sentences
from bench.report.arm_row import ArmRow
from bench.report.names import baseline_model
from bench.report.readback import Readback
from bench.report.summary import Summary

Kind = Literal["cost", "comparison", "control", "tokens", "nothing", "left out"]
Severity = Literal["claim", "open", "warning"]
"""A claim stands on a measured verdict; open is everything that doesn't; a warning turns a figure round."""

SETTLED = VERDICTS[:3]
ANSWERS_DIFFER_PERCENT = 90.0
"""Token match below which a saving is one of other answers."""
NOISE_IS = (
    "Noise is what the same configuration, run twice in every block (A/A), differs by at most: its "
    "difference from itself and the one-sided 95 % reach of that; "
    f"below {FEWEST_BLOCKS} blocks, the difference seen."
)


@dataclass(frozen=True, kw_only=True)
class Sentence:
    """One sentence of the answer."""

    kind: Kind
    severity: Severity
    text: str


@dataclass(frozen=True, kw_only=True)
class Control:
    """A gate beside the random gate that leaves out as much."""

    name: str
    saved_percent: float | None
    """What the control itself saves against the baseline."""
    beyond_percent: float | None
    """What the gate saves against the control,"""
    beyond_low_percent: float | None
    """with its 95 % interval."""
    beyond_high_percent: float | None
    verdict: str | None
    """Of the gate against the control."""
    blocks: int
    blocks_to_settle: int | None
    """Of that verdict; as of a comparison."""


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """One configuration against another."""

    name: str
    against: str
    saved_percent: float | None
    """Of the joules of the same prompts; below zero it costs more."""
    low_percent: float | None
    """95 % interval; None below five blocks."""
    high_percent: float | None
    same_answers: int | None
    prompts: int
    token_match_percent: float | None
    control: Control | None
    verdict: str
    verdict_words: str
    """The verdict with what turns it round: `saves, but answers differ`."""
    is_claim: bool
    """Whether it may stand in large type: a settled verdict on joules that a meter of this run read."""
    reason: str
    blocks: int
    """Whole ones behind the figures."""
    blocks_to_settle: int | None
    """In all. None: settled, or no number of blocks would do."""

    @property
    def answers_differ(self) -> bool:
        """Whether the answers are too different for the saving to be one."""
        return self.token_match_percent is not None and self.token_match_percent < ANSWERS_DIFFER_PERCENT


@dataclass(frozen=True, kw_only=True)
class Cost:
    """A row of the first table: one configuration, its two A/A copies together."""

    name: str
    backend: str
    gate: str
    joules_per_token: float | None
    low: float | None
    """95 % interval over blocks; None below three."""
    high: float | None
    tokens_per_s: float | None
    comparison: Comparison | None
    """None for what the others are compared with."""


@dataclass(frozen=True, kw_only=True)
class Trust:
    """How far the figures go, and what gets further."""

    text: str
    command: str


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What a run answers."""

    headline: str
    """`smollm2-135m, 6 prompts x 8 tokens, M3, powermetrics (CPU+GPU+ANE)`."""
    strip: str | None
    """What the joules are, where no meter read them; said once."""
    costs: tuple[Cost, ...]
    sentences: tuple[Sentence, ...]
    """The most important first."""
    noise: str
    trust: Trust

    @property
    def comparisons(self) -> list[Comparison]:
        """Of the configurations that have one."""
        return [cost.comparison for cost in self.costs if cost.comparison is not None]


def answer_of(readback: Readback, summary: Summary) -> Answer:
    """What a run answers.

    Args:
        readback: what of the run counts.
        summary: its rows.
    """
    rows = [row for row in summary.rows if not row.a_a]
    costs = tuple(_cost(row, summary.rows) for row in rows)
    return Answer(
        headline=sentences.headline(readback, rows),
        strip=sentences.strip(readback, rows),
        costs=costs,
        sentences=tuple(_sentences(readback, summary, costs)),
        noise=sentences.noise(summary.rows),
        trust=_trust(readback, rows, [cost.comparison for cost in costs if cost.comparison]),
    )


def _cost(row: ArmRow, rows: Sequence[ArmRow]) -> Cost:
    return Cost(
        name=row.label,
        backend=row.backend,
        gate=row.gate,
        joules_per_token=row.joules_per_token,
        low=row.joules_per_token_low,
        high=row.joules_per_token_high,
        tokens_per_s=row.decode_tokens_per_s,
        comparison=None if row.verdict is None else _comparison(row, rows),
    )


def _comparison(row: ArmRow, rows: Sequence[ArmRow]) -> Comparison:
    verdict = row.verdict or NOT_ESTIMATED
    differ = row.token_match_percent is not None and row.token_match_percent < ANSWERS_DIFFER_PERCENT
    return Comparison(
        name=row.label,
        against=row.against or "",
        saved_percent=row.joules_saved_percent,
        low_percent=row.saved_low_percent,
        high_percent=row.saved_high_percent,
        same_answers=row.same_answers,
        prompts=row.prompts,
        token_match_percent=row.token_match_percent,
        control=_control(row, rows),
        verdict=verdict,
        verdict_words=f"{verdict}, but answers differ" if verdict == "saves" and differ else verdict,
        is_claim=verdict in SETTLED and bool(row.grade),
        reason=row.reason or "",
        blocks=row.blocks,
        blocks_to_settle=row.blocks_to_settle,
    )


def _control(row: ArmRow, rows: Sequence[ArmRow]) -> Control | None:
    control = next((one for one in rows if one.label == row.control), None)
    if control is None:
        return None
    return Control(
        name=control.label,
        saved_percent=control.joules_saved_percent,
        beyond_percent=row.beyond_control_percent,
        beyond_low_percent=row.beyond_control_low_percent,
        beyond_high_percent=row.beyond_control_high_percent,
        verdict=row.beyond_control_verdict,
        blocks=row.blocks,
        blocks_to_settle=row.beyond_control_blocks_to_settle,
    )


def _sentences(readback: Readback, summary: Summary, costs: Sequence[Cost]) -> Iterable[Sentence]:
    """What it costs, each comparison with its control, the settled ones first, and what none rests on."""
    rows = [row for row in summary.rows if not row.a_a]
    known = [cost for cost in costs if cost.joules_per_token is not None and cost.gate == readback.baseline]
    if known:
        text = sentences.cost(baseline_model(readback.run.header), known)
        yield Sentence(kind="cost", severity="claim" if all(row.grade for row in rows) else "open", text=text)
    else:
        yield Sentence(kind="nothing", severity="warning", text=sentences.nothing(readback, rows))
    more_or_fewer = {cost.name: row.tokens_saved_percent for cost, row in zip(costs, rows, strict=True)}
    for one in sorted((cost.comparison for cost in costs if cost.comparison), key=importance):
        severity = _severity(one)
        yield Sentence(kind="comparison", severity=severity, text=sentences.comparison(one))
        if one.control is not None:
            yield Sentence(kind="control", severity=severity, text=sentences.control(one, one.control))
        if told := sentences.tokens(one, more_or_fewer[one.name]):
            yield Sentence(kind="tokens", severity="warning", text=told)
    for gate in (caution for caution in summary.cautions if caution.code == "left out"):
        yield Sentence(kind="left out", severity="warning", text=sentences.left_out(gate))


def _severity(one: Comparison) -> Severity:
    if one.verdict == "saves" and one.answers_differ:
        return "warning"
    return "claim" if one.is_claim else "open"


def importance(one: Comparison) -> tuple[int, float]:
    """Sorts comparisons: those that settle a question first, of these the largest effect."""
    rank = VERDICTS.index(one.verdict) if one.verdict in VERDICTS else len(VERDICTS)
    return rank, -abs(one.saved_percent or 0.0)


def _trust(readback: Readback, rows: Sequence[ArmRow], comparisons: Sequence[Comparison]) -> Trust:
    """The first thing that keeps the figures from a claim, and the command that mends it."""
    folder, blocks = shlex.quote(str(readback.run.folder)), readback.whole_blocks
    grade = min((row.grade for row in rows if row.grade is not None), default=None)
    open_ones = [one for one in comparisons if one.blocks_to_settle]
    if not blocks:
        text = "No block is whole, so nothing is compared. To go on:"
        return Trust(text=text, command=f"bench run --resume {folder}")
    if not grade:
        return Trust(text="To see what this machine can measure:", command="bench doctor")
    if blocks < FEWEST_BLOCKS:
        longer = _longer(readback, FEWEST_BLOCKS - blocks)
        text = f"A quick look: {counted(blocks, 'block')}, and a claim needs {FEWEST_BLOCKS}{longer}:"
        return Trust(text=text, command=f"bench run --resume {folder} --blocks {FEWEST_BLOCKS}")
    if open_ones:
        more = max((one.blocks_to_settle or 0) - one.blocks for one in open_ones)
        text = f"About {counted(more, 'more block')} would settle what is open{_longer(readback, more)}:"
        return Trust(text=text, command=f"bench run --resume {folder} --blocks {blocks + more}")
    if grade == 1:
        return Trust(text="The meter was read, but not in full; why:", command=f"bench report {folder} --all")
    text = f"{counted(blocks, 'block')}, joules {rows[0].grade_name}; what could overturn it:"
    return Trust(text=text, command=f"bench report {folder} --all")


def _longer(readback: Readback, blocks: int) -> str:
    """`, about 4 min more`: if they take as long as those that there are."""
    spans: dict[tuple[int, int], list[float]] = {}
    for slot in (row.record for row in readback.slots):
        spans.setdefault((slot.session, slot.block), []).extend((slot.start_s, slot.end_s))
    if not spans:
        return ""
    block_s = median(max(instants) - min(instants) for instants in spans.values())
    return f", about {math.ceil(blocks * block_s / 60)} min more"
