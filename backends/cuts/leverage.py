"""Which units of an MLP can stand for the rest, by what they do on a text: ridge leverage and Nystrom's rule.

As in FlattenGPT (Xu et al., arXiv 2602.08858): C = sum of p p' over the activations p of all units, shape
(units, units). The ridge leverage of a unit is [C (C + lam I)^-1]_ii, lam ten times the mean of C's diagonal.
The units with the largest stay; what the others added is put upon them as ridge regression guesses it.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

RIDGE = 10.0
"""Times the mean of the diagonal."""

Numbers = NDArray[np.float64]


def ridge_of(seen: Numbers) -> float:
    """The lam that goes with a matrix C."""
    return RIDGE * float(np.diagonal(seen).mean())


def leverage(seen: Numbers, ridge: float) -> Numbers:
    """Ridge leverage of every unit, shape (units,), each from 0 to 1."""
    units = len(seen)
    # C (C + lam I)^-1 = I - lam (C + lam I)^-1
    return np.asarray(1 - ridge * np.diagonal(np.linalg.inv(seen + ridge * np.eye(units))))


def largest(scores: Numbers, count: int, *, first: int, step: int) -> NDArray[np.int64]:
    """The `count` units of the largest scores, ascending; the first `first` of them belong to one MLP.

    Both MLPs keep a multiple of `step`, at least one: matrices in few bits want that. So of the unit that is
    on the edge up to half a step goes over to the other MLP.
    """
    order = np.argsort(-scores, kind="stable")
    wanted = int((order[:count] < first).sum())
    kept = min(max(step, round(wanted / step) * step), count - step)
    of_first = order[order < first][:kept]
    of_second = order[order >= first][: count - kept]
    return np.sort(np.concatenate([of_first, of_second])).astype(np.int64)


def compensated(out: Numbers, seen: Numbers, kept: NDArray[np.int64], ridge: float) -> Numbers:
    """Columns `kept` of `out` (width, units) with those of the rest put upon them, (width, kept).

    out_S + out_R C_RS (C_SS + lam I)^-1, S the kept units and R the rest.
    """
    rest = np.setdiff1d(np.arange(out.shape[1]), kept)
    gram = seen[np.ix_(kept, kept)] + ridge * np.eye(len(kept))
    return out[:, kept] + out[:, rest] @ np.linalg.solve(gram, seen[np.ix_(kept, rest)]).T
