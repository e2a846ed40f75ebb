"""The chance of a verdict, against runs that are drawn by lot and judged by the verdict itself."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from analysis.power import POWER, Question, blocks_to_settle, chance_to_settle
from analysis.stats import log_distance
from analysis.verdict import Contrast, LogPair, decide

QUESTION = Question(effect=log_distance(0.06), bound=log_distance(0.02), spread=0.03, copy_spread=0.035)


def judged(question: Question, blocks: int, *, verdict: str, runs: int = 800) -> float:
    """Share of simulated runs with this verdict."""
    rng = np.random.default_rng(blocks)
    plain, found = np.zeros(blocks), []
    for _ in range(runs):
        effect = rng.normal(-question.effect, question.spread, blocks)
        copy = rng.normal(0, question.copy_spread, blocks)
        pairs = (LogPair(treated=values, baseline=plain, paired=True) for values in (effect, copy))
        treated, again = pairs
        found.append(decide(Contrast(effect=treated, copies=(again,))).verdict)
    return found.count(verdict) / runs


@pytest.mark.parametrize("blocks", [6, 12])
@pytest.mark.parametrize("copy_spread", [0.01, 0.09])
def test_it_is_how_often_the_verdict_says_saves(blocks: int, copy_spread: float) -> None:
    question = replace(QUESTION, copy_spread=copy_spread)
    assert chance_to_settle(question, blocks) == pytest.approx(
        judged(question, blocks, verdict="saves"), abs=0.04
    )


@pytest.mark.parametrize("copy_spread", [0.005, 0.025])
def test_it_is_how_often_the_verdict_says_equivalent(copy_spread: float) -> None:
    question = replace(QUESTION, effect=log_distance(0.005), spread=0.02, copy_spread=copy_spread)
    assert chance_to_settle(question, 14) == pytest.approx(
        judged(question, 14, verdict="equivalent"), abs=0.04
    )


def test_the_blocks_are_the_fewest_that_do() -> None:
    blocks = blocks_to_settle(QUESTION)
    assert blocks is not None
    assert chance_to_settle(QUESTION, blocks) >= POWER > chance_to_settle(QUESTION, blocks - 1)
    stricter = blocks_to_settle(replace(QUESTION, level=0.98))
    assert stricter is not None
    assert stricter > blocks


def test_close_to_the_threshold_it_takes_many() -> None:
    """A true 3 % against 2 %, noise of 1, 2 and 4 %; told from nothing it would be after 5, 6 and 16."""
    sizes = [
        blocks_to_settle(
            Question(effect=log_distance(0.03), bound=log_distance(0.02), spread=noise, copy_spread=noise)
        )
        for noise in (0.01, 0.02, 0.04)
    ]
    assert sizes == [10, 32, 122]


def test_an_effect_on_the_threshold_is_never_settled() -> None:
    assert blocks_to_settle(replace(QUESTION, effect=QUESTION.bound, spread=0.001)) is None
