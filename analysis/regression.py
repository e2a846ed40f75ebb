"""Linear fits with named terms and t intervals, that refuse a design they can't tell apart."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from scipy import stats

from analysis.values import LEVEL, Estimate, FloatArray, Withheld
from analysis.words import listed

COLLINEAR = 1e-7
"""Smallest over largest singular value of the scaled columns, below which the terms are one term."""


@dataclass(frozen=True, kw_only=True)
class Term:
    """A coefficient, in response units per unit of its column."""

    value: Estimate
    t: float
    p: float


@dataclass(frozen=True, kw_only=True)
class LinearFit:
    """A least-squares fit; `contrast` gives any weighted sum of its coefficients with an interval."""

    terms: dict[str, Term]
    r2: float
    rows: int
    covariance: FloatArray
    """Of the coefficients, shape (terms, terms), each divided by `scale`."""
    scale: FloatArray
    """Norms of the columns, shape (terms,): what the solver saw divided by them."""

    def contrast(self, weights: Mapping[str, float]) -> Estimate:
        """Sum of weight x coefficient, with the t interval from the joint covariance."""
        row = np.array([weights.get(name, 0.0) for name in self.terms])
        point = float(row @ np.array([term.value.point for term in self.terms.values()]))
        scaled = row / self.scale
        reach = _reach(self.rows - len(row)) * float(np.sqrt(scaled @ self.covariance @ scaled))
        return Estimate(point, point - reach, point + reach)


def least_squares(
    response: FloatArray, columns: Mapping[str, FloatArray], *, relative: bool = False
) -> LinearFit | Withheld:
    """Fit response = sum of coefficient x column. A constant term is a column of ones.

    Args:
        response: shape (rows,).
        columns: name -> shape (rows,).
        relative: the noise is proportional to the response, as that of joules and seconds is. Weights
            are 1 / fitted squared: weights from the noisy response itself would pull the fit down.
    """
    design = np.column_stack(list(columns.values())).astype(np.float64)
    names = list(columns)
    if len(response) <= len(names):
        return Withheld(f"{len(response)} rows can't determine {len(names)} terms ({listed(names)})")
    # scaled so that rank means shape, not unit: bytes are 1e9, a constant is 1
    scale = np.linalg.norm(design, axis=0)
    if not np.all(scale > 0) or np.linalg.cond(design / np.where(scale > 0, scale, 1)) > 1 / COLLINEAR:
        return Withheld(f"the rows do not tell {listed(names)} apart: they rise and fall together")
    weights = _weights(response, design / scale) if relative else np.ones(len(response))
    return _fit(response, design / scale, weights, names=names, scale=scale)


def _weights(response: FloatArray, design: FloatArray) -> FloatArray:
    """Square roots of the weights, from what a first fit, weighted by the response, expects."""
    first = 1 / np.abs(response)
    fitted = design @ np.linalg.lstsq(design * first[:, None], response * first)[0]
    return np.asarray(1 / np.maximum(np.abs(fitted), np.abs(response) * 0.1))


def _fit(
    response: FloatArray, design: FloatArray, weights: FloatArray, *, names: list[str], scale: FloatArray
) -> LinearFit:
    """Ordinary least squares of the rows times `weights` (shape (rows,))."""
    x, y = design * weights[:, None], response * weights
    inverse = np.linalg.pinv(x)
    points = inverse @ y
    rest = y - x @ points
    freedom = len(y) - len(names)
    covariance = inverse @ inverse.T * (rest @ rest / freedom)
    errors = np.sqrt(np.diag(covariance))
    with np.errstate(divide="ignore", invalid="ignore"):  # a perfect fit has no error to divide by
        t = points / errors
    p = 2 * stats.t.sf(np.abs(t), freedom)
    ends = points / scale, _reach(freedom) * errors / scale
    terms = {
        name: Term(
            value=Estimate(float(point), float(point - reach), float(point + reach)),
            t=float(t[i]),
            p=float(p[i]),
        )
        for i, (name, point, reach) in enumerate(zip(names, *ends, strict=True))
    }
    r2 = 1 - float(rest @ rest) / _variation(y, weights, design)
    return LinearFit(terms=terms, r2=r2, rows=len(y), covariance=covariance, scale=scale)


def _variation(y: FloatArray, weights: FloatArray, design: FloatArray) -> float:
    """What r2 is a share of: squares about the mean if the columns hold a constant, else about zero."""
    ones = np.ones(len(y))
    holds_a_constant = np.allclose(design @ np.linalg.lstsq(design, ones)[0], ones)
    mean = float(y @ weights / (weights @ weights)) if holds_a_constant else 0.0
    return float(np.sum((y - mean * weights) ** 2))


def _reach(freedom: int) -> float:
    """Standard errors from the estimate to the ends of its interval."""
    return float(stats.t.ppf((1 + LEVEL) / 2, freedom))
