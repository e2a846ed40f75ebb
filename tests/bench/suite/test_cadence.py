"""A plan for the cadence of its meter."""

import pytest

from bench.suite.cadence import NEEDS, changes, sentence, stretched
from bench.suite.config import Protocol
from bench.suite.prepare import ONE_PASS_S

QUICK = Protocol(min_window_s=6.0, idle_s=1.6, cool_down_s=0.5, self_test_s=2.0)


def test_a_slow_meter_lengthens_what_would_hold_too_few_readings() -> None:
    found = stretched(QUICK, 0.245)
    longer = changes(QUICK, found)
    assert longer == {
        "min_window_s": 11.4,
        "idle_s": 3.1,
        "cool_down_s": 0.8,
        "self_test_s": 3.0,
    }
    assert sentence(longer, cadence_s=0.245) == (
        "a reading every 245 ms: windows lengthened to 11.4 s, idle to 3.1 s, rest to 0.8 s, self-test to 3 s"
    )


@pytest.mark.parametrize("cadence_s", [0.1, 0.116, 0.13])
def test_the_usual_meter_changes_nothing_and_nothing_is_said(cadence_s: float) -> None:
    found = stretched(QUICK, cadence_s)
    assert found == QUICK
    assert changes(QUICK, found) == {}


def test_lengths_that_hold_enough_stay() -> None:
    assert changes(Protocol(), stretched(Protocol(), 0.245)) == {}


@pytest.mark.parametrize("cadence_s", [0.116, 0.245, 0.4713, 2.1])
def test_a_plan_that_fits_already_is_left_alone(cadence_s: float) -> None:
    once = stretched(QUICK, cadence_s)
    assert stretched(once, cadence_s) == once


def test_a_suite_may_say_what_it_is_written_for() -> None:
    slow = QUICK.model_copy(update={"reading_s": 0.245, "idle_s": 3.0, "self_test_s": 3.0})
    assert changes(slow, stretched(slow, 0.245)) == {}


def test_a_window_of_one_pass_stays_one() -> None:
    assert stretched(QUICK.model_copy(update={"min_window_s": ONE_PASS_S}), 0.245).min_window_s == ONE_PASS_S


def test_every_length_is_one_of_the_protocol() -> None:
    assert set(NEEDS) <= set(Protocol.model_fields)
