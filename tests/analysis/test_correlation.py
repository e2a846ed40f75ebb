from itertools import permutations

import numpy as np
import pytest
from scipy import stats

from analysis.correlation import (
    Coefficient,
    Correlation,
    Permutation,
    correlate,
    distinct_rows,
    from_r,
    partial,
    permutation_p,
    shuffled_table_p,
)
from analysis.values import Withheld

RNG = np.random.default_rng(0)
X = RNG.normal(size=30)
Y = 0.5 * X + RNG.normal(size=30)


def found(x: np.ndarray, y: np.ndarray) -> Correlation:
    answer = correlate(x, y)
    assert isinstance(answer, Correlation)
    return answer


def test_pearson_is_scipys() -> None:
    mine, theirs = found(X, Y).pearson, stats.pearsonr(X, Y)
    ends = theirs.confidence_interval(0.95)
    assert mine.p == pytest.approx(theirs.pvalue)
    assert (mine.value.point, mine.value.low, mine.value.high) == pytest.approx(
        (theirs.statistic, ends.low, ends.high)
    )


def test_repeating_rows_changes_only_the_nominal_figures() -> None:
    once, often = found(X, Y), found(np.tile(X, 40), np.tile(Y, 40))
    assert once.nominal is None
    assert often.distinct == 30
    assert often.rows == 1200
    assert often.pearson == once.pearson
    assert often.permutation == once.permutation
    assert often.nominal is not None
    assert often.nominal.p < once.pearson.p / 1000


def test_rows_that_differ_by_rounding_are_one_row() -> None:
    values = np.array([1e-9, 1e9, -3.0, 0.0])
    assert len(distinct_rows(np.concatenate([values, values * (1 + 1e-13)]))) == 4


def test_five_points_are_permuted_exactly() -> None:
    answer = permutation_p(X[:5], Y[:5])
    r = abs(np.corrcoef(X[:5], Y[:5])[0, 1])
    mine = [abs(np.corrcoef(X[list(order)], Y[:5])[0, 1]) >= r - 1e-12 for order in permutations(range(5))]
    assert answer == Permutation(p=float(np.mean(mine)), permutations=120, exact=True)


def test_many_points_are_permuted_by_lot() -> None:
    answer = permutation_p(X, Y)
    assert not answer.exact
    assert answer.p == pytest.approx(stats.pearsonr(X, Y).pvalue, abs=0.01)


def test_r_alone_gives_its_p() -> None:
    assert from_r(float(stats.pearsonr(X, Y).statistic), rows=30).p == pytest.approx(
        stats.pearsonr(X, Y).pvalue
    )


def test_partial_correlation_is_that_of_the_matrix_inverse() -> None:
    z = X + 0.5 * RNG.normal(size=30)
    answer = partial(X, Y, {"z": z})
    assert isinstance(answer, Coefficient)
    inverse = np.linalg.inv(np.corrcoef([X, Y, z]))
    assert answer.value.point == pytest.approx(-inverse[0, 1] / np.sqrt(inverse[0, 0] * inverse[1, 1]))


def test_a_column_that_the_covariate_explains_has_no_partial_correlation() -> None:
    assert isinstance(partial(X, Y, {"twice": 2 * X + 1}), Withheld)
    assert isinstance(partial(X[:4], Y[:4], {"z": X[4:8]}), Withheld)


def test_too_few_or_constant_points_are_refused() -> None:
    assert isinstance(correlate(np.tile(X[:3], 40), np.tile(Y[:3], 40)), Withheld)
    assert isinstance(correlate(np.ones(30), Y), Withheld)
    assert isinstance(correlate(np.array([]), np.array([])), Withheld)


def test_the_shuffled_table_tries_all_tables() -> None:
    table = {1: 0.3, 5: 0.5, 7: 0.9}
    residues = [1, 5, 7, 1, 5, 7, 7]
    y = np.array([1.0, 2.0, 4.0, 1.2, 2.2, 3.5, 3.9])
    x = np.array(
        [
            [dict(zip(table, values, strict=True))[n] for n in residues]
            for values in permutations(table.values())
        ]
    )
    r = np.abs([np.corrcoef(row, y)[0, 1] for row in x])
    answer = shuffled_table_p(table, residues, y)
    assert answer == Permutation(p=float(np.mean(r >= r[0] - 1e-12)), permutations=6, exact=True)


def test_eight_values_have_40320_tables() -> None:
    table = {n: float(v) for n, v in zip((1, 5, 7, 11, 13, 17, 19, 23), RNG.normal(size=8), strict=True)}
    residues = list(RNG.choice(list(table), 500))
    answer = shuffled_table_p(table, residues, RNG.normal(size=500))
    assert isinstance(answer, Permutation)
    assert answer.permutations == 40_320
    assert 0 < answer.p <= 1


def test_a_residue_without_a_value_is_refused() -> None:
    assert isinstance(shuffled_table_p({1: 0.3, 5: 0.5}, [1, 5, 2], np.arange(3.0)), Withheld)
