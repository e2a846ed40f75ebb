"""The answer of a run: every sentence against the verdict that it tells."""

from __future__ import annotations

import re
from collections import Counter

import numpy as np
import pytest
from scipy import stats

from analysis.effect import FEWEST_BLOCKS
from analysis.verdict import INACTIVE
from bench.report.answer import NOISE_IS, Answer, Comparison
from bench.report.summary import Summary
from bench.show.words import short_percent
from tests.bench.report.random_runs import random_stories
from tests.bench.report.sentence_rules import check


@pytest.fixture(scope="module")
def told() -> list[tuple[Summary, Answer]]:
    return [(story.summary, story.answer) for story in random_stories()]


def _texts(answer: Answer) -> list[str]:
    said = [sentence.text for sentence in answer.sentences]
    return [
        *said,
        answer.noise,
        answer.headline,
        answer.trust.text,
        *([answer.strip] if answer.strip else []),
    ]


def test_no_sentence_is_badly_put(told: list[tuple[Summary, Answer]]) -> None:
    for text in (text for _, answer in told for text in _texts(answer)):
        check(text)


def _sentence(answer: Answer, one: Comparison) -> str:
    about = re.compile(rf"(Whether )?{re.escape(one.name)} (takes|is not|and|changed)")
    (found,) = [s.text for s in answer.sentences if s.kind == "comparison" and about.match(s.text)]
    return found


def test_every_comparison_is_told_as_its_verdict_is(told: list[tuple[Summary, Answer]]) -> None:
    seen: Counter[str] = Counter()
    for _, answer in told:
        for one in answer.comparisons:
            text = _sentence(answer, one)
            seen[one.verdict] += 1
            if one.verdict in ("saves", "costs"):
                assert one.saved_percent is not None
                assert (one.saved_percent > 0) == (one.verdict == "saves")
                less = "less" if one.verdict == "saves" else "more"
                assert f"takes {short_percent(abs(one.saved_percent))} {less} than {one.against}" in text
            elif one.verdict == "equivalent":
                assert "takes as much as" in text
            else:
                assert re.search(
                    "so far: a claim needs|yet: a claim needs|is open|are not compared|changed nothing", text
                )
            if one.verdict == "inconclusive":
                assert "would settle it" in text
                assert (one.blocks_to_settle is None) == ("no number of blocks" in text)
            if one.verdict in ("saves", "costs", "equivalent"):
                assert ("same answers" in text) == (one.same_answers == one.prompts)
    assert (
        min(seen[v] for v in ("saves", "costs", "equivalent", "inconclusive", "not enough blocks")) >= 10
    ), seen
    assert INACTIVE not in seen


def test_a_control_is_told_beside_every_gate_that_has_one(told: list[tuple[Summary, Answer]]) -> None:
    seen: Counter[str | None] = Counter()
    for summary, answer in told:
        rows = {row.label: row for row in summary.rows}
        controls = [one for one in answer.comparisons if one.control]
        assert len(controls) == sum(row.control is not None for row in summary.rows)
        said = [s.text for s in answer.sentences if s.kind == "control"]
        assert len(said) == len(controls)
        for one in controls:
            assert one.control is not None
            seen[one.control.verdict] += 1
            assert one.control.saved_percent == rows[one.control.name].joules_saved_percent
            (text,) = [text for text in said if one.control.name in text and f"of {one.name} " in text]
            worth = {"saves": "less than chance", "costs": "more than chance", "equivalent": "no better"}
            assert worth.get(one.control.verdict or "", "is open") in text
    assert min(seen[verdict] for verdict in ("saves", "costs", "equivalent")) >= 3, seen


def test_nothing_is_claimed_on_joules_that_no_meter_read(told: list[tuple[Summary, Answer]]) -> None:
    unmetered = [answer for summary, answer in told if not any(row.grade for row in summary.rows)]
    assert len(unmetered) > 50
    for answer in unmetered:
        assert answer.strip is not None
        assert "no claim" in answer.strip or "No joules" in answer.strip
        assert all(sentence.severity != "claim" for sentence in answer.sentences)
        assert not any(one.is_claim for one in answer.comparisons)
        assert answer.trust.command == "bench doctor"


def test_a_measured_run_names_the_command_that_gets_further(told: list[tuple[Summary, Answer]]) -> None:
    for summary, answer in told:
        if not any(row.grade for row in summary.rows):
            continue
        blocks = max(row.windows for row in summary.rows) // 2
        needed = re.search(r"--blocks (\d+)", answer.trust.command)
        assert answer.strip is None or "No joules" in answer.strip
        if blocks and needed:
            assert int(needed[1]) >= FEWEST_BLOCKS
        for one in answer.comparisons:
            if one.blocks_to_settle and blocks >= FEWEST_BLOCKS and needed:
                assert int(needed[1]) >= one.blocks_to_settle


def test_the_noise_is_the_floor_of_the_rows(told: list[tuple[Summary, Answer]]) -> None:
    for summary, answer in told:
        for row in (row for row in summary.rows if row.a_a and row.noise_percent is not None):
            assert short_percent(row.noise_percent) in answer.noise
            assert ("95 %)" in answer.noise) or ("no 95 % interval" in answer.noise)


def test_the_noise_is_what_it_is_said_to_be() -> None:
    """Difference and one-sided reach of A/A, by hand; `NOISE_IS` says so, and nobody else says otherwise."""
    assert "one-sided 95 % reach" in NOISE_IS
    checked = 0
    for story in random_stories():
        slots = story.slots
        if story.readback.void or any(slot.excluded or slot.gross_j is None for slot in slots):
            continue
        for row in (row for row in story.summary.rows if row.a_a):
            logs = [
                np.log([slot.gross_j / slot.requests for slot in slots if slot.arm == arm])
                for arm in (row.label, row.label.removesuffix(" (A/A)"))
            ]
            one, other = (np.exp(log).reshape(-1, 2).mean(axis=1) for log in logs)
            ratios = np.log(one / other)
            reach = 0.0
            if len(ratios) >= FEWEST_BLOCKS:
                reach = stats.t.ppf(0.95, len(ratios) - 1) * ratios.std(ddof=1) / np.sqrt(len(ratios))
            noise = 100 * (1 - np.exp(-(abs(ratios.mean()) + reach)))
            assert row.noise_percent == pytest.approx(noise)
            checked += 1
    assert checked > 50


def test_backends_of_one_model_are_compared_in_the_same_run(told: list[tuple[Summary, Answer]]) -> None:
    two = [answer for _, answer in told if {cost.backend for cost in answer.costs} == {"torch", "mlx"}]
    assert len(two) > 50
    for answer in two:
        (mlx,) = [one for one in answer.comparisons if one.name == "mlx"]
        assert mlx.against == "torch"


def test_windows_that_are_void_are_told_with_their_reason() -> None:
    seen = 0
    for story in random_stories():
        void, found = story.readback.void, [one for one in story.summary.cautions if one.code == "void"]
        assert len(found) == bool(void)
        windows = len(void) + len(story.readback.slots)
        assert all(one.words == f"{len(void)} of {windows} windows void: died" for one in found)
        seen += len(found)
    assert seen >= 10
