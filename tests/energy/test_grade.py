"""One test for every rule that lowers a grade."""

from dataclasses import replace

import pytest

from energy.grade import Facts, grade, why_not_rankable

GOOD = Facts(
    kind="measured",
    boundary="soc_cpu_gpu_ane",
    missing_rails=(),
    faults=(),
    readings=600,
    joules=1000.0,
    bound_j=5.0,
    self_test="passed",
)


def test_all_rails_self_test_and_a_tight_bound_are_metered():
    found = grade(GOOD)
    assert (found.level, str(found)) == (2, "2 metered")
    assert found.reasons == ("no second source checks it",)


def test_a_second_source_that_agrees_makes_it_cross_checked():
    assert grade(replace(GOOD, cross_check=True)).level == 3


def test_a_second_source_that_disagrees_keeps_it_metered_and_is_named():
    found = grade(replace(GOOD, cross_check=False))
    assert (found.level, found.reasons) == (2, ("a second source disagrees",))


def test_an_external_meter_over_the_window_is_wall():
    assert grade(replace(GOOD, boundary="wall", self_test="not run")).level == 4


@pytest.mark.parametrize("kind", ["modelled", "simulated", "replayed"])
def test_what_is_not_measured_is_grade_0_whatever_else_holds(kind: str):
    found = grade(replace(GOOD, kind=kind, cross_check=True, boundary="wall"))
    assert (found.level, found.name) == (0, kind)


@pytest.mark.parametrize(
    ("fact", "reason"),
    [
        ({"missing_rails": ("ane",)}, "rails missing: ane"),
        ({"faults": ("gap",)}, "faults in the window: gap"),
        ({"readings": 9}, "9 readings in the window, 10 are needed"),
        ({"joules": None}, "no joules, or none with a bound"),
        ({"bound_j": None}, "no joules, or none with a bound"),
        ({"bound_j": 20.0}, "known to 20 J of 1e+03 J, 2 % is needed"),
        ({"self_test": "failed"}, "self-test failed"),
        ({"self_test": "not run"}, "self-test not run"),
        ({"idle_stable": False}, "idle was not stable"),
    ],
)
def test_each_lack_makes_it_sampled_and_is_named(fact: dict, reason: str):
    found = grade(replace(GOOD, cross_check=True, **fact))
    assert (found.level, found.name) == (1, "sampled")
    assert found.reasons == (reason,)


def test_a_wall_meter_with_gaps_is_sampled():
    assert grade(replace(GOOD, boundary="wall", faults=("gap",))).level == 1


def test_every_reason_is_named():
    assert len(grade(replace(GOOD, readings=3, self_test="failed", bound_j=500.0)).reasons) == 3


def test_figures_of_one_boundary_and_measured_may_be_ranked():
    assert why_not_rankable([(grade(GOOD), "package"), (grade(GOOD), "package")]) is None


@pytest.mark.parametrize("kind", ["modelled", "simulated", "replayed"])
def test_what_is_not_measured_is_never_ranked_with_what_is(kind: str):
    unmeasured = grade(replace(GOOD, kind=kind))
    reason = why_not_rankable([(grade(GOOD), "package"), (unmeasured, "package")])
    assert reason == f"{kind} figures can't be ranked with measured ones"
    assert why_not_rankable([(unmeasured, "package"), (unmeasured, "package")]) is None


def test_different_boundaries_are_never_ranked_together():
    reason = why_not_rankable([(grade(GOOD), "wall"), (grade(GOOD), "package")])
    assert reason == "they cover different things: package, wall"
