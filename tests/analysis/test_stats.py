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


def test_equivalence_is_two_one_sided_t_tests() -> None:
    rows = np.random.default_rng(3).normal(0.004, 0.01, 9)
    bound = -np.log(0.98)
    lower = scipy_stats.ttest_1samp(rows, -bound, alternative="greater").pvalue
    upper = scipy_stats.ttest_1samp(rows, bound, alternative="less").pvalue
    assert stats.equivalence_p(rows, 0.02) == pytest.approx(max(lower, upper))
    assert stats.equivalence_p(-rows, 0.02) == pytest.approx(max(lower, upper))


def test_equivalence_keeps_its_error_at_the_bound() -> None:
    rows = np.random.default_rng(4).normal(np.log(0.98), 0.01, (2000, 6))
    assert np.mean([stats.equivalence_p(row, 0.02) < 0.05 for row in rows]) < 0.065


def test_the_blocks_asked_for_do_settle_it() -> None:
    rng = np.random.default_rng(5)
    seen = np.log(0.96) + 0.04 * scipy_stats.zscore(rng.normal(size=6), ddof=1)
    blocks = stats.blocks_to_settle(seen, 0.02)
    assert blocks is not None
    again = stats.t_interval(rng.normal(np.log(0.96), 0.04, (2000, blocks)))
    assert np.mean(again.high < np.log(0.98)) == pytest.approx(stats.POWER, abs=0.04)


def test_no_number_of_blocks_settles_an_effect_on_the_threshold() -> None:
    seen = np.log(0.98) + 0.04 * np.array([-1.0, 1.0, -1.0, 1.0, 0.0])
    assert stats.blocks_to_settle(seen, 0.02) is None


def test_geometric_mean_refuses_what_has_no_logarithm() -> None:
    assert isinstance(stats.geometric_mean(np.array([1.0, 0.0])), Withheld)
    assert isinstance(stats.geometric_mean(np.array([1.0])), Withheld)
