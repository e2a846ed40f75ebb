"""Linear fits with named terms, by statsmodels, that refuse a design they can't tell apart."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from statsmodels.regression.linear_model import OLS, WLS  # statsmodels.api takes twice as long to import

from analysis.values import LEVEL, Estimate, FloatArray, Withheld, listed

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
    _result: Any
    _scale: FloatArray
    """Norms of the columns, which the solver saw divided by them."""

    def contrast(self, weights: Mapping[str, float]) -> Estimate:
        """Sum of weight x coefficient, with the t interval from the joint covariance."""
        row = np.array([weights.get(name, 0.0) for name in self.terms]) / self._scale
        if not np.any(row):
            return Estimate(0.0, 0.0, 0.0)
        test = self._result.t_test(row)
        low, high = test.conf_int(alpha=1 - LEVEL)[0]
        return Estimate(float(np.squeeze(test.effect)), float(low), float(high))


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
    result = _weighted(response, design / scale) if relative else OLS(response, design / scale).fit()
    return _named(result, names, scale)


def _weighted(response: FloatArray, design: FloatArray) -> Any:
    first = WLS(response, design, weights=1 / response**2).fit()
    fitted = np.maximum(np.abs(first.fittedvalues), np.abs(response) * 0.1)
    return WLS(response, design, weights=1 / fitted**2).fit()


def _named(result: Any, names: list[str], scale: FloatArray) -> LinearFit:
    lows, highs = result.conf_int(alpha=1 - LEVEL).T / scale
    points = result.params / scale
    terms = {
        name: Term(
            value=Estimate(float(points[i]), float(lows[i]), float(highs[i])),
            t=float(result.tvalues[i]),
            p=float(result.pvalues[i]),
        )
        for i, name in enumerate(names)
    }
    return LinearFit(
        terms=terms, r2=float(result.rsquared), rows=int(result.nobs), _result=result, _scale=scale
    )
