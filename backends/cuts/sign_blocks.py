"""A matrix as a sum of blocks, each a sign for every weight times a product of few vectors (BitStack).

Wang et al., arXiv 2410.23918. What is left of a matrix, R, is cut into its signs (0 counts as plus) and
|R|, of which the 16 strongest singular vectors are kept. The block is sign * (U sqrt(S)) (sqrt(S) V'), its
vectors in float16, and the next block is made of R less this one. Singular vectors come from a seeded random
projection with two power iterations (Halko et al., arXiv 0909.4061), so every backend has the same block.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

VECTORS = 16
MOST_BLOCKS = 16
"""Of a matrix."""
_MORE = 8
"""Random directions beyond those that are kept."""
_POWER_ITERATIONS = 2

Weights = NDArray[np.float32]


@dataclass(frozen=True)
class SignBlock:
    """One block of a matrix (outputs, inputs)."""

    signs: NDArray[np.uint8]
    """A bit for each weight, set where it is not negative; packed row by row."""
    left: NDArray[np.float16]
    """(outputs, vectors)"""
    right: NDArray[np.float16]
    """(vectors, inputs)"""

    def weights(self) -> Weights:
        """What the block adds to its matrix."""
        inputs = self.right.shape[1]
        signs = np.unpackbits(self.signs, axis=1, count=inputs).astype(np.float32) * 2 - 1
        return np.asarray(signs * (self.left.astype(np.float32) @ self.right.astype(np.float32)))


def bits_of(outputs: int, inputs: int) -> int:
    """Bits that a block of such a matrix takes."""
    return outputs * inputs + 16 * min(VECTORS, outputs, inputs) * (outputs + inputs)


def block_of(rest: Weights) -> SignBlock:
    """The next block of a matrix of which `rest` is left, (outputs, inputs)."""
    u, s, v = _strongest(np.abs(rest), min(VECTORS, *rest.shape))
    root = np.sqrt(s)
    return SignBlock(
        signs=np.packbits(rest >= 0, axis=1),
        left=(u * root).astype(np.float16),
        right=(root[:, None] * v).astype(np.float16),
    )


def _strongest(matrix: Weights, count: int) -> tuple[Weights, Weights, Weights]:
    """The `count` largest singular values of a matrix with their vectors."""
    columns = min(count + _MORE, *matrix.shape)
    projected = matrix @ np.random.default_rng(0).standard_normal(
        (matrix.shape[1], columns), dtype=np.float32
    )
    for _ in range(_POWER_ITERATIONS):
        basis = np.linalg.qr(projected)[0]
        projected = matrix @ (matrix.T @ basis)
    basis = np.linalg.qr(projected)[0]
    u, s, v = np.linalg.svd(basis.T @ matrix, full_matrices=False)
    return (basis @ u)[:, :count], s[:count], v[:count]
