"""Does one arm need fewer joules than another? The only place that answers, for every command that asks.

    saves               the interval lies wholly below 1 - threshold, and the effect exceeds the A/A noise
    costs               the same, above 1 / (1 - threshold)
    equivalent          the whole interval lies within the threshold, and so does the noise floor
    inconclusive        none of these yet; says how many blocks would settle it
    not enough blocks   fewer than five on a side
    not estimated       the question can't be answered from these rows at all, and why

What an interval is taken over, and when an effect exceeds the noise, is said in `analysis.effect`.

A comparison is often one of several of its run: gates against their backend's baseline, backends and models
against the first. The chance that one of them seems to save is then larger than that of each, so a claim has
to stand after Holm's correction over all of them. A gate beside its random control is none of them: it is
asked only of a gate that saves.

Where there is no verdict there is no ratio either: a figure that looks like an answer is read as one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np

from analysis import stats
from analysis.effect import FEWEST_BLOCKS, LogPair, exceeds, noise_floor
from analysis.statistical_power import PowerQuestion, blocks_to_settle
from analysis.stats import log_distance
from analysis.values import NOT_ESTIMATED, Estimate, Withheld
from analysis.words import counted

Settled = Literal["saves", "costs", "equivalent"]
Verdict = Literal[Settled, "inconclusive", "not enough blocks", "not estimated"]
VERDICTS: tuple[Verdict, ...] = (
    *("saves", "costs", "equivalent"),
    *("inconclusive", "not enough blocks", NOT_ESTIMATED),
)
"""All of them, those that settle a question first."""
INACTIVE: Literal["gate inactive"] = "gate inactive"
"""Instead of a verdict: the gate left nothing out, so whatever its joules are says nothing of it."""
COPY: Literal["A/A"] = "A/A"
"""Instead of a verdict: the same gate twice; whatever this arm saves is the noise floor."""

THRESHOLD = 0.02
"""Practical threshold: a smaller effect is of no use to anybody, whatever its p-value."""


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

    @property
    def exceeds_noise(self) -> bool:
        """Whether the effect is larger than any A/A pair's; needs all their intervals."""
        return all(exceeds(self.effect, copy) for copy in self.copies)


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
    exceeds_noise: bool | None = None
    """Whether the effect is larger than any A/A pair's, interval against interval; None without a verdict."""
    blocks_to_settle: int | None = None
    """Blocks that would settle an open question; None if settled, or if no number would do."""
    p: float | None = None
    """One-sided p of lying beyond the threshold, of this arm alone; None without a verdict."""
    p_holm: float | None = None
    """The same after Holm's correction over `asked` comparisons."""
    asked: int = 1
    """Comparisons of the run."""
    lag_1: float | None = None
    """Correlation of a block's log-ratio with the next one's; None without a verdict, or of pooled runs."""
    ratio_ar1: Estimate | None = None
    """The interval if blocks followed each other as an AR(1) process with that correlation."""

    @property
    def beside(self) -> str:
        """What does not count, named wherever the verdict is: `; left out: 2 blocks (throttled)`."""
        named = [f"{counted(number, 'block')} ({why})" for why, number in sorted(self.left_out.items())]
        return f"; left out: {', '.join(named)}" if named else ""

    @property
    def rests_on_independence(self) -> bool:
        """Whether blocks visibly follow each other, and the verdict would fall with that.

        Visible is a correlation above 1.64 / sqrt(blocks), which independent blocks show in 7 of 100 runs.
        """
        if self.ratio_ar1 is None or self.lag_1 is None or self.verdict == "inconclusive":
            return False
        is_visible = self.lag_1 > 1.64 / self.blocks**0.5
        return is_visible and place(self.ratio_ar1, threshold=self.threshold) != self.verdict


def decide(contrast: Contrast, *, p_holm: float | None = None, asked: int = 1) -> Judgement:
    """The verdict, and with it whatever figure may be shown.

    Args:
        contrast: what it rests on.
        p_holm: its `p_beyond` after correction for the arms that are asked about with it; None: it is alone.
        asked: number of those arms.
    """
    effect, interval = contrast.effect, contrast.effect.interval
    verdict, reason = settle(contrast, p_holm=p_holm, asked=asked)
    seen = Judgement(
        verdict=verdict,
        reason=reason,
        threshold=contrast.threshold,
        blocks=min(effect.blocks),
        left_out=dict(contrast.left_out),
        grade=contrast.grade,
        point=effect.point,
        noise_floor=noise_floor(contrast.copies),
        asked=asked,
    )
    if verdict in ("not enough blocks", NOT_ESTIMATED):
        return replace(seen, reason=reason + seen.beside)
    needed = None
    if verdict == "inconclusive":
        needed = _blocks_to_settle(contrast, asked=asked)
        reason += f"; {more_blocks(needed, min(effect.blocks))}"
    return replace(
        seen,
        reason=reason + seen.beside,
        ratio=interval,
        repeat_ratio=max((copy.interval for copy in contrast.copies if copy.interval), key=_farthest),
        exceeds_noise=contrast.exceeds_noise,
        blocks_to_settle=needed,
        p=contrast.p_beyond,
        p_holm=contrast.p_beyond if p_holm is None else p_holm,
        lag_1=None if effect.is_pooled else float(stats.lag_1(effect.log_ratios)),
        ratio_ar1=None
        if effect.is_pooled
        else stats.ratio(stats.ar1_interval(effect.log_ratios, level=effect.level)),
    )


def more_blocks(needed: int | None, there_are: int) -> str:
    """How much longer an open question takes: `about 7 more blocks would settle it (12 in all)`."""
    if needed is None:
        return "no number of blocks would settle it"
    return f"about {counted(needed - there_are, 'more block')} would settle it ({needed} in all)"


def settle(contrast: Contrast, *, p_holm: float | None = None, asked: int = 1) -> tuple[Verdict, str]:
    """The rule itself: the verdict, and why. Arguments as of `decide`."""
    refusal, interval, floor = _refusal(contrast), contrast.effect.interval, noise_floor(contrast.copies)
    if refusal is not None or interval is None or floor is None:
        return refusal or (NOT_ESTIMATED, "no interval")
    verdict, limit = place(interval, threshold=contrast.threshold), f"{100 * contrast.threshold:.0f} %"
    if verdict == "equivalent":
        if floor >= contrast.threshold:
            why = f"the interval lies within {limit} of 1, but the noise (A/A) is {100 * floor:.1f} %"
            return "inconclusive", why
        return verdict, f"the whole interval lies within {limit} of 1"
    if not contrast.exceeds_noise:
        return "inconclusive", f"the effect is not shown to exceed the noise (A/A) of {100 * floor:.1f} %"
    if verdict == "inconclusive":
        return verdict, f"the interval reaches across the threshold of {limit}"
    if p_holm is not None and p_holm > (1 - contrast.effect.level) / 2:
        why = f"alone it {verdict}; of {asked} asked about at once its p of {contrast.p_beyond:.2g}"
        return "inconclusive", f"{why} counts as {p_holm:.2g}"
    return verdict, f"the whole interval lies beyond {limit}, and the effect exceeds the noise (A/A)"


def decide_together(
    contrasts: Mapping[str, Contrast | Withheld], *, threshold: float = THRESHOLD
) -> dict[str, Judgement]:
    """The verdicts on the comparisons of a run, each corrected for the others.

    Args:
        contrasts: what each of them rests on, or why there is nothing, by arm.
        threshold: practical threshold as a fraction, for those without a contrast.
    """
    p_values = {
        arm: p
        for arm, asked in contrasts.items()
        if isinstance(asked, Contrast) and (p := asked.p_beyond) is not None
    }
    adjusted = stats.holm(p_values)
    return {
        arm: withheld(asked.reason, threshold=threshold)
        if isinstance(asked, Withheld)
        else decide(asked, p_holm=adjusted.get(arm), asked=max(1, len(p_values)))
        for arm, asked in contrasts.items()
    }


def withheld(reason: str, *, threshold: float = THRESHOLD) -> Judgement:
    """The answer where there is nothing to decide on."""
    return Judgement(verdict=NOT_ESTIMATED, reason=reason, threshold=threshold)


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


def _farthest(interval: Estimate) -> float:
    """Distance of the farther end from 1, on the log scale."""
    return max(abs(float(np.log(end))) for end in (interval.low, interval.high))


def _refusal(contrast: Contrast) -> tuple[Verdict, str] | None:
    """Why there is no verdict; None if there is one."""
    fewest = min(contrast.effect.blocks)
    if fewest < FEWEST_BLOCKS:
        return "not enough blocks", too_few_blocks(fewest)
    if not contrast.copies:
        return NOT_ESTIMATED, "no A/A: what would be reported for no change at all is unknown"
    if not contrast.effect.paired:
        return NOT_ESTIMATED, "the runs share no block, and how much changes from run to run is unknown"
    if not contrast.effect.varies:
        return NOT_ESTIMATED, "all blocks give the same ratio: measured joules vary, so there is no interval"
    if not all(copy.varies for copy in contrast.copies):
        return NOT_ESTIMATED, "A/A has no variance at all: the noise is unknown"
    return None


def _blocks_to_settle(contrast: Contrast, *, asked: int) -> int | None:
    """Blocks that would settle it, if effect and noise are what they seem to be."""
    if contrast.effect.is_pooled:
        return None
    question = PowerQuestion(
        effect=abs(contrast.effect.log_ratio),
        bound=log_distance(contrast.threshold),
        spread=contrast.effect.spread,
        copy_spread=max(copy.spread for copy in contrast.copies),
        copy_effect=max(abs(copy.log_ratio) for copy in contrast.copies),
        level=contrast.effect.level,
        asked=asked,
    )
    return blocks_to_settle(question, fewest=min(contrast.effect.blocks) + 1)


def too_few_blocks(blocks: int) -> str:
    """Why there is no verdict below five blocks."""
    are = "1 whole block is" if blocks == 1 else f"{blocks} whole blocks are"
    return f"{are} not enough for a claim (needs {FEWEST_BLOCKS})"
