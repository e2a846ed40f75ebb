"""One test for every rule that lowers a grade."""

from dataclasses import replace

import numpy as np
import pytest

from benchmarks.lag import SHAPES, Meter, marked, recording
from energy.grade import WIDEST_BOUND, Facts, grade, mending_s

GOOD = Facts(
    kind="measured",
    boundary="soc_cpu_gpu_ane",
    missing_rails=(),
    faults=(),
    readings=600,
    window_s=60.0,
    placed_s=0.02,
    joules=1000.0,
    bound_j=5.0,
    self_test="passed",
)


def test_all_rails_self_test_and_a_tight_bound_are_metered():
    got = grade(GOOD)
    assert (got.level, str(got)) == (2, "2 metered")
    assert got.reasons == ("no other instrument checks it",)


def test_a_second_source_that_agrees_makes_it_cross_checked():
    assert grade(replace(GOOD, cross_check=True)).level == 3


def test_a_second_source_that_disagrees_keeps_it_metered_and_is_named():
    got = grade(replace(GOOD, cross_check=False))
    assert (got.level, got.reasons) == (2, ("another instrument disagrees",))


def test_an_external_meter_over_the_window_is_wall():
    assert grade(replace(GOOD, boundary="wall", self_test="not run")).level == 4


@pytest.mark.parametrize("kind", ["modelled", "simulated", "replayed"])
def test_what_is_not_measured_is_grade_0_whatever_else_holds(kind: str):
    got = grade(replace(GOOD, kind=kind, cross_check=True, boundary="wall"))
    assert (got.level, got.name) == (0, kind)


@pytest.mark.parametrize(
    ("fact", "reason"),
    [
        ({"missing_rails": ("ane",)}, "rails missing: ane"),
        ({"faults": ("gap",)}, "faults in the window: gap"),
        ({"readings": 9}, "9 readings in the window, 10 are needed"),
        ({"joules": None}, "no joules, or none with a bound"),
        ({"bound_j": None}, "no joules, or none with a bound"),
        ({"bound_j": 20.0}, "known to 20 J of 1e+03 J, 2 % is needed: windows of 85 s would do"),
        (
            {"window_s": 6.0, "placed_s": 0.04},
            "power is placed within 40 ms, 1.3 % of the window at its two edges, less than 1 % is needed: "
            "windows of 8 s would do",
        ),
        ({"self_test": "failed"}, "self-test failed"),
        ({"self_test": "not run"}, "self-test not run"),
        ({"idle_stable": False}, "idle was not stable"),
    ],
)
def test_each_lack_makes_it_sampled_and_is_named(fact: dict, reason: str):
    got = grade(replace(GOOD, cross_check=True, **fact))
    assert (got.level, got.name) == (1, "sampled")
    assert got.reasons == (reason,)


def test_a_wall_meter_with_gaps_is_sampled():
    assert grade(replace(GOOD, boundary="wall", faults=("gap",))).level == 1


def test_every_reason_is_named():
    assert len(grade(replace(GOOD, readings=3, self_test="failed", bound_j=500.0)).reasons) == 3


@pytest.mark.parametrize("shape", SHAPES)
def test_windows_as_long_as_the_reason_says_are_metered(shape: str):
    """Readings of 245 ms, power that jumps between 12 and 35 W, windows that begin and end anywhere."""
    run = recording(Meter(cadence_s=0.245, lag_s=-0.007, rise_s=0.034), *SHAPES[shape], seed=0)
    short = marked(run, 10.0, run.lag, seed=0).bounds
    assert np.mean(short >= WIDEST_BOUND) > 0.9
    told_s = mending_s(10.0, float(np.median(short)))
    assert 15 <= told_s <= 30
    assert np.mean(marked(run, told_s, run.lag, seed=0).bounds < WIDEST_BOUND) >= 0.9
