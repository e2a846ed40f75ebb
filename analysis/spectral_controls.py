"""Would something that can't mean anything do as well as lambda2?

    shuffled table        the same lambda2 values, given to other residues
    relabelled vocabulary token ids permuted at random: another norm for every prompt, the same text
    other moduli          the same construction, modulo 8 to 48

A figure that these controls reach too says nothing about lambda2.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from analysis.correlation import (
    FEWEST_POINTS,
    Correlation,
    Permutation,
    correlate,
    distinct_rows,
    shuffled_table_p,
)
from analysis.rows import SpectralPoint
from analysis.values import FloatArray, IntArray, Withheld
from analysis.words import counted

Tables = Mapping[int, Mapping[int, float]]
"""Modulus -> residue -> lambda2, undefined residues left out."""
BASE = 24


@dataclass(frozen=True, kw_only=True)
class Controls:
    """What meaningless versions of lambda2 give for lambda11 of one model."""

    model: str
    shuffled_table: Permutation | Withheld
    relabelled: Permutation | Withheld
    """Share of relabellings of the vocabulary whose correlation is at least as far from chance."""
    moduli: dict[int, Correlation | Withheld]


def controls(
    points: Sequence[SpectralPoint], tables: Tables, relabelled_norms: IntArray | None = None
) -> Controls:
    """All controls for the points of one model; repeated points count once.

    Args:
        points: of one model.
        tables: lambda2 for modulus 24 and for whatever others are wanted.
        relabelled_norms: floor of |x| under each relabelling, shape (relabellings, points), in the order
            of `points`; None where the token ids are not known.
    """
    first = {point.prompt: i for i, point in reversed(list(enumerate(points)))}
    keep = sorted(first.values())
    mine = [points[i] for i in keep]
    norms = None if relabelled_norms is None else relabelled_norms[:, keep]
    return Controls(
        model=mine[0].model,
        shuffled_table=_shuffled(mine, tables[BASE]),
        relabelled=_relabelled(mine, tables[BASE], norms),
        moduli={modulus: _modulus(mine, table, modulus) for modulus, table in tables.items()},
    )


def _shuffled(points: Sequence[SpectralPoint], table: Mapping[int, float]) -> Permutation | Withheld:
    defined = [p for p in points if p.residue in table]
    y = np.array([p.lambda11 for p in defined])
    if len(defined) < FEWEST_POINTS or np.ptp(y) == 0:
        return Withheld(f"a defined lambda2 at {counted(len(defined), 'point')}: too few for a correlation")
    return shuffled_table_p(table, [p.residue for p in defined], y)


def _relabelled(
    points: Sequence[SpectralPoint], table: Mapping[int, float], norms: IntArray | None
) -> Permutation | Withheld:
    if norms is None:
        return Withheld("the token ids are not known here: measure the points anew")
    y = np.array([p.lambda11 for p in points])
    seen = _surprise(np.array([p.residue for p in points]), table, y)
    if seen is None:
        return Withheld("too few points with a defined lambda2 for a correlation")
    others = [_surprise(row % BASE, table, y) for row in norms]
    known = np.array([value for value in others if value is not None])
    # the labelling seen is one of those that could have been, so p is never 0
    p = float((1 + np.sum(known >= seen)) / (1 + len(known)))
    return Permutation(p=p, permutations=len(known), exact=False)


def _surprise(residues: IntArray, table: Mapping[int, float], y: FloatArray) -> float | None:
    """How far r lies from 0, in standard errors of Fisher's z; counts of defined points differ."""
    values = np.array([table.get(int(n), np.nan) for n in residues])
    known = ~np.isnan(values)
    if known.sum() < FEWEST_POINTS or np.ptp(values[known]) == 0:
        return None
    r = float(np.corrcoef(values[known], y[known])[0, 1])
    return float(abs(np.arctanh(np.clip(r, -1 + 1e-15, 1 - 1e-15))) * np.sqrt(known.sum() - 3))


def _modulus(
    points: Sequence[SpectralPoint], table: Mapping[int, float], modulus: int
) -> Correlation | Withheld:
    known = [p for p in points if p.whole_norm is not None and p.whole_norm % modulus in table]
    if not known:
        return Withheld("the norms of the prompts are not known here: measure the points anew")
    x = np.array([table[(p.whole_norm or 0) % modulus] for p in known])
    y = np.array([p.lambda11 for p in known])
    keep = distinct_rows(x, y)
    return correlate(x[keep], y[keep])
