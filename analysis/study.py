"""The spectral study's tables: lambda2 against lambda11 per model, and what length explains of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from analysis.correlation import Coefficient, Correlation, correlate, distinct_rows, partial
from analysis.regression import LinearFit, least_squares
from analysis.rows import SpectralPoint
from analysis.values import FloatArray, Withheld

Diagnostic = Literal["lambda11", "lambda11_share", "tail_share", "participation"]
DIAGNOSTICS: tuple[Diagnostic, ...] = ("lambda11", "lambda11_share", "tail_share", "participation")
Covariate = Literal["length", "log_length", "mean_id", "log_norm"]
COVARIATES: tuple[Covariate, ...] = ("length", "log_length", "mean_id", "log_norm")


@dataclass(frozen=True, kw_only=True)
class Association:
    """One row of the papers' first table: a model and a diagnostic."""

    model: str
    diagnostic: Diagnostic
    undefined: int
    """Rows whose lambda2 is undefined; they can't take part."""
    correlation: Correlation | Withheld


@dataclass(frozen=True, kw_only=True)
class Confounding:
    """One row of the confounder table: lambda2 beside one covariate."""

    model: str
    diagnostic: Diagnostic
    covariate: Covariate
    alone: Correlation | Withheld
    """Of the covariate with the diagnostic."""
    partial: Coefficient | Withheld
    """Of lambda2 with the diagnostic, the covariate held fixed."""
    fit: LinearFit | Withheld
    """diagnostic ~ 1 + lambda2 + covariate, on distinct points."""


def associations(points: Sequence[SpectralPoint]) -> tuple[Association, ...]:
    """Correlation of lambda2 with every diagnostic, per model."""
    rows = []
    for model in _models(points):
        mine = [p for p in points if p.model == model]
        for diagnostic in DIAGNOSTICS:
            x, y, _ = _columns(mine, diagnostic, None)
            undefined = sum(p.lambda2 is None for p in mine)
            rows.append(
                Association(
                    model=model, diagnostic=diagnostic, undefined=undefined, correlation=correlate(x, y)
                )
            )
    return tuple(rows)


def confounders(
    points: Sequence[SpectralPoint], diagnostic: Diagnostic = "lambda11"
) -> tuple[Confounding, ...]:
    """What length and the ids' size explain of the diagnostic, and what they leave to lambda2."""
    return tuple(
        _confounding([p for p in points if p.model == model], diagnostic, covariate)
        for model in _models(points)
        for covariate in COVARIATES
    )


def _confounding(
    points: Sequence[SpectralPoint], diagnostic: Diagnostic, covariate: Covariate
) -> Confounding:
    x, y, z = _columns(points, diagnostic, covariate)
    return Confounding(
        model=points[0].model,
        diagnostic=diagnostic,
        covariate=covariate,
        alone=correlate(z, y),
        partial=partial(x, y, {covariate: z}),
        fit=regress(y, lambda2=x, covariate=z),
    )


def regress(y: FloatArray, *, lambda2: FloatArray, covariate: FloatArray) -> LinearFit | Withheld:
    """Fit y ~ 1 + lambda2 + covariate by OLS on the distinct rows; columns of shape (rows,)."""
    keep = distinct_rows(y, lambda2, covariate)
    columns = {"constant": np.ones(len(keep)), "lambda2": lambda2[keep], "covariate": covariate[keep]}
    return least_squares(y[keep], columns)


def _models(points: Sequence[SpectralPoint]) -> list[str]:
    return sorted({p.model for p in points})


def _columns(
    points: Sequence[SpectralPoint], diagnostic: Diagnostic, covariate: Covariate | None
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """lambda2, diagnostic and covariate of the points that have all three."""
    rows = [(p.lambda2, getattr(p, diagnostic), _covariate(p, covariate)) for p in points]
    table = np.array([row for row in rows if None not in row], dtype=np.float64).reshape(-1, 3)
    return table[:, 0], table[:, 1], table[:, 2]


def _covariate(point: SpectralPoint, name: Covariate | None) -> float | None:
    if name is None:
        return 0.0
    if name == "length":
        return float(point.prompt_tokens)
    if name == "log_length":
        return float(np.log(point.prompt_tokens))
    return point.mean_id if name == "mean_id" else point.log_norm
