"""Blocks of signs and vectors against the plain singular value decomposition."""

from __future__ import annotations

import numpy as np

from backends.cuts.sign_blocks import VECTORS, bits_of, block_of

MATRIX = np.random.default_rng(5).normal(size=(80, 48)).astype(np.float32)
MATRIX[0, 0] = 0


def by_the_formula(rest: np.ndarray) -> np.ndarray:
    u, s, v = np.linalg.svd(np.abs(rest).astype(float), full_matrices=False)
    magnitude = (u[:, :VECTORS] * s[:VECTORS]) @ v[:VECTORS]
    return np.where(rest >= 0, 1, -1) * magnitude


def test_a_block_is_the_signs_times_the_strongest_vectors() -> None:
    rest = MATRIX
    for _ in range(3):
        made, expected = block_of(rest).weights(), by_the_formula(rest)
        error, least = (np.linalg.norm(rest - one) for one in (made, expected))
        assert least <= error < 1.02 * least, "random projections lose a little"
        rest = rest - made
    assert np.linalg.norm(rest) < 0.35 * np.linalg.norm(MATRIX)


def test_signs_of_rank_one_are_exact_and_zero_counts_as_plus() -> None:
    signs = np.where(MATRIX >= 0, 1, -1)
    outer = np.outer(np.arange(1, 81), np.arange(1, 49)) / 64
    exact = (signs * outer).astype(np.float32)
    np.testing.assert_allclose(block_of(exact).weights(), exact, rtol=2e-3)
    assert signs[0, 0] == 1


def test_bits_are_a_sign_a_weight_and_the_vectors_in_sixteen() -> None:
    block = block_of(MATRIX)
    counted = 8 * (block.signs.nbytes + block.left.nbytes + block.right.nbytes)
    assert bits_of(80, 48) == counted == 80 * 48 + 16 * 16 * 128
    assert bits_of(1536, 576) / (1536 * 576) < 1.62
