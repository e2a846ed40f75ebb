"""The Redundancy Cliff gate: the share of cache and MLP that is kept follows the residue of the prompt.

Source: Lynch, "The Redundancy Cliff..." (10.5281/zenodo.17902977). For the residue n of the prompt's norm,
eight vertices are the units mod 24; the weight between r_i and r_j is 1 / (1 + the number of p in
{5, 7, 11, 13, 17} with (r_i r_j mod p) != (n mod p)); lambda2 is the second smallest eigenvalue of the
unnormalised Laplacian, and kappa = (lambda2 - low) / (high - low), clamped to [0, 1].

The published runs used another table than the formula gives; both are offered, each with the
normalisation that belongs to it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Literal

from backends.cut import Cut
from bench.suite.gates.base import FULL, Budget
from bench.suite.gates.fingerprint import PRIMES, residue, sum_of_squares

MODULUS = 24
UNITS = tuple(unit for unit in range(MODULUS) if math.gcd(unit, MODULUS) == 1)
Table = Literal["formula", "published"]
Part = Literal["kv_keep", "mlp_keep"]

PUBLISHED_RANGE = (1.35, 1.50)
PUBLISHED_LAMBDA2 = (
    *(1.5, 1.36216, 1.48839, 1.49969, 1.5, 1.36216, 1.48839, 1.36216),
    *(1.5, 1.49079, 1.49969, 1.35759, 1.5, 1.35759, 1.49969, 1.49079),
    *(1.5, 1.36216, 1.48839, 1.35759, 1.5, 1.49079, 1.49969, 1.35759),
)
LEAST_KEEP = 1e-6
"""The paper's kappa = 0: a cut's share lies above 0, and one position and 32 units always stay."""


@cache
def lambda2(n: int) -> float:
    """Algebraic connectivity of the residue `n` by the stated formula."""
    import numpy as np

    products = np.outer(UNITS, UNITS)
    differ = sum((products % p != n % p).astype(int) for p in PRIMES)
    weights = 1.0 / (1.0 + differ)
    np.fill_diagonal(weights, 0.0)
    laplacian = np.diag(weights.sum(axis=1)) - weights
    return float(np.linalg.eigvalsh(laplacian)[1])


@cache
def kappa_table(table: Table) -> tuple[float, ...]:
    """Kappa of each residue 0 to 23, normalised by the range of its own table."""
    values = PUBLISHED_LAMBDA2 if table == "published" else tuple(lambda2(n) for n in range(MODULUS))
    low, high = PUBLISHED_RANGE if table == "published" else (min(values), max(values))
    return tuple(min(1.0, max(0.0, (value - low) / (high - low))) for value in values)


@dataclass(frozen=True, kw_only=True)
class Kappa:
    """Keeps a share of the cache or the MLP that depends on the residue alone."""

    by_residue: tuple[Budget, ...]
    """Budget of each residue 0 to 23."""

    @property
    def budgets(self) -> tuple[Budget, ...]:
        """One for each residue."""
        return self.by_residue

    def decide(self, ids: Sequence[int]) -> Budget:
        """The budget of the prompt's residue."""
        return self.by_residue[residue(sum_of_squares(ids))]


def kappa(
    *,
    table: Table = "formula",
    drives: tuple[Part, ...] = ("kv_keep",),
    shuffle_seed: int | None = None,
    full: Budget = FULL,
) -> Kappa:
    """Keep the share kappa of cache or MLP, by residue; `shuffle_seed` deals the table out anew (control).

    Args:
        table: `formula` follows the stated formula, `published` the table of the published runs.
        drives: what kappa is the kept share of: kv_keep, mlp_keep or both.
        shuffle_seed: deal the table's values out to other residues by this seed.
        full: budget that is cut.
    """
    values = list(kappa_table(table))
    if not drives:
        raise ValueError("drives = []: name kv_keep, mlp_keep or both")
    if shuffle_seed is not None:
        import random

        random.Random(shuffle_seed).shuffle(values)
    return Kappa(by_residue=tuple(keeping(full, value, drives) for value in values))


def keeping(full: Budget, share: float, drives: Sequence[Part]) -> Budget:
    """The budget that keeps `share` of the parts in `drives`."""
    cut = Cut.model_validate({**full.cut.model_dump(), **dict.fromkeys(drives, max(share, LEAST_KEEP))})
    return full.model_copy(update={"cut": cut})
