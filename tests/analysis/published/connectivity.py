"""FP's graph, written down again from its definition, so that the claims have tables to work on."""

from __future__ import annotations

from math import gcd

import numpy as np

from analysis.published.every_claim import MODULI

PRIMES = (5, 7, 11, 13, 17)


def second_eigenvalue(residue: int, modulus: int) -> float | None:
    """lambda2 of the graph on pairs of units whose product is `residue`; None for two vertices or fewer."""
    units = [u for u in range(1, modulus) if gcd(u, modulus) == 1]
    products = np.array([r * s for r in units for s in units if r * s % modulus == residue])
    if len(products) <= 2:
        return None
    distance = sum(abs((products % p)[:, None] - (products % p)[None, :]) for p in PRIMES)
    weights = 1 / (1 + distance) - np.eye(len(products))
    return float(np.linalg.eigvalsh(np.diag(weights.sum(axis=1)) - weights)[1])


def all_tables() -> dict[int, dict[int, float]]:
    """modulus -> residue -> lambda2, undefined residues left out."""
    tables: dict[int, dict[int, float]] = {}
    for modulus in MODULI:
        values = {n: second_eigenvalue(n, modulus) for n in range(modulus)}
        tables[modulus] = {n: v for n, v in values.items() if v is not None}
    return tables
