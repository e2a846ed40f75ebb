"""Percentiles of seconds between tokens."""

import pytest

from analysis.latency import percentile


def test_a_percentile_needs_a_sample_beyond_it() -> None:
    assert percentile([], 50) is None
    assert percentile([3.0], 50) == 3
    assert percentile([1.0] * 19, 95) is None
    assert percentile([1.0] * 19 + [2.0], 95) == pytest.approx(1.05)
    assert percentile([1.0] * 99, 99) is None
    assert percentile([float(n) for n in range(101)], 99) == 99
