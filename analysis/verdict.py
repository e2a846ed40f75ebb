"""Does one arm need fewer joules than another? The only place that answers, for every command that asks.

    saves               the interval lies wholly below 1 - threshold, and the effect outside the noise floor
    costs               the same, above 1 / (1 - threshold)
    equivalent          the whole interval lies within the threshold, and so does that of every A/A pair
    inconclusive        none of these yet; says how many blocks would settle it
    not enough blocks   fewer than five on a side
    withheld            the question can't be answered from these rows at all, and why

Blocks of one run held both arms, so drift cancels and the log-ratio of each block counts (paired t). Runs
that are pooled differ by more than their blocks show, so each run counts once, by the mean of its blocks.
Two runs that share no block have a ratio and no interval: how much changes from run to run is unknown.

An arm is often one of several that are held against the same baseline. The chance that one of them seems to
save is then larger than that of each, so a claim has to stand after Holm's correction over all of them (Holm
1979, Scand. J. Statist. 6:65).

The noise floor is what the same computation makes of an A/A pair, the same gate twice: how far its interval
reaches from 1 is what a run can mistake for an effect.

Where there is no verdict there is no ratio either: a figure that looks like an answer is read as one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np

from analysis import stats
from analysis.power import Question, blocks_to_settle
from analysis.stats import fraction_of, log_distance
from analysis.values import LEVEL, Estimate, FloatArray, counted

Settled = Literal["saves", "costs", "equivalent"]
Verdict = Literal[Settled, "inconclusive", "not enough blocks", "withheld"]
VERDICTS: tuple[Verdict, ...] = (
    *("saves", "costs", "equivalent"),
    *("inconclusive", "not enough blocks", "withheld"),
)
"""All of them, those that settle a question first."""
INACTIVE: Literal["gate inactive"] = "gate inactive"
"""Instead of a verdict: the gate left nothing out, so whatever its joules are says nothing of it."""
COPY: Literal["A/A"] = "A/A"
"""Instead of a verdict: the same gate twice; whatever this arm saves is the noise floor."""

THRESHOLD = 0.02
"""Practical threshold: a smaller effect is of no use to anybody, whatever its p-value."""
FEWEST_BLOCKS = 5
"""With four blocks t's multiplier is 3.2 and the A/A floor swallows any effect worth a claim."""


@dataclass(frozen=True, kw_only=True)
class LogPair:
    """Logarithms of what two arms used per unit of work, block by block."""

    treated: FloatArray
    """Shape (n,)."""
    baseline: FloatArray
    """Shape (m,); n = m where `paired`, and then both hold the same blocks in the same order."""
    paired: bool
    runs: tuple[str, ...] = ()
    """Of each block, where they come from several runs."""
    level: float = LEVEL
    """Of its interval, which pays for every look at the blocks."""

    @property
    def blocks(self) -> tuple[int, int]:
        """Of either side."""
        return len(self.treated), len(self.baseline)

    @property
    def log_ratio(self) -> float:
        """Mean logarithm of treated over baseline; needs a block on either side."""
        if self.paired:
            return float(self.sample.mean())
        return float(self.treated.mean() - self.baseline.mean())

    @property
    def point(self) -> float | None:
        """Geometric mean of the ratios; None without a block."""
        return float(np.exp(self.log_ratio)) if min(self.blocks) else None

    @property
    def inverse(self) -> LogPair:
        """Of the reciprocals: seconds per token become tokens per second."""
        return replace(self, treated=-self.treated, baseline=-self.baseline)

    @property
    def is_pooled(self) -> bool:
        """Whether the blocks are of more than one run."""
        return len(set(self.runs)) > 1

    @property
    def log_ratios(self) -> FloatArray:
        """Of each block, shape (n,); of paired blocks only."""
        return np.asarray(self.treated - self.baseline)

    @property
    def sample(self) -> FloatArray:
        """What t is taken over: the paired blocks of one run, or the means of several runs."""
        if not self.is_pooled:
            return self.log_ratios
        runs = np.array(self.runs)
        return np.array([self.log_ratios[runs == run].mean() for run in dict.fromkeys(self.runs)])

    @property
    def spread(self) -> float:
        """Standard deviation of `sample`; needs two blocks."""
        return float(self.sample.std(ddof=1))

    @property
    def varies(self) -> bool:
        """Whether the blocks differ by more than rounding; measured joules always do."""
        return stats.varies(self.sample)

    @property
    def interval(self) -> Estimate | None:
        """Geometric mean of the ratios with its interval.

        None below five blocks, without spread, and where the blocks of two runs are not paired.
        """
        if not self.paired or min(self.blocks) < FEWEST_BLOCKS or not self.varies:
            return None
        return stats.ratio(stats.t_interval(self.sample, level=self.level))


@dataclass(frozen=True, kw_only=True)
class Contrast:
    """All that a verdict rests on."""

    effect: LogPair
    copies: tuple[LogPair, ...] = ()
    """A/A pairs, taken like `effect`; none where a run has no A/A arm."""
    threshold: float = THRESHOLD
    """As a fraction."""
    left_out: Mapping[str, int] = field(default_factory=dict)
    """Blocks that do not count, by reason."""
    grade: int | None = None
    """Lowest of the joules."""

    @property
    def p_beyond(self) -> float | None:
        """One-sided p of a ratio so far beyond the threshold, if the truth were the threshold."""
        if self.effect.interval is None:
            return None
        return stats.p_beyond(self.effect.sample, log_distance(self.threshold))


@dataclass(frozen=True, kw_only=True)
class Judgement:
    """The answer. Ratios are treated over baseline: 0.47 is 53 % less."""

    verdict: Verdict
    reason: str
    """One sentence: why this verdict, or what can't be concluded."""
    threshold: float
    blocks: int = 0
    """Whole blocks that it rests on, of the side that has fewer."""
    left_out: Mapping[str, int] = field(default_factory=dict)
    """Blocks that do not count, by reason."""
    grade: int | None = None
    point: float | None = None
    """Geometric mean of the ratios, also where they are too few to judge; None without a block."""
    ratio: Estimate | None = None
    """The same with the interval that decides; None without a verdict."""
    repeat_ratio: Estimate | None = None
    """The A/A pair that reaches farthest from 1; None without a verdict."""
    noise_floor: float | None = None
    """Largest change, as a fraction, that an A/A pair allows: an effect within it is not a saving."""
    blocks_to_settle: int | None = None
    """Blocks that would settle an open question; None if settled, or if no number would do."""
    p: float | None = None
    """One-sided p of lying beyond the threshold, of this arm alone; None without a verdict."""
    p_holm: float | None = None
    """The same after Holm's correction over `asked` arms."""
    asked: int = 1
    """Arms that are held against the same baseline."""
    lag_1: float | None = None
    """Correlation of a block's log-ratio with the next one's; None without a verdict, or of pooled runs."""
    ratio_ar1: Estimate | None = None
    """The interval if blocks followed each other as an AR(1) process with that correlation."""

    @property
    def beside(self) -> str:
        """What does not count, named wherever the verdict is: `; left out: 2 blocks (throttled)`."""
        named = [f"{counted(number, 'block')} ({why})" for why, number in sorted(self.left_out.items())]
        return f"; left out: {', '.join(named)}" if named else ""


def decide(contrast: Contrast, *, p_holm: float | None = None, asked: int = 1) -> Judgement:
    """The verdict, and with it whatever figure may be shown.

    Args:
        contrast: what it rests on.
        p_holm: its `p_beyond` after correction for the arms that are asked about with it; None: it is alone.
        asked: number of those arms.
    """
    effect, floor = contrast.effect, noise_floor(contrast.copies)
    seen = Judgement(
        verdict="withheld",
        reason="",
        threshold=contrast.threshold,
        blocks=min(effect.blocks),
        left_out=dict(contrast.left_out),
        grade=contrast.grade,
        point=effect.point,
        noise_floor=floor,
        asked=asked,
    )
    refusal, interval = _refusal(contrast), effect.interval
    verdict: Verdict
    if refusal is not None or interval is None or floor is None:
        verdict, reason = refusal or ("withheld", "no interval")
        return replace(seen, verdict=verdict, reason=reason + seen.beside)
    verdict = place(interval, threshold=contrast.threshold)
    if floor >= contrast.threshold if verdict == "equivalent" else inside_floor(interval.point, floor):
        verdict = "inconclusive"
    p = contrast.p_beyond
    needed = _blocks_to_settle(contrast) if verdict == "inconclusive" else None
    reason = _reason(verdict, interval, floor=floor, threshold=contrast.threshold, needed=needed)
    if verdict in ("saves", "costs") and p_holm is not None and p_holm > (1 - effect.level) / 2:
        alone, verdict = verdict, "inconclusive"
        reason = f"alone it {alone}; of {asked} asked about at once its p of {p:.2g} counts as {p_holm:.2g}"
    return replace(
        seen,
        verdict=verdict,
        reason=reason + seen.beside,
        ratio=interval,
        repeat_ratio=max((copy.interval for copy in contrast.copies if copy.interval), key=_farthest),
        blocks_to_settle=needed,
        p=p,
        p_holm=p if p_holm is None else p_holm,
        lag_1=None if effect.is_pooled else stats.lag_1(effect.log_ratios),
        ratio_ar1=None
        if effect.is_pooled
        else stats.ratio(stats.ar1_interval(effect.log_ratios, level=effect.level)),
    )


def withheld(reason: str, *, threshold: float = THRESHOLD) -> Judgement:
    """The answer where there is nothing to decide on."""
    return Judgement(verdict="withheld", reason=reason, threshold=threshold)


def place(interval: Estimate, *, threshold: float = THRESHOLD) -> Settled | Literal["inconclusive"]:
    """Where an interval of a ratio lies, before anybody asks how noisy the machine was.

    The bounds mirror each other on the log scale, so swapping the arms can't change the answer.
    """
    low, high = 1 - threshold, 1 / (1 - threshold)
    if low < interval.low and interval.high < high:
        return "equivalent"
    if interval.high < low:
        return "saves"
    return "costs" if interval.low > high else "inconclusive"


def noise_floor(copies: Sequence[LogPair]) -> float | None:
    """Largest change, as a fraction, that A/A pairs show or their intervals allow; None without any."""
    if not copies or any(0 in copy.blocks for copy in copies):
        return None
    reaches = [_farthest(copy.interval) if copy.interval else abs(copy.log_ratio) for copy in copies]
    return fraction_of(max(reaches))


def holm(p_values: Mapping[str, float]) -> dict[str, float]:
    """P after Holm's step-down correction: the k-th smallest of m times m - k + 1, never below the last."""
    adjusted: dict[str, float] = {}
    least = 0.0
    for rank, name in enumerate(sorted(p_values, key=p_values.__getitem__)):
        least = max(least, min(1.0, (len(p_values) - rank) * p_values[name]))
        adjusted[name] = least
    return adjusted


def inside_floor(ratio: float, floor: float) -> bool:
    """Whether a ratio lies no farther from 1 than the noise floor, either way."""
    return abs(float(np.log(ratio))) <= log_distance(floor)


def _farthest(interval: Estimate) -> float:
    """Distance of the farther end from 1, on the log scale."""
    return max(abs(float(np.log(end))) for end in (interval.low, interval.high))


def _refusal(contrast: Contrast) -> tuple[Verdict, str] | None:
    """Why there is no verdict; None if there is one."""
    fewest = min(contrast.effect.blocks)
    if fewest < FEWEST_BLOCKS:
        return "not enough blocks", too_few_blocks(fewest)
    if not contrast.copies:
        return "withheld", "no A/A arm: what would be reported for no change at all is unknown"
    if not contrast.effect.paired:
        return "withheld", "the runs share no block, and how much changes from run to run is unknown"
    if not contrast.effect.varies:
        return "withheld", "all blocks give the same ratio: measured joules vary, so there is no interval"
    if not all(copy.varies for copy in contrast.copies):
        return "withheld", "the A/A arm has no variance at all: the noise floor is unknown"
    return None


def _blocks_to_settle(contrast: Contrast) -> int | None:
    """Blocks that would settle it, if effect and noise are what they seem to be."""
    if not contrast.copies or contrast.effect.is_pooled:
        return None
    question = Question(
        effect=abs(contrast.effect.log_ratio),
        bound=log_distance(contrast.threshold),
        spread=contrast.effect.spread,
        copy_spread=max(copy.spread for copy in contrast.copies),
        copy_effect=max(abs(copy.log_ratio) for copy in contrast.copies),
        level=contrast.effect.level,
    )
    return blocks_to_settle(question, fewest=min(contrast.effect.blocks) + 1)


def too_few_blocks(blocks: int) -> str:
    """Why there is no verdict below five blocks."""
    are = "1 whole block is" if blocks == 1 else f"{blocks} whole blocks are"
    return f"{are} not enough for a claim (needs {FEWEST_BLOCKS})"


def _reason(
    verdict: Verdict, interval: Estimate, *, floor: float, threshold: float, needed: int | None
) -> str:
    if verdict == "equivalent":
        return f"the whole interval lies within {threshold:.0%} of 1"
    if verdict != "inconclusive":
        return f"the whole interval lies beyond {threshold:.0%}, and the effect outside the A/A noise floor"
    why = f"the interval reaches across the threshold of {threshold:.0%}"
    if place(interval, threshold=threshold) == "equivalent":
        why = f"the interval lies within {threshold:.0%} of 1, but the A/A noise floor is {floor:.1%}"
    elif inside_floor(interval.point, floor):
        why = f"the effect lies inside the A/A noise floor of {floor:.1%}"
    settle = f"about {needed} blocks would settle it" if needed else "no number of blocks would settle it"
    return f"{why}; {settle}"
