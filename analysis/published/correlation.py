"""FP's correlation claims: lambda2 against lambda11, on the rows as counted and on the distinct points.

The published runs repeated ten prompts forty times, so n = 200 is five points. Repetition does not
change r, so the p-value that a published r has on its distinct points follows from r alone, also where
the points were not published.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from scipy import stats

from analysis.claims import Claim, ClaimFigure, ClaimVerdict, Role
from analysis.correlation import Coefficient, Correlation, correlate, from_r
from analysis.published.record import record
from analysis.regression import LinearFit, least_squares
from analysis.study import regress
from analysis.values import Estimate, FloatArray, Withheld

DECIMALS = 4
"""The published figures follow from lambda2 rounded to so many decimals, to the last digit."""
PROXY_OF_LENGTH = ("tinyllama",)
"""Models below 2 billion parameters, of which the abstract says that lambda2 stands for length."""
POWERED = "bench spectral on 1,000 or more distinct prompts, of fixed and of natural lengths"


def correlation_claims(lambda2: Mapping[int, Mapping[int, float]]) -> list[Claim]:
    """All rows about the correlation.

    Args:
        lambda2: modulus -> residue -> second eigenvalue, undefined residues left out.
    """
    table = record()["correlation"]
    return [
        *(_row_claim(row, lambda2[24]) for row in table["rows"] if row["in_table"]),
        _sign_flip(table["rows"]),
        _scale(table["rows"]),
        *(_length_claim(name, lambda2[24]) for name in table["regression"]),
        _modulus_table(lambda2),
    ]


def published_points(
    name: str, lambda2: Mapping[int, float], *, repeated: bool = False
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """lambda2, lambda11 and token count of one model's points, shape (points,) or (points x repeats,)."""
    points = record()["correlation"]["points"][name]
    length, residue, lambda11 = np.array(points["rows"], dtype=np.float64).T
    values = np.round([lambda2[int(n)] for n in residue], DECIMALS)
    times = points["repeats"] if repeated else 1
    return np.tile(values, times), np.tile(lambda11, times), np.tile(length, times)


def _row_claim(row: Mapping[str, Any], lambda2: Mapping[int, float]) -> Claim:
    nominal = from_r(row["r"], rows=row["n"])
    distinct = from_r(row["r"], rows=row["distinct"])
    correlation = _from_points(row["points"], lambda2) if "points" in row else None
    published = [ClaimFigure(label="r", value=Estimate(row["r"], *row["ci"]))]
    if "p" in row:
        published.append(ClaimFigure(label="p", value=row["p"], is_p=True))
    return Claim(
        name=f"correlation.{row.get('points', row['model'].lower())}",
        published=tuple(published),
        recomputed=_figures_of_r(nominal, distinct)
        if correlation is None
        else _figures_of_points(correlation),
        verdict="not reproduced",
        why=f"r stands, but n = {row['n']} rows are {row['distinct']} distinct points, and on those it is "
        "what chance alone gives",
        would_test=POWERED,
    )


def _from_points(name: str, lambda2: Mapping[int, float]) -> Correlation:
    x, y, _ = published_points(name, lambda2, repeated=True)
    correlation = correlate(x, y)
    assert isinstance(correlation, Correlation)
    return correlation


def _figures_of_r(nominal: Coefficient, distinct: Coefficient) -> tuple[ClaimFigure, ...]:
    return (
        ClaimFigure(label=f"r of {nominal.rows} rows", value=nominal.value),
        ClaimFigure(label=f"p of {nominal.rows} rows", value=nominal.p, is_p=True),
        ClaimFigure(label=f"r of {distinct.rows} distinct points", value=distinct.value, role="control"),
        ClaimFigure(
            label=f"p of {distinct.rows} distinct points", value=distinct.p, is_p=True, role="control"
        ),
    )


def _figures_of_points(correlation: Correlation) -> tuple[ClaimFigure, ...]:
    assert correlation.nominal is not None
    return (
        *_figures_of_r(correlation.nominal, correlation.pearson),
        ClaimFigure(
            label=f"p of all {correlation.permutation.permutations} permutations",
            is_p=True,
            value=correlation.permutation.p,
            role="control",
        ),
        ClaimFigure(label="Spearman's rho", value=correlation.spearman.value, role="detail"),
    )


def _sign_flip(rows: list[dict[str, Any]]) -> Claim:
    rotary = [row for row in rows if row["positions"] == "rotary"]
    labelled = [row for row in rotary if "labelled" not in row]
    first, second = rows[0], rows[1]
    return Claim(
        name="correlation.sign_flip",
        published=tuple(ClaimFigure(label=f"r of {row['model']}", value=row["r"]) for row in rows),
        recomputed=(
            ClaimFigure(label="rotary models by configuration", value=len(rotary)),
            ClaimFigure(label="of these with r > 0", value=_positive(rotary)),
            ClaimFigure(label="rotary models by the author's labels", value=len(labelled), role="control"),
            ClaimFigure(label="with r > 0 by his labels", value=_positive(labelled), role="control"),
            ClaimFigure(
                label=f"p of {first['model']} against {second['model']}",
                is_p=True,
                value=_p_of_difference(first, second),
                role="control",
            ),
        ),
        verdict="not reproduced",
        why="the two Pythias of the run logs, left out of the table, have a positive r. The author's logs "
        "label them absolute, and so labelled every sign fits; by their configuration they are partly "
        "rotary, and so they speak against it. Either way four or five points can't tell the signs apart",
        would_test=POWERED,
    )


def _positive(rows: list[dict[str, Any]]) -> int:
    return sum(row["r"] > 0 for row in rows)


def _p_of_difference(one: dict[str, Any], other: dict[str, Any]) -> float:
    """Two-sided p of two r being equal, on their distinct points: atanh r is close to normal (Fisher)."""
    difference = np.arctanh(one["r"]) - np.arctanh(other["r"])
    error = np.sqrt(1 / (one["distinct"] - 3) + 1 / (other["distinct"] - 3))
    return float(2 * stats.norm.sf(abs(difference) / error))


def _scale(rows: list[dict[str, Any]]) -> Claim:
    """Over the rotary models of the table: does r fall as models grow?"""
    by_size = sorted(
        (row for row in rows if row["positions"] == "rotary" and row["in_table"]),
        key=lambda row: row["parameters"],
    )
    smallest, largest = by_size[0], by_size[-1]
    sizes, negated = [row["parameters"] for row in by_size], [-row["r"] for row in by_size]
    strongest = min(by_size, key=lambda row: row["r"])
    return Claim(
        name="correlation.scale",
        published=tuple(
            ClaimFigure(label=f"r of {row['model']}, {row['parameters'] / 1e9:.1f} B", value=row["r"])
            for row in by_size
        ),
        recomputed=(
            ClaimFigure(label="models", value=len(by_size)),
            ClaimFigure(
                label="Spearman's rho of size and -r",
                value=float(stats.spearmanr(sizes, negated)[0]),
            ),
            ClaimFigure(
                label=f"p of {smallest['model']} against {largest['model']}",
                is_p=True,
                value=_p_of_difference(smallest, largest),
                role="control",
            ),
        ),
        verdict="not reproduced",
        why=f"from the smallest model to the largest r falls, but {strongest['model']} between them has the "
        "strongest: three models in no order, each on four or five distinct points",
        would_test=POWERED,
    )


def _length_claim(name: str, lambda2: Mapping[int, float]) -> Claim:
    """Below 2 billion parameters lambda2 is said to stand for length, above to have a weight of its own."""
    published = record()["correlation"]["regression"][name]
    x, y, length = published_points(name, lambda2, repeated=True)
    columns = {"constant": np.ones(len(x)), "lambda2": x, "length": length}
    nominal, distinct = least_squares(y, columns), regress(y, lambda2=x, covariate=length)
    assert not isinstance(nominal, Withheld)
    assert not isinstance(distinct, Withheld)
    verdict, why = _proxy(distinct) if name in PROXY_OF_LENGTH else _independent(distinct)
    return Claim(
        name=f"correlation.length.{name}",
        published=tuple(ClaimFigure(label=key, value=value) for key, value in published.items()),
        recomputed=(*_figures_of_fit(nominal), *_figures_of_fit(distinct, role="control")),
        verdict=verdict,
        why=why,
        would_test=POWERED,
    )


def _proxy(distinct: LinearFit) -> tuple[ClaimVerdict, str]:
    return (
        "reproduced",
        "beside length lambda2 has no weight, as the author says of models below 2 B. That is absence of "
        f"evidence: on the {distinct.rows} distinct points hardly any weight could have shown",
    )


def _independent(distinct: LinearFit) -> tuple[ClaimVerdict, str]:
    return (
        "not reproduced",
        f"on the {distinct.rows} distinct points lambda2 has no weight: three terms leave two degrees of "
        "freedom",
    )


def _figures_of_fit(fit: LinearFit, *, role: Role = "figure") -> tuple[ClaimFigure, ...]:
    term = fit.terms["lambda2"]
    return (
        ClaimFigure(label=f"beta of {fit.rows} rows", value=term.value, role="detail"),
        ClaimFigure(label=f"t of {fit.rows} rows", value=term.t, role=role),
        ClaimFigure(label=f"p of {fit.rows} rows", value=term.p, is_p=True, role=role),
        ClaimFigure(label=f"r2 of {fit.rows} rows", value=fit.r2, role="detail"),
    )


def _modulus_table(lambda2: Mapping[int, Mapping[int, float]]) -> Claim:
    published, recomputed = [], []
    largest = 0.0
    for base, *figures in record()["modulus"]["rows"]:
        values = np.array(list(lambda2[base].values()))
        values_of_base = (len(values) / base, float(values.mean()), float(values.std(ddof=1)))
        for label, stated, mine in zip(
            ("share defined", "mean", "deviation"), figures, values_of_base, strict=True
        ):
            name, of = f"{label}, modulo {base}", (label, str(base))
            published.append(ClaimFigure(label=name, of=of, value=stated, role="detail"))
            recomputed.append(ClaimFigure(label=name, of=of, value=mine, role="detail"))
            largest = max(largest, abs(stated - mine))
    agrees = largest < 1e-3
    return Claim(
        name="correlation.modulus_table",
        published=tuple(published),
        recomputed=(ClaimFigure(label="largest difference", value=largest), *recomputed),
        verdict="reproduced" if agrees else "not reproduced",
        why=f"the largest difference is {largest:.1g}: arithmetic, which says nothing about models",
    )
