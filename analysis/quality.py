"""What a saving costs in quality: tokens, logits, perplexity and score, each with an interval over prompts.

The prompt is the unit of resampling: tokens of one answer hang together, so they are averaged first.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy import special

from analysis.stats import bca_interval, ratio, t_interval
from analysis.values import LEVEL, Estimate, FloatArray, Withheld, too_few

FEWEST_PROMPTS = 20
"""Agreement and KL are skewed: below twenty prompts neither BCa nor t covers nine times in ten."""
FEWEST_WINDOWS = 5


@dataclass(frozen=True, kw_only=True)
class LogitAgreement:
    """Teacher-forced logits of one prompt against the ungated ones."""

    kl: float
    """Mean over positions of KL(ungated || gated), in nats."""
    top1: float
    """Share of positions with the same argmax."""


@dataclass(frozen=True, kw_only=True)
class Mean:
    """A mean with its interval, or with the reason why it has none."""

    mean: float
    interval: Estimate | Withheld
    count: int
    """Prompts or windows behind it."""

    def minus(self, value: float) -> Mean:
        """The mean less a constant, such as a ratio less 1."""
        interval = self.interval if isinstance(self.interval, Withheld) else self.interval.minus(value)
        return Mean(mean=self.mean - value, interval=interval, count=self.count)


def agreement(tokens: Sequence[int], ungated: Sequence[int]) -> float:
    """Share of positions with the ungated token; where one answer is longer, its rest disagrees.

    Two empty answers agree fully: the gate changed nothing that anybody could read.
    """
    longest = max(len(tokens), len(ungated))
    same = sum(a == b for a, b in zip(tokens, ungated, strict=False))
    return same / longest if longest else 1.0


def mean_agreement(answers: Mapping[str, Sequence[int]], ungated: Mapping[str, Sequence[int]]) -> Mean | None:
    """Agreement over the prompts that both answered, by prompt id; None if there is no such prompt."""
    both = sorted(answers.keys() & ungated.keys())
    return mean_of([agreement(answers[prompt], ungated[prompt]) for prompt in both], share=True)


def first_divergence(tokens: Sequence[int], ungated: Sequence[int]) -> int | None:
    """Index of the first token that differs or is missing; None where the answers are equal."""
    for index, (one, other) in enumerate(zip(tokens, ungated, strict=False)):
        if one != other:
            return index
    return None if len(tokens) == len(ungated) else min(len(tokens), len(ungated))


def logit_agreement(logits: ArrayLike, ungated: ArrayLike) -> LogitAgreement:
    """KL and top-1 agreement of logits of shape (positions, vocabulary) over the same tokens."""
    log_q = special.log_softmax(np.asarray(logits, dtype=np.float64), axis=-1)
    log_p = special.log_softmax(np.asarray(ungated, dtype=np.float64), axis=-1)
    kl = np.sum(np.exp(log_p) * (log_p - log_q), axis=-1)
    same = log_p.argmax(axis=-1) == log_q.argmax(axis=-1)
    return LogitAgreement(kl=float(kl.mean()), top1=float(same.mean()))


def perplexity(log_probabilities: Sequence[ArrayLike]) -> Mean:
    """Perplexity over windows of a text (at least one), with an interval over windows.

    Args:
        log_probabilities: natural log-probability of each scored token, one array per window.
    """
    losses = np.array([-float(np.sum(np.asarray(window))) for window in log_probabilities])
    counts = np.array([np.size(np.asarray(window)) for window in log_probabilities], dtype=np.float64)
    loss = float(losses.sum() / counts.sum())
    interval: Estimate | Withheld
    if len(losses) < FEWEST_WINDOWS:
        interval = Withheld(f"{too_few(len(losses), 'window')} for an interval (needs {FEWEST_WINDOWS})")
    else:
        # a ratio of two sums, linearised: windows are few and alike, so t serves better than resampling
        interval = ratio(t_interval(loss + (losses - loss * counts) / counts.mean()))
    return Mean(mean=float(np.exp(loss)), interval=interval, count=len(losses))


def mean_of(values: Sequence[float], *, share: bool = False) -> Mean | None:
    """Mean over prompts with its interval (`mean_over_prompts`); None of no values."""
    if not values:
        return None
    column = [float(value) for value in values]
    interval = mean_over_prompts(column, share=share)
    return Mean(mean=sum(column) / len(column), interval=interval, count=len(column))


def mean_over_prompts(values: Sequence[float], *, share: bool = False) -> Estimate | Withheld:
    """Mean with a BCa interval over prompts.

    Args:
        values: one per prompt, such as agreement, KL, or score.
        share: the values lie in [0, 1]. All ones (or zeros) then have an interval too, although
            resampling them shows no spread: n ones have probability mean^n at most, so the mean can
            hardly be below 0.025^(1/n).

    Returns:
        The estimate; withheld below twenty prompts, or where equal values say nothing about their spread.
    """
    column = np.asarray(values, dtype=np.float64)
    if len(column) < FEWEST_PROMPTS:
        return Withheld(f"{too_few(len(column), 'prompt')} for an interval (needs {FEWEST_PROMPTS})")
    if np.ptp(column) > 0:
        return _bca(column)
    reach = ((1 - LEVEL) / 2) ** (1 / len(column))
    if share and column[0] == 1:
        return Estimate(1.0, float(reach), 1.0)
    if share and column[0] == 0:
        return Estimate(0.0, 0.0, float(1 - reach))
    return Withheld("all prompts give the same value: resampling shows no spread")


def _bca(column: FloatArray) -> Estimate:
    """BCa interval on the mean (`scipy.stats.bootstrap`), which bears the skew of shares and KL."""
    mean, low, high = (float(value) for value in bca_interval(column))
    return Estimate(mean, low, high)
