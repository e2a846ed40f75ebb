"""Do two columns go together? Correlations that count each distinct point once.

Repeating rows leaves r as it is and divides its p-value by orders of magnitude. So every interval and
p-value here is of the distinct points; what the repeated rows would claim is kept apart, as `nominal`,
beside both counts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import permutations
from math import factorial

import numpy as np
from scipy import stats

from analysis.values import LEVEL, Estimate, FloatArray, IntArray, Withheld, too_few

EXACT_POINTS = 8
"""Up to here all permutations are tried (8! = 40,320)."""
RESAMPLES = 9_999
FEWEST_POINTS = 4
"""Fisher's interval divides by n - 3."""


@dataclass(frozen=True, kw_only=True)
class Coefficient:
    """A correlation coefficient with Fisher's interval and the p-value of no correlation."""

    value: Estimate
    p: float
    rows: int


@dataclass(frozen=True, kw_only=True)
class Permutation:
    """Share of re-pairings whose |r| is at least the one seen."""

    p: float
    permutations: int
    exact: bool


@dataclass(frozen=True, kw_only=True)
class Correlation:
    """Pearson and Spearman on distinct points."""

    rows: int
    distinct: int
    pearson: Coefficient
    spearman: Coefficient
    permutation: Permutation
    nominal: Coefficient | None
    """Pearson over all rows as if they were independent; None where none is repeated."""


def distinct_rows(*columns: FloatArray) -> IntArray:
    """Indices of the first of each distinct row, in order; equal means equal to nine digits."""
    table = np.column_stack([np.asarray(c, dtype=np.float64) for c in columns])
    with np.errstate(divide="ignore"):
        digits = np.where(table == 0, 0, np.floor(np.log10(np.abs(table))))
    rounded = np.round(table / 10.0**digits, 9) * 10.0**digits
    return np.sort(np.unique(rounded, axis=0, return_index=True)[1])


def correlate(x: FloatArray, y: FloatArray, *, seed: int = 0) -> Correlation | Withheld:
    """Correlation of two columns of shape (rows,), on their distinct points.

    Args:
        x: such as lambda2 by prompt.
        y: such as lambda11 by prompt.
        seed: of the Monte-Carlo permutations, where there are too many to try all.
    """
    keep = distinct_rows(x, y)
    if len(keep) < FEWEST_POINTS:
        return Withheld(f"{len(x)} rows are {len(keep)} distinct points: too few for a correlation")
    if np.ptp(x) == 0 or np.ptp(y) == 0:
        return Withheld("a column has the same value in every row: no correlation is defined")
    xs, ys = x[keep], y[keep]
    return Correlation(
        rows=len(x),
        distinct=len(keep),
        pearson=pearson(xs, ys),
        spearman=spearman(xs, ys),
        permutation=permutation_p(xs, ys, seed=seed),
        nominal=pearson(x, y) if len(x) > len(keep) else None,
    )


def pearson(x: FloatArray, y: FloatArray) -> Coefficient:
    """Pearson's r of rows taken as independent, shape (rows,)."""
    return from_r(float(stats.pearsonr(x, y).statistic), rows=len(x))


def spearman(x: FloatArray, y: FloatArray) -> Coefficient:
    """Spearman's rho; interval by Fisher with the variance of Bonett and Wright (2000)."""
    result = stats.spearmanr(x, y)
    rho = float(result.statistic)
    value = fisher_interval(rho, error=np.sqrt((1 + rho**2 / 2) / (len(x) - 3)))
    return Coefficient(value=value, p=float(result.pvalue), rows=len(x))


def from_r(r: float, *, rows: int, given: int = 0) -> Coefficient:
    """What r alone says about `rows` independent points, `given` covariates partialled out.

    Repeating points leaves r unchanged, so this also gives the p-value that a published r has on its
    distinct points.
    """
    freedom = rows - 2 - given
    t = r * np.sqrt(freedom / max(1 - r**2, np.finfo(float).tiny))
    value = fisher_interval(r, error=1 / np.sqrt(rows - 3 - given))
    return Coefficient(value=value, p=float(2 * stats.t.sf(abs(t), freedom)), rows=rows)


def fisher_interval(r: float, *, error: float) -> Estimate:
    """Interval of a coefficient: atanh r is close to normal with standard error `error`."""
    centre = np.arctanh(np.clip(r, -1 + 1e-15, 1 - 1e-15))
    reach = stats.norm.ppf((1 + LEVEL) / 2) * error
    return Estimate(r, float(np.tanh(centre - reach)), float(np.tanh(centre + reach)))


def permutation_p(x: FloatArray, y: FloatArray, *, seed: int = 0) -> Permutation:
    """Two-sided permutation test of Pearson's r: exact up to eight points, else Monte Carlo."""
    centred = (y - y.mean()) / (np.linalg.norm(y - y.mean()) * np.linalg.norm(x - x.mean()))
    exact = len(x) <= EXACT_POINTS
    result = stats.permutation_test(
        (x,),
        lambda sample, axis: np.abs(np.moveaxis(sample, axis, -1) @ centred),
        permutation_type="pairings",
        vectorized=True,
        alternative="greater",
        n_resamples=factorial(EXACT_POINTS) if exact else RESAMPLES,
        batch=max(1, 4_000_000 // len(x)),
        rng=np.random.default_rng(seed),
    )
    return Permutation(p=float(result.pvalue), permutations=len(result.null_distribution), exact=exact)


def partial(x: FloatArray, y: FloatArray, covariates: Mapping[str, FloatArray]) -> Coefficient | Withheld:
    """Pearson's r of what a linear fit on the covariates leaves of x and y, on distinct rows.

    Args:
        x: shape (rows,).
        y: shape (rows,).
        covariates: name -> shape (rows,), such as L, log L, mean id, log|x|.
    """
    keep = distinct_rows(x, y, *covariates.values())
    given = len(covariates)
    if len(keep) < FEWEST_POINTS + given:
        return Withheld(f"{too_few(len(keep), 'distinct point')} to hold {given} covariates fixed")
    design = np.column_stack([np.ones(len(keep)), *(c[keep] for c in covariates.values())])
    design /= np.linalg.norm(design, axis=0)
    left = [column[keep] - design @ np.linalg.lstsq(design, column[keep])[0] for column in (x, y)]
    spreads = [np.linalg.norm(rest) / np.linalg.norm(c[keep]) for rest, c in zip(left, (x, y), strict=True)]
    if min(spreads) < 1e-9:
        return Withheld("the covariates explain a column entirely: nothing is left to correlate")
    return from_r(float(stats.pearsonr(*left).statistic), rows=len(keep), given=given)


def shuffled_table_p(
    table: Mapping[int, float], residues: Sequence[int], y: FloatArray
) -> Permutation | Withheld:
    """Would any other assignment of the same table values to residues do as well?

    All permutations of the table are tried (8! for the eight values modulo 24). r needs only the count
    and the sum of y per residue, so prompts are not gone through again.

    Args:
        table: residue -> lambda2, as defined.
        residues: of each distinct prompt; those with an undefined lambda2 left out.
        y: shape (prompts,), such as lambda11.
    """
    if len(table) > EXACT_POINTS:
        return Withheld(f"a table of {len(table)} values has too many permutations to try all")
    if not set(residues) <= set(table):
        return Withheld("a residue without a table value: its prompt can't take part")
    column = np.searchsorted(sorted(table), residues)
    counts = np.bincount(column, minlength=len(table))
    sums = np.bincount(column, weights=y - y.mean(), minlength=len(table))
    values = np.array(list(permutations([table[n] for n in sorted(table)])))
    spread = np.sqrt(((values - (values @ counts / len(y))[:, None]) ** 2) @ counts)
    r = np.abs(values @ sums) / np.where(spread > 0, spread, np.inf)
    # the first permutation is the table itself; the slack lets a tie count as a tie
    return Permutation(p=float(np.mean(r >= r[0] * (1 - 1e-12))), permutations=len(values), exact=True)
