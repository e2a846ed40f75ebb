"""Minutes -> blocks and windows."""

from __future__ import annotations

from dataclasses import replace

import pytest

from analysis.sizing import Noise
from bench.cli.init.fitting import (
    PROMPTS,
    WINDOWS_S,
    SuitePace,
    caution,
    lengths,
    plan_of,
    prompts_for,
    sentence,
    size,
)
from bench.errors import UserError
from bench.suite.cadence import stretched
from energy.cadence import LEAST_READINGS, SETTLED_READINGS, USUAL_S, WORTH

NOISE = Noise(seen=0.015, planned=0.02, blocks=6)
PACE = SuitePace(request_s=2.0, gap_s=0.5, startup_s=30.0)


def test_with_enough_time_it_takes_windows_for_a_claim_and_no_more_blocks_than_needed() -> None:
    sized = size(600, arms=4, asked=2, pace=PACE, noise=NOISE, change=0.04)
    assert (sized.window_s, sized.blocks, sized.wanted_blocks) == (60.0, 10, 10)
    assert sized.fits > 10
    assert sized.run_s == sized.wanted_s
    assert "That fits into the 600 min you have" in sentence(sized, minutes=600)


def test_with_less_time_it_takes_what_fits_and_says_what_can_be_told() -> None:
    sized = size(60, arms=4, asked=2, pace=PACE, noise=NOISE, change=0.04)
    assert 5 <= sized.blocks < 10
    assert sized.run_s <= 60 * 60
    assert sized.least_change is not None
    assert sized.least_change > 0.04
    text = sentence(sized, minutes=60)
    assert text.startswith("A saving of 4 % needs 10 blocks = ")
    assert f"In the 60 min you have, {sized.blocks} blocks: savings of " in text


def test_windows_get_shorter_before_blocks_get_fewer_than_five() -> None:
    sized = size(15, arms=4, asked=2, pace=PACE, noise=NOISE, change=0.04)
    assert sized.blocks >= 5
    assert sized.window_s in WINDOWS_S[1:]
    assert sized.idle_s == pytest.approx(sized.window_s / 3)


def test_too_little_time_says_how_much_would_do() -> None:
    with pytest.raises(UserError, match=r"5 blocks of 8 windows need (\d+) min here") as refused:
        size(3, arms=4, asked=2, pace=PACE, noise=NOISE, change=0.04)
    least = float(str(refused.value).partition("--minutes ")[2].partition(",")[0])
    assert size(least, arms=4, asked=2, pace=PACE, noise=NOISE, change=0.04).blocks >= 5


def test_a_question_that_no_run_answers_is_called_one() -> None:
    sized = size(60, arms=4, asked=2, pace=PACE, noise=replace(NOISE, planned=0.9), change=0.02)
    assert sized.wanted_blocks is None
    assert "gets no verdict here, however long the run" in sentence(sized, minutes=60)


def test_a_pass_fits_into_a_window_where_it_can() -> None:
    assert prompts_for(60.0, PACE) == 30
    assert prompts_for(60.0, replace(PACE, request_s=0.01)) == PROMPTS[1]
    assert prompts_for(60.0, replace(PACE, request_s=100.0)) == PROMPTS[0]
    slow = replace(PACE, request_s=100.0)
    block_s, fixed_s = lengths(plan_of(60.0, slow), arms=2, pace=slow)
    assert block_s == pytest.approx(4 * (600 + 1 + 0.5) + 20)
    assert fixed_s > PACE.startup_s


@pytest.mark.parametrize("reading_s", [0.116, 0.245, 2.0])
@pytest.mark.parametrize("window_s", WINDOWS_S)
def test_windows_and_idle_hold_as_many_readings_as_with_a_usual_meter(
    window_s: float, reading_s: float
) -> None:
    plan = plan_of(window_s, replace(PACE, reading_s=reading_s))
    usual = plan_of(window_s, PACE)
    assert plan.min_window_s / reading_s >= min(usual.min_window_s / USUAL_S, SETTLED_READINGS) / WORTH
    assert plan.idle_s / reading_s >= LEAST_READINGS
    assert stretched(plan, reading_s) == plan


def test_windows_of_too_few_readings_for_grade_2_are_cautioned_of() -> None:
    slow = replace(PACE, reading_s=0.245)
    sized = size(20, arms=4, asked=2, pace=slow, noise=NOISE, change=0.04)
    assert sized.window_s < 24.5
    assert caution(sized, slow) == (
        " Windows below 25 s may be graded 1: a reading comes every 245 ms, and their edges weigh too much."
    )
    assert caution(size(600, arms=4, asked=2, pace=slow, noise=NOISE, change=0.04), slow) == ""
