"""Runs, or arms of runs, set beside each other; a ratio only where both sides were made alike.

The first thing named is what the others are compared with. Blocks of one run are paired; blocks of two runs
are not, so there the intervals are wider and say nothing of what changed between the runs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from analysis.blocks import Amount, Per
from analysis.comparable import Unlike, known_of_neither, unlike
from analysis.contrast import Held, contrast, judge
from analysis.effect import LogPair
from analysis.quality import Mean, mean_agreement
from analysis.rows import Slot
from analysis.values import Withheld
from analysis.verdict import Judgement, Verdict
from analysis.words import listed
from bench.errors import UserError
from bench.report.arm_row import ArmRow
from bench.report.compare import conditions
from bench.report.compare.selectors import Chosen, choose, matched
from bench.report.names import arm_label
from bench.report.rows import PHASES, held
from bench.report.slots import SlotRead, tokens_of
from bench.report.story import Story
from bench.report.verdicts import judge_arms, opponents
from bench.run.records import ArmKey
from bench.show.safe_text import visible

AMOUNTS: dict[str, tuple[Amount, Per]] = {
    "gross_per_repeat_j": ("gross_j", "request"),
    "net_per_repeat_j": ("net_j", "request"),
    "joules_per_token": ("gross_j", "new_token"),
    "joules_per_total_token": ("gross_j", "total_token"),
}
"""The prompts of a repeat are the same on both sides, so a ratio per request is one per repeat."""
RATES = {"generated_tokens_per_s": "", **{f"{phase}_tokens_per_s": phase for phase in PHASES}}
"""Which phase each speed is of; none: the whole window."""


@dataclass(frozen=True, kw_only=True)
class Side:
    """One arm of one run."""

    story: Story
    key: ArmKey

    @property
    def run_id(self) -> str:
        """Name of the run."""
        return self.story.readback.run.header.run_id

    @property
    def label(self) -> str:
        """Name of the arm."""
        return arm_label(self.key)

    @property
    def row(self) -> ArmRow:
        """What the run's report says of the arm."""
        return self.story.summary.rows[self.story.readback.arms.index(self.key)]

    @property
    def figures(self) -> dict[str, float | None]:
        """The figures of the side by itself, per pass, token and second."""
        row = self.row
        return {
            "gross_per_repeat_j": row.gross_per_repeat_j,
            "net_per_repeat_j": row.net_per_repeat_j,
            "joules_per_token": row.joules_per_token,
            "joules_per_total_token": row.joules_per_total_token,
            "generated_tokens_per_s": row.generated_tokens_per_repeat / row.seconds_per_repeat_s,
            "prefill_tokens_per_s": row.prefill_tokens_per_s,
            "decode_tokens_per_s": row.decode_tokens_per_s,
        }

    def among(self, slots: Sequence[Slot]) -> Held:
        """The arm among the slots of its run, or of a phase of them."""
        return held(slots, self.key, self.story.readback.baseline)


@dataclass(frozen=True, kw_only=True)
class PairComparison:
    """Second over first, if they are alike."""

    first: Side
    second: Side
    unlike: tuple[Unlike, ...]
    """What forbids a ratio; empty if nothing does."""
    not_known: tuple[str, ...]
    """Conditions that neither run states, so nobody can say whether they are alike."""
    differs: tuple[Unlike, ...]
    """What else is different: the subject of the comparison."""
    ratios: dict[str, LogPair | Withheld]
    """By the names of `Side.figures`; empty where something is unlike."""
    agreement: Mean | None
    """Share of new-token positions that are equal; None without a ratio."""
    judgement: Judgement | None
    """On the joules per pass; None without a ratio."""

    @property
    def verdict(self) -> Verdict | None:
        """On the joules per pass; None without a ratio."""
        return None if self.judgement is None else self.judgement.verdict

    @property
    def reason(self) -> str:
        """Why this verdict, or what forbids one."""
        if self.judgement is None:
            return f"unlike in {', '.join(item.what for item in self.unlike)}"
        return self.judgement.reason

    @property
    def noise_floor(self) -> float | None:
        """Largest change, as a fraction, that the A/A pairs allow."""
        return None if self.judgement is None else self.judgement.noise_floor

    @property
    def is_measured(self) -> bool:
        """Whether a meter of the run itself read both sides' joules."""
        return {self.first.row.kind, self.second.row.kind} == {"measured"}

    @property
    def kinds(self) -> str:
        """Kind of the joules, of both sides where they differ."""
        kinds = dict.fromkeys((self.first.row.kind, self.second.row.kind))
        return " and ".join(kinds)

    @property
    def verdict_words(self) -> str:
        """The verdict with its subject."""
        if self.verdict in ("saves", "costs"):
            kind = "" if self.is_measured else f", as {self.kinds}"
            return f"{self.verdict} joules{kind}"
        return self.verdict or "no ratio"

    @property
    def names(self) -> tuple[str, str]:
        """What tells the sides apart: the arm, the run, or both."""
        first, second = self.first, self.second
        if first.run_id == second.run_id:
            return first.label, second.label
        return f"{first.label} of {first.run_id}", f"{second.label} of {second.run_id}"


def compare(texts: Sequence[str], *, anyway: bool = False) -> list[PairComparison]:
    """Set the first selection beside each of the others.

    Args:
        texts: `RUN`, `RUN:backend` or `RUN:backend/gate`, two or more.
        anyway: keep unlike pairs, which then have no ratio, instead of refusing them.

    Raises:
        UserError: no such run or arm, nothing in common, or unlike pairs; names each with both values.
    """
    if len(texts) < 2:
        raise UserError(
            "one thing can't be compared", fix="name two: bench compare RUN RUN, or RUN:torch RUN:mlx"
        )
    first, *others = choose(texts)
    comparisons = [
        _comparison(Side(story=first.story, key=one), Side(story=other.story, key=another))
        for other in others
        for one, another in matched(first, other)
    ]
    if not anyway:
        _refuse(comparisons, first)
    return comparisons


def _refuse(comparisons: Sequence[PairComparison], first: Chosen) -> None:
    """Stop with every pair of values that is unlike; the same pair is named once."""
    bad = [one for one in comparisons if one.unlike]
    if not bad:
        return
    arms: dict[Unlike, list[str]] = {}
    for one in bad:
        for item in one.unlike:
            arms.setdefault(item, []).append(one.second.label)
    named = [
        str(item) if len(labels) == len(comparisons) else f"{item} of {listed(sorted(set(labels)))}"
        for item, labels in arms.items()
    ]
    alike = [one.second.label for one in comparisons if not one.unlike]
    also = (
        f" ({', '.join(alike)} alone would do: name the configuration as RUN:backend/gate)" if alike else ""
    )
    raise UserError(
        f"no ratio: {first.story.readback.run.header.run_id} and what it is compared with are unlike in "
        f"{visible('; '.join(named))}{also}",
        fix="to see the figures side by side, without a ratio, add --anyway",
    )


def _comparison(first: Side, second: Side) -> PairComparison:
    left, right = _conditions(first), _conditions(second)
    differences = unlike(left, right)
    same_run = first.story is second.story
    return PairComparison(
        first=first,
        second=second,
        unlike=differences,
        not_known=() if same_run else known_of_neither(left, right),
        differs=_differs(first, second),
        ratios={} if differences else _ratios(first, second),
        agreement=None if differences else _agreement(first, second),
        judgement=None if differences else _judged(first, second),
    )


def _conditions(side: Side) -> conditions.Facts:
    return {
        **conditions.machine(side.story.readback.run.header.host),
        **conditions.joules(side.story, side.row),
        **conditions.work(side.story, side.key, side.row),
    }


def _differs(first: Side, second: Side) -> tuple[Unlike, ...]:
    left, right = (conditions.subject(side.story, side.key) for side in (first, second))
    names = dict.fromkeys([*left, *right])
    return unlike({name: left.get(name) for name in names}, {name: right.get(name) for name in names})


def _ratios(first: Side, second: Side) -> dict[str, LogPair | Withheld]:
    slots = {"": (first.story.slots, second.story.slots)}
    slots |= {phase: (first.story.phases[phase], second.story.phases[phase]) for phase in PHASES}
    ratios = {name: _ratio(first, second, slots[""], amount) for name, amount in AMOUNTS.items()}
    for name, phase in RATES.items():
        per_token = _ratio(first, second, slots[phase], ("seconds_s", "new_token"))
        ratios[name] = per_token if isinstance(per_token, Withheld) else per_token.inverse
    return ratios


def _ratio(
    first: Side, second: Side, slots: tuple[list[SlotRead], list[SlotRead]], amount: tuple[Amount, Per]
) -> LogPair | Withheld:
    one, other = first.among(slots[0]), second.among(slots[1])
    ratio = contrast(other, one, amount=amount[0], per=amount[1])
    if isinstance(ratio, Withheld):
        return ratio
    return ratio.effect if min(ratio.effect.blocks) else Withheld("no whole block with joules")


def _judged(first: Side, second: Side) -> Judgement:
    """The verdict on the joules per pass."""
    threshold = max(side.story.readback.run.header.threshold for side in (first, second))
    amount, per = AMOUNTS["gross_per_repeat_j"]
    readback = second.story.readback
    others = opponents(readback.arms, baseline=readback.baseline)
    if first.story is second.story and others.get(second.key) == first.key and not second.key[2]:
        judged = judge_arms(
            second.story.slots, readback.arms, baseline=readback.baseline, threshold=threshold, per=per
        )
        return judged[second.key]  # with what else the run compares, as its report says
    one, other = (side.among(side.story.slots) for side in (first, second))
    return judge(other, one, amount=amount, per=per, threshold=threshold)


def _agreement(first: Side, second: Side) -> Mean | None:
    """Share of equal tokens."""
    mine, theirs = (tokens_of(side.story.readback.answers(side.key)) for side in (first, second))
    return mean_agreement(theirs, mine)
