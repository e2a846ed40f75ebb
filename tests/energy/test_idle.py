import pytest

from energy.idle import judge_idle


def test_idle_that_stays_is_stable():
    idle = judge_idle([3.0, 3.1, 2.95])
    assert idle.stable
    assert idle.mean_w == pytest.approx(3.01667, rel=1e-4)
    assert idle.drift_w == pytest.approx(0.15)


def test_idle_that_moves_by_more_than_a_tenth_is_not():
    idle = judge_idle([3.0, 3.5])
    assert not idle.stable
    assert idle.reason == "idle power moved by 0.50 W, 0.33 W is allowed"


def test_a_fifth_of_a_watt_is_always_allowed():
    assert judge_idle([0.05, 0.2]).stable


@pytest.mark.parametrize("watts", [[], [3.0], [3.0, None]])
def test_idle_that_was_not_measured_is_not_stable(watts):
    idle = judge_idle(watts)
    assert not idle.stable
    assert idle.drift_w is None
