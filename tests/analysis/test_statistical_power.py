"""The chance of a verdict, against runs that are drawn by lot and judged by the verdict itself."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from analysis.effect import LogPair
from analysis.statistical_power import POWER, PowerQuestion, blocks_to_settle, chance_to_settle
from analysis.stats import holm, log_distance
from analysis.verdict import Contrast, settle

QUESTION = PowerQuestion(effect=log_distance(0.06), bound=log_distance(0.02), spread=0.03, copy_spread=0.035)


def judged(question: PowerQuestion, blocks: int, *, verdict: str, runs: int = 2000) -> float:
    """Share of simulated runs with this verdict."""
    rng = np.random.default_rng(blocks)
    found = [settle(drawn(question, blocks, rng))[0] for _ in range(runs)]
    return found.count(verdict) / runs


def drawn(question: PowerQuestion, blocks: int, rng: np.random.Generator) -> Contrast:
    """A run with a saving of this size."""
    effect, copy = (
        LogPair(
            treated=rng.normal(-truth, spread, blocks),
            baseline=np.zeros(blocks),
            paired=True,
            level=question.level,
        )
        for truth, spread in (
            (question.effect, question.spread),
            (question.copy_effect, question.copy_spread),
        )
    )
    return Contrast(effect=effect, copies=(copy,))


@pytest.mark.parametrize("blocks", [6, 12])
@pytest.mark.parametrize("copy_spread", [0.01, 0.09])
def test_it_is_how_often_the_verdict_says_saves(blocks: int, copy_spread: float) -> None:
    question = replace(QUESTION, copy_spread=copy_spread)
    assert chance_to_settle(question, blocks) == pytest.approx(
        judged(question, blocks, verdict="saves"), abs=0.03
    )


@pytest.mark.parametrize("copy_spread", [0.005, 0.025])
def test_it_is_how_often_the_verdict_says_equivalent(copy_spread: float) -> None:
    question = replace(QUESTION, effect=log_distance(0.005), spread=0.02, copy_spread=copy_spread)
    assert chance_to_settle(question, 14) == pytest.approx(
        judged(question, 14, verdict="equivalent"), abs=0.03
    )


@pytest.mark.parametrize("level", [0.95, 0.98])
def test_it_is_how_often_a_copy_that_truly_differs_is_exceeded(level: float) -> None:
    question = replace(QUESTION, copy_effect=0.02, level=level)
    chance = chance_to_settle(question, 10)
    assert chance == pytest.approx(judged(question, 10, verdict="saves"), abs=0.03)
    assert chance < chance_to_settle(replace(question, copy_effect=0.0), 10) - 0.05


def test_it_is_how_often_the_only_saving_among_eight_gates_stands() -> None:
    question, rng, runs = replace(QUESTION, asked=8), np.random.default_rng(8), 1000
    nothing = replace(question, effect=0.0)
    found = []
    for _ in range(runs):
        gates = [drawn(question, 9, rng), *(drawn(nothing, 9, rng) for _ in range(7))]
        p_holm = holm({str(number): gate.p_beyond or 1.0 for number, gate in enumerate(gates)})["0"]
        found.append(settle(gates[0], p_holm=p_holm, asked=8)[0])
    chance = chance_to_settle(question, 9)
    assert chance == pytest.approx(found.count("saves") / runs, abs=0.04)
    assert chance < chance_to_settle(replace(question, asked=1), 9) - 0.1


def test_long_runs_are_summed_as_well_as_short_ones() -> None:
    # the interval alone decides, its deviation is known: 1 - Phi(1.96 - (effect - bound) / error)
    question = PowerQuestion(effect=0.0212, bound=0.0202, spread=0.03, copy_spread=0.03)
    assert chance_to_settle(question, 3000) == pytest.approx(0.4468, abs=0.001)


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
            PowerQuestion(
                effect=log_distance(0.03), bound=log_distance(0.02), spread=noise, copy_spread=noise
            )
        )
        for noise in (0.01, 0.02, 0.04)
    ]
    assert sizes == [10, 32, 122]


def test_an_effect_on_the_threshold_is_never_settled() -> None:
    assert blocks_to_settle(replace(QUESTION, effect=QUESTION.bound, spread=0.001)) is None
