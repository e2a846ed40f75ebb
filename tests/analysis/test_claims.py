from dataclasses import replace

import pytest

from analysis.arms import tokens_saved
from analysis.claims import ChangeParts, ClaimVerdict, judge_rerun, judge_tokens, parts_of, percent_change
from analysis.values import Estimate, Withheld
from tests.analysis.slots import judged, run_slots


def test_a_change_is_in_per_cent() -> None:
    assert percent_change(107, 250) == pytest.approx(-57.2)


@pytest.mark.parametrize(
    ("published", "run", "verdict", "says"),
    [
        (-53.0, {"ratio": 0.47}, "reproduced", "noise (A/A)"),
        (-53.0, {"ratio": 1.0, "noise": 0.005}, "not reproduced", "equivalent"),
        (-53.0, {"ratio": 0.8}, "not reproduced", "saves; the interval does not hold"),
        (-53.0, {"ratio": 1.5}, "not reproduced", "costs"),
        (-53.0, {"ratio": 1.0, "noise": 0.1}, "not reproduced", "inconclusive"),
        (-53.0, {"ratio": 0.47, "blocks": 2}, "not testable here", "2 whole blocks are not enough"),
        (-10.0, {"ratio": 0.9, "noise": 0.2}, "reproduced but inside the A/A error", "noise (A/A)"),
        (-4.0, {"ratio": 0.96, "noise": 0.025}, "not testable here", "across the threshold"),
        (-0.47, {"ratio": 1.0, "noise": 0.005}, "reproduced", "within 2 % of 1"),
    ],
)
def test_a_rerun_is_judged(published: float, run: dict[str, float], verdict: ClaimVerdict, says: str) -> None:
    rerun = judge_rerun(published, judged(run_slots(**run)))  # type: ignore[arg-type]
    assert rerun.verdict == verdict
    assert says in rerun.why


@pytest.mark.parametrize(
    ("run", "verdict"),
    [
        ({"ratio": 0.47}, "reproduced"),
        ({"ratio": 1.0, "noise": 0.005}, "not reproduced"),
        ({"ratio": 1.5}, "not reproduced"),
        ({"ratio": 0.96, "noise": 0.1}, "not testable here"),
        ({"ratio": 0.47, "blocks": 2}, "not testable here"),
    ],
)
def test_a_claimed_direction_needs_a_saving(run: dict[str, float], verdict: ClaimVerdict) -> None:
    rerun = judge_rerun(None, judged(run_slots(**run)))  # type: ignore[arg-type]
    assert rerun.verdict == verdict


def test_a_change_is_shown_only_with_a_verdict() -> None:
    found = judge_rerun(-53.0, judged(run_slots(ratio=0.47))).change_percent
    assert isinstance(found, Estimate)
    assert found.low < found.point < found.high < 0
    assert found.point == pytest.approx(-53.0, abs=1)
    assert judge_rerun(-53.0, judged(run_slots(blocks=2))).change_percent is None


@pytest.mark.parametrize(
    ("published", "tokens", "verdict"),
    [
        (-57.2, 0.428, "reproduced"),
        (-57.2, 0.5, "not reproduced"),
        (None, 0.5, "reproduced"),
        (None, 0.996, "not reproduced"),
    ],
)
def test_tokens_are_counted(published: float | None, tokens: float, verdict: ClaimVerdict) -> None:
    saved = tokens_saved(run_slots(tokens=tokens), treated="gated", baseline="ungated")
    found = judge_tokens(published, saved)
    assert found.verdict == verdict
    assert found.judgement is None


def test_prompt_tokens_count_where_tokens_processed_are_claimed() -> None:
    """They are the same in both arms, so less is saved of all tokens than of new ones."""
    saved = tokens_saved(run_slots(tokens=0.428), treated="gated", baseline="ungated")
    new, processed = (judge_tokens(-57.2, saved, processed=processed) for processed in (False, True))
    assert isinstance(new.change_percent, float)
    assert isinstance(processed.change_percent, float)
    assert new.change_percent < processed.change_percent < 0


def test_a_change_of_energy_is_taken_apart_into_time_and_power() -> None:
    before, after = (
        replace(run_slots()[0], gross_j=gross_j, seconds_s=seconds_s)
        for gross_j, seconds_s in ((0.080 * 2.12, 2.12), (0.072 * 0.81, 0.81))
    )
    found = parts_of(after, before)
    assert isinstance(found, ChangeParts)
    assert found.time_percent == pytest.approx(-61.8, abs=0.05)
    assert found.power_percent == pytest.approx(-10)
    assert found.energy_percent == pytest.approx(-65.6, abs=0.05)
    assert isinstance(parts_of(replace(after, gross_j=None), before), Withheld)
    assert isinstance(parts_of(None, before), Withheld)


def test_no_tokens_no_verdict() -> None:
    assert judge_tokens(-57.2, Withheld("no request")).verdict == "not testable here"
