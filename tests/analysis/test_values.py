from analysis.values import Estimate
from analysis.words import listed


def test_a_negative_factor_keeps_low_below_high() -> None:
    assert Estimate(2.0, 1.0, 3.0).times(-2) == Estimate(-4.0, -6.0, -2.0)


def test_the_ends_belong_to_the_interval() -> None:
    assert Estimate(2.0, 1.0, 3.0).contains(3.0)
    assert not Estimate(2.0, 1.0, 3.0).contains(3.1)


def test_names_are_listed_as_a_person_would() -> None:
    assert [listed(["a"]), listed(["a", "b"]), listed(["a", "b", "c"])] == ["a", "a and b", "a, b and c"]
