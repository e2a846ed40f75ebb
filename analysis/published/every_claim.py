"""Every claim of both papers, recomputed from the published record, and those of the literature.

Needs no network and no run.
"""

from __future__ import annotations

from collections.abc import Mapping

from analysis.claims import Claim
from analysis.published.correlation import correlation_claims
from analysis.published.isolation import isolation_claims
from analysis.published.literature import literature_claims
from analysis.published.redundancy import redundancy_claims
from analysis.published.routing import routing_claims

MODULI = (8, 12, 16, 20, 24, 32, 48)
"""Of FP's table 5; `record_claims` needs lambda2 for each."""


def record_claims(lambda2: Mapping[int, Mapping[int, float]]) -> list[Claim]:
    """The table of claims.

    Args:
        lambda2: modulus -> residue -> lambda2 of FP's graph, undefined residues left out; for `MODULI`.
    """
    of_papers = [*routing_claims(), *isolation_claims(), *correlation_claims(lambda2), *redundancy_claims()]
    return [*of_papers, *literature_claims()]
