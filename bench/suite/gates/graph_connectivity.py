"""The published graph gate: a threshold on the algebraic connectivity of the residue's factor graph."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bench.suite.gates.base import FULL, SMALL, Budget, TwoWay
from bench.suite.gates.fingerprint import connectivity, residue, sum_of_squares


@dataclass(frozen=True, kw_only=True)
class GraphConnectivity(TwoWay):
    """Small when lambda2 is defined and above the threshold."""

    threshold: float

    def is_small(self, ids: Sequence[int]) -> bool:
        """Whether this prompt gets the small budget."""
        lambda2 = connectivity(residue(sum_of_squares(ids)))
        return lambda2 is not None and lambda2 > self.threshold


def graph_connectivity(
    *, threshold: float = 0.3, full: Budget = FULL, small: Budget = SMALL
) -> GraphConnectivity:
    """Small model when lambda2 of the residue's graph is above the threshold; undefined -> full.

    Args:
        threshold: lambda2 above which a prompt gets the small budget; the paper used 0.3.
        full: budget of the other prompts.
        small: the small budget.
    """
    if threshold < 0:
        raise ValueError(f"threshold = {threshold} is negative; the paper used 0.3")
    # An eigenvalue solver has no place inside a measured window: fill the table of residues now.
    for value in range(24):
        connectivity(value)
    return GraphConnectivity(full=full, small=small, threshold=threshold)
