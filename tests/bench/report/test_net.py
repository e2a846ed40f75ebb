"""Joules above idle."""

from __future__ import annotations

import pytest

from bench.report.slots import Idle


@pytest.mark.parametrize(
    ("idle_w", "gross_j", "net_j"),
    [
        ([2.0, 2.0], 50.0, 30.0),
        ([2.0, 2.0], 20.0, None),  # nothing is left
        ([2.0, 3.0], 50.0, None),  # it drifted
        ([None, None], 50.0, None),  # it was not measured
        ([2.0, 2.0], None, None),
    ],
)
def test_net_is_withheld_without_a_stable_idle_or_when_nothing_is_left(
    idle_w: list[float | None], gross_j: float | None, net_j: float | None
) -> None:
    assert Idle(idle_w).net_j(gross_j, seconds_s=10.0) == net_j
