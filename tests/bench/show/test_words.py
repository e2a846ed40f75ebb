"""How figures are worded."""

from __future__ import annotations

import pytest

from bench.show.words import percent_range


@pytest.mark.parametrize(
    ("low", "high", "said"),
    [
        (42.2, 46.8, "42 to 47 %"),
        (33.81, 34.32, "33.8 to 34.3 %"),
        (33.91, 34.02, "33.9 to 34.0 %"),
        (-3.2, 12.0, "-3 to 12 %"),
        (-0.01, 0.3, "0.0 to 0.3 %"),
        (None, 1.0, None),
    ],
)
def test_an_interval_has_ends_that_differ_and_no_minus_zero(
    low: float | None, high: float | None, said: str | None
) -> None:
    assert percent_range(low, high) == said
