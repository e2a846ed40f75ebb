"""Windows and readings become joules with a grade, or a reason; unlike joules are never compared."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from bench.run.joules import MeterTrust, Readings, Sources, joules_of
from energy.base import Fault, Kind, SourceInfo, Trace

INFO = SourceInfo(
    name="powermetrics",
    kind="measured",
    rails=("cpu", "gpu"),
    boundary="soc_cpu_gpu_ane",
    interval_s=0.1,
    resolution_j=0.001,
)
PASSED = MeterTrust(self_test="passed", idle_stable=True)


def readings(watts: tuple[float, float] = (2.0, 3.0), *, kind: Kind = "measured", **changes: Any) -> Readings:
    """A minute of steady readings, ten a second."""
    end_s = np.arange(1, 601) * 0.1
    joules = np.tile(np.array(watts) * 0.1, (600, 1))
    trace = Trace(("cpu", "gpu"), end_s - 0.1, end_s, joules, 0.0)
    return Readings(replace(trace, **changes), replace(INFO, kind=kind))


def one(
    lead: Readings, *others: Readings, trust: MeterTrust = PASSED, window: tuple[float, float] = (10, 40)
) -> Any:
    return joules_of([window], Sources(lead, others), trust)[0]


def test_a_whole_window_has_the_joules_of_all_rails_and_is_metered() -> None:
    found = one(readings())
    assert found.total_j == pytest.approx(150.0)
    assert found.rails_j == {"cpu": pytest.approx(60.0), "gpu": pytest.approx(90.0)}
    assert (found.grade, found.grade_name) == (2, "metered")
    assert found.withheld is None


@pytest.mark.parametrize("kind", ["modelled", "simulated", "replayed"])
def test_what_was_not_measured_is_grade_0_whatever_else_holds(kind: Kind) -> None:
    found = one(readings(kind=kind), readings(kind=kind))
    assert (found.grade, found.grade_name, found.kind) == (0, kind, kind)


def other_instrument(watts: tuple[float, float]) -> Readings:
    made = readings(watts)
    return replace(made, info=replace(made.info, name="another chip's meter"))


def test_another_instrument_that_agrees_makes_it_cross_checked() -> None:
    assert one(readings(), other_instrument((2.01, 3.01))).grade_name == "cross-checked"


def test_another_instrument_that_disagrees_does_not() -> None:
    found = one(readings(), other_instrument((2.5, 3.0)))
    assert found.grade_name == "metered"
    assert "disagrees" in found.grade_reasons[0]


@pytest.mark.parametrize(("watts", "word"), [((2.01, 3.01), "agree"), ((2.5, 3.0), "disagree")])
def test_the_same_counters_read_twice_are_consistent_at_best(watts: tuple[float, float], word: str) -> None:
    second = readings(watts)
    second = replace(second, info=replace(second.info, name="ioreport"))
    found = one(readings(), second)
    assert found.grade_name == "metered"
    assert f"read by two tools, {word}:" in found.grade_reasons[1]


@pytest.mark.parametrize(
    ("trust", "reason"),
    [
        (MeterTrust(self_test="failed", idle_stable=True), "self-test failed"),
        (MeterTrust(self_test="not run", idle_stable=True), "self-test not run"),
        (MeterTrust(self_test="passed", idle_stable=False), "idle was not stable"),
    ],
)
def test_a_meter_that_is_not_trusted_is_only_sampled(trust: MeterTrust, reason: str) -> None:
    found = one(readings(), trust=trust)
    assert found.grade == 1
    assert reason in found.grade_reasons
    assert found.total_j == pytest.approx(150.0)


def test_a_fault_in_the_window_withholds_its_joules_and_names_it() -> None:
    fault = Fault(kind="gap", start_s=20.0, end_s=20.5, detail="0.5 s without a reading")
    found = one(readings(faults=(fault,)))
    assert found.total_j is None
    assert found.withheld == "gap: 0.5 s without a reading"
    assert found.grade == 1
    assert one(readings(faults=(fault,)), window=(30, 50)).total_j is not None


def test_a_dead_rail_is_null_and_so_is_the_sum() -> None:
    joules = np.tile([0.2, np.nan], (600, 1))
    fault = Fault(kind="dead rail", start_s=0.0, end_s=60.0, detail="gpu read zero at work", rail="gpu")
    found = one(readings(joules=joules, faults=(fault,)))
    assert found.rails_j == {"cpu": pytest.approx(60.0), "gpu": None}
    assert found.total_j is None
    assert found.withheld == "the rail gpu is missing: gpu read zero at work"


def test_under_ten_readings_joules_are_withheld() -> None:
    found = one(readings(), window=(10.0, 10.85))
    assert found.total_j is None
    assert "9 readings" in (found.withheld or "")


def test_beyond_the_readings_there_is_nothing() -> None:
    assert one(readings(), window=(50, 70)).total_j is None
