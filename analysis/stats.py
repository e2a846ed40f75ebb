"""Ratios between arms with intervals that keep their promise on five blocks.

A block holds every arm in a counterbalanced order, so drift slower than a block cancels within it.
What is left is one log-ratio per block, and those are what is averaged, tested and resampled.

**Which interval.** The usual bootstrap (BCa over blocks) covers the truth in 80 to 84 % of
experiments with five blocks, 84 to 90 % with ten and 87 to 94 % with twenty: resampling five
numbers can't show how far the sixth would have fallen. `benchmarks/intervals.py` measures this.
Student's t interval on the log-ratios covers 94 to 96 % in every setting of `benchmarks/coverage.py` where
blocks do not follow each other (drift, thermal trend, one-sided outliers), because a log-ratio is a
difference of sums over slots, so its distribution is close to symmetric even where that of the slots is
not. So t decides over blocks; BCa serves where prompts are resampled, of which there are many
(`analysis.quality`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple

import numpy as np
from scipy import special, stats

from analysis.values import LEVEL, Estimate, FloatArray, Withheld

RESAMPLES = 9_999


class Intervals(NamedTuple):
    """Mean and interval along the last axis: arrays of the shape that is left."""

    mean: FloatArray
    low: FloatArray
    high: FloatArray


def t_interval(log_ratios: FloatArray, *, level: float = LEVEL) -> Intervals:
    """Student's t interval on the mean of log-ratios.

    Args:
        log_ratios: shape (..., blocks), at least two blocks.
        level: of the interval; less than 5 % is left outside where looks are declared (`analysis.looks`).
    """
    blocks = log_ratios.shape[-1]
    mean = log_ratios.mean(axis=-1)
    error = log_ratios.std(axis=-1, ddof=1) / np.sqrt(blocks)
    reach = special.stdtrit(blocks - 1, (1 + level) / 2) * error
    return Intervals(mean, mean - reach, mean + reach)


def bca_interval(log_ratios: FloatArray, *, resamples: int = RESAMPLES, seed: int = 0) -> Intervals:
    """BCa bootstrap interval on the mean of values (`scipy.stats.bootstrap`).

    All leading rows share the same resampled blocks, which keeps it vectorised and leaves each row's
    interval what it would be alone.

    Args:
        log_ratios: shape (..., blocks), at least two blocks, not all equal.
        resamples: number of bootstrap resamples.
        seed: of the resampling, so that a report can be recomputed to the same figures.
    """
    result = stats.bootstrap(
        (log_ratios,),
        np.mean,
        axis=-1,
        n_resamples=resamples,
        confidence_level=LEVEL,
        method="BCa",
        vectorized=True,
        batch=max(1, 4_000_000 // log_ratios.size),
        rng=np.random.default_rng(seed),
    )
    interval = result.confidence_interval
    return Intervals(log_ratios.mean(axis=-1), np.asarray(interval.low), np.asarray(interval.high))


def welch_interval(log_treated: FloatArray, log_baseline: FloatArray, *, level: float = LEVEL) -> Intervals:
    """Welch's interval on the difference of two unpaired means, for runs that were not interleaved.

    It knows nothing of drift between the two runs: it is here to show what pairing is for.

    Args:
        log_treated: shape (..., n), logarithms of joules.
        log_baseline: shape (..., m).
        level: of the interval.
    """
    mean = log_treated.mean(axis=-1) - log_baseline.mean(axis=-1)
    first, second = (x.var(axis=-1, ddof=1) / x.shape[-1] for x in (log_treated, log_baseline))
    error = np.sqrt(first + second)
    # degrees of freedom of Welch and Satterthwaite; repeats without any spread have no error to scale
    spread = first**2 / (log_treated.shape[-1] - 1) + second**2 / (log_baseline.shape[-1] - 1)
    freedom = np.divide(error**4, spread, out=np.ones_like(spread), where=spread > 0)
    reach = special.stdtrit(freedom, (1 + level) / 2) * error
    return Intervals(mean, mean - reach, mean + reach)


def one_sided_reach(log_ratios: FloatArray, *, level: float = LEVEL) -> float:
    """Distance of Student's one-sided limit from the mean of log-ratios, shape (n,), n >= 2."""
    error = log_ratios.std(ddof=1) / np.sqrt(log_ratios.size)
    return float(special.stdtrit(log_ratios.size - 1, level) * error)


def p_beyond(log_ratios: FloatArray, distance: float) -> float:
    """One-sided p of a mean that lies farther from zero than `distance`, on whichever side it lies.

    Args:
        log_ratios: shape (n,), n >= 2, not all equal.
        distance: on the log scale.
    """
    error = log_ratios.std(ddof=1) / np.sqrt(log_ratios.size)
    return float(special.stdtr(log_ratios.size - 1, (distance - abs(log_ratios.mean())) / error))


def holm(p_values: Mapping[str, float]) -> dict[str, float]:
    """P after Holm's correction (1979, Scand. J. Statist. 6:65), by name.

    Step-down: the k-th smallest of m counts m - k + 1 times, and never less than the one before.
    """
    adjusted: dict[str, float] = {}
    least = 0.0
    for rank, name in enumerate(sorted(p_values, key=p_values.__getitem__)):
        least = max(least, min(1.0, (len(p_values) - rank) * p_values[name]))
        adjusted[name] = least
    return adjusted


def lag_1(log_ratios: FloatArray) -> FloatArray:
    """Correlation of each value with the next, along the last axis, corrected for its bias in short series.

    In a series of n values the usual estimate is low by (1 + 3 rho) / (n - 1) (Kendall 1954, Biometrika
    41:403).
    """
    from_mean = log_ratios - log_ratios.mean(axis=-1, keepdims=True)
    seen = (from_mean[..., 1:] * from_mean[..., :-1]).sum(axis=-1) / (from_mean**2).sum(axis=-1)
    return np.asarray(np.clip(seen + (1 + 3 * seen) / (log_ratios.shape[-1] - 1), -1, 1))


def ar1_interval(log_ratios: FloatArray, *, level: float = LEVEL) -> Intervals:
    """Student's t interval on the mean of a series, shape (..., n), with neighbours correlated as AR(1).

    The variance of its mean is (1 + rho) / (1 - rho) of that of independent values, for long series. A
    correlation below zero would narrow it and is taken as none; above .9 five blocks can't tell it from 1.
    """
    mean, low, high = t_interval(log_ratios, level=level)
    rho = np.clip(lag_1(log_ratios), 0, 0.9)
    wider = np.sqrt((1 + rho) / (1 - rho))
    return Intervals(mean, mean - (mean - low) * wider, mean + (high - mean) * wider)


def ratio(intervals: Intervals) -> Estimate:
    """One interval on a mean log-ratio as a geometric-mean ratio."""
    point, low, high = (float(np.exp(value)) for value in intervals)
    return Estimate(point, low, high)


def geometric_mean(values: FloatArray) -> Estimate | Withheld:
    """Geometric mean of positive values with its t interval, in the unit of `values` (shape (n,))."""
    if values.size < 2:
        return Withheld(f"{values.size} values have no interval")
    if not np.all(values > 0):
        return Withheld("a value at or below zero has no logarithm")
    return ratio(t_interval(np.log(values)))


def log_distance(fraction: float) -> float:
    """Distance from no change to a fall by `fraction`, on the log scale: 0.02 gives 0.0202."""
    return float(-np.log1p(-fraction))


def fraction_of(distance: float) -> float:
    """The fall, as a fraction, that lies so far from no change on the log scale."""
    return float(-np.expm1(-distance))


def varies(log_ratios: FloatArray) -> bool:
    """Whether the blocks differ by more than rounding; measured joules always do."""
    return bool(np.ptp(log_ratios) > 1e-12)


def percentile(samples_s: Sequence[float], percent: Literal[50, 95, 99]) -> float | None:
    """The percentile of some seconds; None where they are so few that less than one lies beyond it."""
    fewest = {50: 1, 95: 20, 99: 100}[percent]
    return float(np.percentile(samples_s, percent)) if len(samples_s) >= fewest else None
