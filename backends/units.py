"""Which units an MLP keeps. Decided from float64 copies of the weights, so every backend keeps the same.

`first`         The first ones, as in the Redundancy Cliff paper (10.5281/zenodo.17902977).
`random`        A seeded choice, different in each layer: the control for every other rule.
`largest_norm`  Those with the largest L2 norm over all weights going in and out, the magnitude rule of
                structured pruning (Li et al., "Pruning Filters for Efficient ConvNets", arXiv 1608.08710).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from backends.cut import Cut


def kept_units(
    cut: Cut, layer: int, units: int, norms: Callable[[], NDArray[np.float64]]
) -> NDArray[np.int64] | slice:
    """Units that stay, in ascending order.

    Args:
        cut: Its `mlp_keep`, `mlp_policy` and `mlp_seed` are used.
        layer: Number of the layer.
        units: Units of the whole MLP.
        norms: Gives the L2 norm of each unit, shape (units,); asked for by `largest_norm` only.
    """
    kept = cut.kept_units(units)
    if cut.mlp_policy == "first" or kept == units:
        return slice(0, kept)
    if cut.mlp_policy == "random":
        chosen = np.random.default_rng([cut.mlp_seed, layer]).permutation(units)[:kept]
    else:
        chosen = np.argsort(-norms(), kind="stable")[:kept]
    return np.sort(chosen).astype(np.int64)


def unit_norms(ins: list[NDArray[np.float64]], out: NDArray[np.float64]) -> NDArray[np.float64]:
    """L2 norm of each unit over its rows of `ins` (units, width) and its column of `out` (width, units)."""
    squares = (out**2).sum(axis=0)
    for matrix in ins:
        squares = squares + (matrix**2).sum(axis=1)
    return np.asarray(np.sqrt(squares), dtype=np.float64)
