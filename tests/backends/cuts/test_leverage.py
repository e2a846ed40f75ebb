"""Which units stay, and what is put upon them, on numbers with a known answer."""

from __future__ import annotations

import numpy as np

from backends.cuts.leverage import compensated, largest, leverage, ridge_of

RANDOM = np.random.default_rng(3)
SEEN = RANDOM.normal(size=(40, 6)) * [1, 5, 2, 4, 3, 0.5]
PRODUCTS = SEEN.T @ SEEN
OUT = RANDOM.normal(size=(3, 6))


def test_leverage_is_the_diagonal_of_the_formula() -> None:
    ridge = ridge_of(PRODUCTS)
    assert ridge == 10 * np.trace(PRODUCTS) / 6
    expected = np.diagonal(PRODUCTS @ np.linalg.inv(PRODUCTS + ridge * np.eye(6)))
    np.testing.assert_allclose(leverage(PRODUCTS, ridge), expected, atol=1e-12)


def test_units_with_the_largest_scores_stay_and_both_mlps_keep_a_multiple() -> None:
    scores = np.array([0.9, 0.1, 0.8, 0.7, 0.2, 0.3])
    assert largest(scores, 3, first=3, step=1).tolist() == [0, 2, 3]
    assert largest(scores, 4, first=3, step=2).tolist() == [0, 2, 3, 5]
    assert largest(np.array([9, 8, 7, 6, 1, 2, 3, 4.0]), 4, first=4, step=2).tolist() == [0, 1, 6, 7]


def test_with_nothing_left_out_nothing_changes() -> None:
    np.testing.assert_allclose(compensated(OUT, PRODUCTS, np.arange(6), 1.0), OUT)


def test_a_unit_that_has_a_double_is_replaced_exactly() -> None:
    doubled = np.hstack([SEEN, SEEN[:, :2]])
    out = np.hstack([OUT, RANDOM.normal(size=(3, 2))])
    made = compensated(out, doubled.T @ doubled, np.arange(6), 1e-9)
    np.testing.assert_allclose(doubled[:, :6] @ made.T, doubled @ out.T, atol=1e-6)
