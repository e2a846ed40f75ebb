import numpy as np
import pytest
from scipy import stats as scipy_stats

from analysis import stats
from analysis.values import Withheld


def test_t_interval_is_scipys() -> None:
    rows = np.random.default_rng(0).normal(0.1, 0.02, (3, 7))
    mine = stats.t_interval(rows)
    theirs = scipy_stats.ttest_1samp(rows, 0, axis=-1).confidence_interval(0.95)
    np.testing.assert_allclose(mine.low, theirs.low)
    np.testing.assert_allclose(mine.high, theirs.high)


@pytest.mark.parametrize("blocks", [5, 10, 20])
def test_t_covers_what_it_promises_and_bca_does_not_on_five_blocks(blocks: int) -> None:
    rows = np.random.default_rng(blocks).normal(0, 0.02, (4000, blocks))
    covered = np.mean([(i.low <= 0) & (i.high >= 0) for i in [stats.t_interval(rows)]])
    assert 0.93 <= covered <= 0.97
    if blocks == 5:
        bca = stats.bca_interval(rows, resamples=999)
        assert np.mean((bca.low <= 0) & (bca.high >= 0)) < 0.9


def test_bca_is_the_same_each_time_and_for_each_row_alone() -> None:
    rows = np.random.default_rng(1).normal(0, 0.02, (2, 8))
    together, alone = stats.bca_interval(rows), stats.bca_interval(rows[1])
    assert together.low[1] == pytest.approx(float(alone.low))
    assert together.high[1] == pytest.approx(float(alone.high))


def test_welch_interval_is_scipys() -> None:
    rng = np.random.default_rng(2)
    first, second = rng.normal(0.1, 0.02, (3, 8)), rng.normal(0.0, 0.05, (3, 12))
    mine = stats.welch_interval(first, second)
    test = scipy_stats.ttest_ind(first, second, axis=-1, equal_var=False)
    theirs = test.confidence_interval(0.95)
    np.testing.assert_allclose(mine.low, theirs.low)
    np.testing.assert_allclose(mine.high, theirs.high)


def test_repeats_without_spread_have_an_interval_without_width() -> None:
    mine = stats.welch_interval(np.full(3, 0.5), np.full(4, 0.25))
    assert (mine.low, mine.high) == (0.25, 0.25)


def test_geometric_mean_refuses_what_has_no_logarithm() -> None:
    assert isinstance(stats.geometric_mean(np.array([1.0, 0.0])), Withheld)
    assert isinstance(stats.geometric_mean(np.array([1.0])), Withheld)


def test_a_fraction_and_its_distance_are_inverse() -> None:
    assert stats.log_distance(0.02) == pytest.approx(-np.log(0.98))
    assert stats.fraction_of(stats.log_distance(0.3)) == pytest.approx(0.3)


def test_holm_never_falls_below_the_one_before() -> None:
    assert stats.holm({"a": 0.01, "b": 0.04, "c": 0.03}) == pytest.approx({"a": 0.03, "c": 0.06, "b": 0.06})
    assert stats.holm({"a": 0.9, "b": 0.8}) == {"a": 1.0, "b": 1.0}


def test_a_percentile_needs_a_sample_beyond_it() -> None:
    assert stats.percentile([], 50) is None
    assert stats.percentile([3.0], 50) == 3
    assert stats.percentile([1.0] * 19, 95) is None
    assert stats.percentile([1.0] * 19 + [2.0], 95) == pytest.approx(1.05)
    assert stats.percentile([1.0] * 99, 99) is None
    assert stats.percentile([float(n) for n in range(101)], 99) == 99
