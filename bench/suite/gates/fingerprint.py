"""The modular fingerprint of a prompt: pure functions of the exact integer sum of squared token ids.

Source: Lynch, "An O(1) Modular Fingerprint of Input Norm Predicts Spectral Concentration..."
(10.5281/zenodo.17872873). With |x| the L2 norm of the ids, the residue is floor(|x|) mod 24. The
square root is taken of an exact integer (`math.isqrt`); a float32 norm, as the paper used it, can fall
on the wrong side of a whole number.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cache

PRIMES = (5, 7, 11, 13, 17)


def sum_of_squares(ids: Sequence[int]) -> int:
    """Sum of squared token ids, exact."""
    return sum(i * i for i in ids)


def residue(sum_of_squares: int, modulus: int = 24) -> int:
    """floor(|x|) mod `modulus`, from integers only."""
    return math.isqrt(sum_of_squares) % modulus


def fraction(sum_of_squares: int, modulus: int = 24) -> float:
    """(|x| mod modulus) / modulus with the real-valued norm, in [0, 1).

    The whole part comes from integers; only the part behind the point is a float, so that a large norm
    costs no precision.
    """
    whole = math.isqrt(sum_of_squares)
    rest = sum_of_squares - whole * whole  # |x| - whole = rest / (|x| + whole)
    behind_the_point = rest / (math.sqrt(sum_of_squares) + whole) if rest else 0.0
    return min((whole % modulus + behind_the_point) / modulus, math.nextafter(1.0, 0.0))


@cache
def connectivity(residue: int, modulus: int = 24) -> float | None:
    """Algebraic connectivity lambda2 of the factor graph of a residue; None where it is undefined.

    Vertices are the pairs (r, s) of units mod `modulus` with r * s = residue (mod modulus). The weight
    between two vertices with integer products a and b (not reduced) is
    1 / (1 + sum over p in {5, 7, 11, 13, 17} of |a mod p - b mod p|). lambda2 is the second smallest
    eigenvalue of the unnormalised Laplacian. Undefined with two vertices or fewer.
    """
    import numpy as np

    units = [u for u in range(modulus) if math.gcd(u, modulus) == 1]
    products = [r * s for r in units for s in units if r * s % modulus == residue % modulus]
    if len(products) <= 2:
        return None
    remainders = np.array([[product % p for p in PRIMES] for product in products])
    distance = np.abs(remainders[:, None, :] - remainders[None, :, :]).sum(axis=-1)
    weights = 1.0 / (1.0 + distance)
    np.fill_diagonal(weights, 0.0)
    laplacian = np.diag(weights.sum(axis=1)) - weights
    return float(np.linalg.eigvalsh(laplacian)[1])
