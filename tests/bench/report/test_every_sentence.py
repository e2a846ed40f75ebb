"""What compare, sweep and isolate say of 300 random runs, and of machines that were made up."""

from __future__ import annotations

import re
from collections import Counter

import numpy as np
import pytest

from analysis.isolation import Bound, judge_cell
from analysis.roofline import fit_energy_model, measured_stream
from analysis.values import NOT_ESTIMATED, Estimate, Withheld
from analysis.verdict import INACTIVE
from backends.cut import FULL, Cut
from bench.report.compare.pairs import Side, _comparison
from bench.report.compare.tables import _notes
from bench.report.compare.tables import answer as compared
from bench.report.story import Story
from bench.report.summary import ArmRow
from bench.studies.cuts.quality import Mean, TextQuality
from bench.studies.isolate.run import CellPlan, CellReport
from bench.studies.isolate.tables import _lines
from bench.studies.isolate.tables import answer as isolated
from bench.studies.sweep.findings import CLIFF_RISE, JudgedSweep, SweptArm, answers_of
from benchmarks.isolation import machine_with
from tests.bench.report.random_runs import random_stories
from tests.bench.report.sentence_rules import check


def test_compare_says_of_every_pair_what_its_verdict_and_its_noise_are() -> None:
    seen: Counter[str] = Counter()
    noises = 0
    for story in random_stories()[:150]:
        first, *others = story.readback.arms
        for key in others:
            one = _comparison(Side(story=story, key=first), Side(story=story, key=key))
            said = compared(one)
            for text in (said, *_notes(one)):
                check(text.lstrip())
            (noise,) = [line for line in _notes(one) if line.startswith("noise (")] or [""]
            if noise and one.judgement is not None:
                assert ("95 %" in noise) == (one.judgement.blocks >= 5)
                noises += 1
            verdict = one.verdict or "unlike"
            seen[verdict] += 1
            assert (" saves joules " in said) == (verdict == "saves"), said
            assert (" costs joules " in said) == (verdict == "costs"), said
            assert ("within the threshold" in said) == (verdict == "equivalent"), said
            assert ("would settle it" in said) == (verdict == "inconclusive"), said
            if said.startswith("Nothing is shown"):
                assert verdict in ("inconclusive", "not enough blocks", NOT_ESTIMATED)
    assert min(seen[verdict] for verdict in ("saves", "costs", "equivalent", "inconclusive")) >= 10, seen
    assert noises > 100


def swept(row: ArmRow, baseline: str, chance: np.random.Generator) -> SweptArm:
    """A row of a run as if its gate were a cut that loses so much."""
    rise = float(chance.choice([0.0, 0.01, 0.2, 1.5]))
    mean = Mean(mean=rise, interval=Withheld("too few windows"), count=1)
    outcome = "ungated" if row.gate == baseline else str(chance.choice(["effective", INACTIVE], p=[0.9, 0.1]))
    text = TextQuality(
        windows=1,
        tokens=int(chance.integers(1, 4)),
        ungated=mean,
        gated=mean,
        rise=mean,
        kl=0.0,
        top1=1.0,
        unchanged=False,
    )
    return SweptArm(
        row=row,
        cut=FULL if outcome == "ungated" else Cut(kv_keep=0.5),
        outcome=outcome,
        reason="",
        tokens_per_s=row.decode_tokens_per_s,
        bytes_per_token=None,
        text=None if outcome == "ungated" else text,
    )


def sweep_of(story: Story, chance: np.random.Generator) -> JudgedSweep:
    """A run read as a sweep."""
    rows = [swept(row, story.readback.baseline, chance) for row in story.summary.rows]
    return JudgedSweep(
        run="made-up",
        suite="suite",
        swept=("kv_keep",),
        text_name="a text",
        cost="J",
        arms=rows,
        cliffs=[],
        warnings=[],
        layers=2,
        loaded_bits=32,
    )


def test_sweep_says_what_its_verdicts_are() -> None:
    chance, seen = np.random.default_rng(3), Counter[str]()
    for story in random_stories():
        judged = sweep_of(story, chance)
        for said in answers_of(judged):
            check(said)
            backend = said.split()[1]
            cuts = [a for a in judged.arms if a.row.backend == backend and a.outcome == "effective"]
            good = [a for a in cuts if a.text and a.text.rise.mean <= CLIFF_RISE]
            verdicts = {a.row.verdict for a in good}
            if " saves most " in said:
                seen["saves"] += 1
                assert "saves" in verdicts
            elif "is shown yet (" in said:
                seen["open"] += 1
                assert "saves" not in verdicts
                if verdicts == {"inconclusive"}:
                    assert "would settle it" in said, said
                if "not enough blocks" in verdicts:
                    assert "a claim needs 5 blocks" in said, said
            else:
                assert "saves" not in verdicts
                assert re.search("no cut saves joules|no cut took effect", said), said
    assert min(seen["saves"], seen["open"]) >= 10, seen


@pytest.mark.parametrize(
    "bound", ["memory-bound", "compute-bound", "kernel-bound", "overhead-bound", "mixed"]
)
def test_isolate_says_what_its_verdict_is(bound: Bound) -> None:
    for seed in range(8):
        steps = machine_with(bound, seed=seed).isolate(seed=seed)
        verdict = judge_cell(steps)
        report = CellReport(
            plan=CellPlan(backend="torch", model="smollm2-135m"),
            verdict=verdict,
            stream=measured_stream(steps),
            energy=fit_energy_model(steps),
            steps=tuple(steps),
            missing={},
            kind="modelled",
            boundary="modelled",
        )
        said = isolated(report)
        check(said)
        assert ("can't be told" in said) == (verdict.verdict == NOT_ESTIMATED)
        assert verdict.verdict == NOT_ESTIMATED or f" is {verdict.verdict}: " in said
        lines = _lines(report)
        for text in lines:
            check(text)
        unsure = [
            item
            for item in verdict.evidence
            if isinstance(item.value, Estimate) and item.fits_memory_bound is None
        ]
        told = " ".join(line for line in lines if "rounds" in line)
        assert all(item.name in told for item in unsure)
