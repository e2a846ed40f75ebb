"""One question, one answer: whoever is asked, by the functions that the commands call."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from analysis.stats import ratio, t_interval
from backends.guard import Verdict
from bench.report.compare.pairs import PairComparison, Side, _comparison
from bench.report.compare.tables import warnings
from bench.report.readback import Readback
from bench.report.slots import Idle, SlotRead
from bench.report.story import Story
from bench.report.summary import summarise
from bench.run.observed import Joules
from bench.run.records import ArmKey, RequestRecord, SessionRecord, SlotRecord, VoidSlot
from bench.run.store import StoredRun
from bench.studies.claims.evidence import Evidence
from bench.studies.claims.reproduce import _Case
from bench.studies.claims.statements import choose
from bench.studies.sweep.judging import _arm
from energy.base import SourceInfo
from tests.bench.report.random_runs import random_stories
from tests.bench.report.slots import slot_read, with_joules
from tests.bench.stored import run_header

ARMS: tuple[ArmKey, ...] = tuple(
    ("torch", gate, a_a) for gate, a_a in (("ungated", False), ("gated", False), ("ungated", True))
)
PLAIN, GATED, _ = ARMS
HEADER = run_header(run_id="made-up", gates=["gated"])
SESSION = SessionRecord(
    session=1,
    started_utc="2026-01-01T00:00:00+00:00",
    source=SourceInfo(
        name="simulated",
        kind="simulated",
        rails=(),
        boundary="soc_cpu_gpu_ane",
        interval_s=0.1,
        resolution_j=0,
    ),
    note="",
    loaded={},
    equal_work=[],
    prompt_tokens={},
    gates={"torch/gated": Verdict(outcome="effective", reason="")},
)


@dataclass(frozen=True)
class Experiment:
    """A run that never was."""

    blocks: int
    effect: float
    noise: float
    a_a: bool
    throttled: float
    """Chance of a slot."""
    no_joules: float
    void: float

    @classmethod
    def drawn(cls, chance: np.random.Generator) -> Experiment:
        return cls(
            blocks=int(chance.integers(2, 13)),
            effect=float(chance.choice([0.0, 0.0, 0.01, -0.02, -0.04, 0.05, -0.3])),
            noise=float(chance.choice([0.002, 0.005, 0.01, 0.02, 0.05])),
            a_a=bool(chance.random() < 0.95),
            throttled=float(chance.choice([0.0, 0.0, 0.02, 0.5], p=[0.5, 0.2, 0.25, 0.05])),
            no_joules=float(chance.choice([0.0, 0.02], p=[0.8, 0.2])),
            void=float(chance.choice([0.0, 0.02], p=[0.8, 0.2])),
        )

    def read(self, chance: np.random.Generator) -> Readback:
        """What `read_back` would make of it."""
        arms = ARMS if self.a_a else ARMS[:2]
        slots = [
            self._slot(chance, arm, block=block, position=position)
            for block in range(1, self.blocks + 1)
            for position, arm in enumerate(arms)
        ]
        return Readback(
            run=StoredRun(folder=Path("made-up"), header=HEADER, records=[SESSION]),
            slots=[slot for slot in slots if isinstance(slot, SlotRead)],
            void=[slot for slot in slots if isinstance(slot, VoidSlot)],
            sources={},
            idle=Idle([]),
            whole_blocks=self.blocks,
            cut_blocks=0,
        )

    def _slot(
        self, chance: np.random.Generator, arm: ArmKey, *, block: int, position: int
    ) -> SlotRead | VoidSlot:
        effect = self.effect if arm == GATED else 0.0
        joules = 100 * float(np.exp(effect + 0.02 * block + chance.normal(0, self.noise)))
        void, hot = chance.random() < self.void, chance.random() < self.throttled
        start_s = 200.0 * (block * 3 + position)
        place: dict[str, Any] = {"session": 1, "block": block, "position": position, "passes": 1}
        place |= dict(zip(("backend", "gate", "a_a"), arm, strict=True))
        if void:
            return VoidSlot(**place, error="died")
        thermal = "Heavy" if hot else "Nominal"
        record = SlotRecord(
            **place,
            start_s=start_s,
            end_s=start_s + 60,
            joules=_joules(None if chance.random() < self.no_joules else joules, thermal),
        )
        return slot_read(record, [_request(place, start_s)])


def _request(place: dict[str, Any], start_s: float) -> RequestRecord:
    names = {key: value for key, value in place.items() if key != "passes"}
    return RequestRecord(
        **names,
        pass_number=1,
        prompt_id="p",
        model="full",
        prompt_tokens=9,
        tokens=[1, 2, 3, 4],
        forwards=3,
        start_s=start_s,
        gated_s=start_s,
        prefilled_s=start_s + 10,
        end_s=start_s + 60,
    )


def _joules(total_j: float | None, thermal: str) -> Joules:
    return Joules(
        total_j=total_j,
        bound_j=None if total_j is None else 0.1,
        rails_j={},
        readings=600,
        kind="simulated",
        boundary="soc_cpu_gpu_ane",
        grade=0,
        grade_name="simulated",
        grade_reasons=[],
        withheld="a hole" if total_j is None else None,
        thermal=thermal,
    )


def story_of(readback: Readback) -> Story:
    """As `Story.of` reads a folder."""
    return Story(readback, summarise(readback))


def compared(story: Story) -> PairComparison:
    """As `bench compare RUN:torch/ungated RUN:torch/gated` does."""
    return _comparison(Side(story=story, key=PLAIN), Side(story=story, key=GATED))


def answers(readback: Readback) -> dict[str, tuple[str | None, str | None]]:
    """Verdict and reason of every command that is asked about the gated arm."""
    story = story_of(readback)
    (row,) = [row for row in story.summary.rows if row.gate == "gated"]
    swept = _arm(row, readback.run, readback).row
    comparison, slots = compared(story), story.slots
    evidence = Evidence(
        runs=("r",), asked={}, baseline="ungated", slots=slots, slots_after=None, readback=None
    )
    (statement,) = choose(["routing.short.energy"])
    claimed = _Case(statement, None, evidence, "torch").rerun(slots, "gated").judgement
    assert claimed is not None
    return {
        "report": (row.verdict, row.reason),
        "compare": (comparison.verdict, comparison.reason),
        "sweep": (swept.verdict, swept.reason),
        "claims": (claimed.verdict, claimed.reason),
    }


def test_a_thousand_random_experiments_have_one_answer_each() -> None:
    chance = np.random.default_rng(20261125)
    seen: Counter[str | None] = Counter()
    left_out = 0
    for _ in range(1000):
        experiment = Experiment.drawn(chance)
        found = answers(experiment.read(chance))
        assert len(set(found.values())) == 1, (experiment, found)
        verdict, reason = found["report"]
        seen[verdict] += 1
        left_out += "throttled" in (reason or "")
    assert set(seen) == {
        *("saves", "costs", "equivalent"),
        *("inconclusive", "not enough blocks", "not estimated"),
    }
    assert min(seen.values()) >= 20, seen
    assert left_out >= 50


def test_runs_that_claims_pool_count_once_each_as_the_engine_counts_them() -> None:
    chance = np.random.default_rng(4)
    pooled, ratios = [], []
    for number in range(5):
        effect = -0.3 + 0.04 * number
        one = Experiment(
            blocks=6, effect=effect, noise=0.005, a_a=True, throttled=0.0, no_joules=0.0, void=0.0
        )
        readback = one.read(chance)
        pooled += [replace(slot, run=f"run {number}") for slot in readback.slots]
        saved = compared(Story(readback, summarise(readback))).judgement
        assert saved is not None
        ratios.append(saved.point)
    evidence = Evidence(
        runs=("r",), asked={}, baseline="ungated", slots=pooled, slots_after=None, readback=None
    )
    (statement,) = choose(["routing.short.energy"])
    found = _Case(statement, None, evidence, "torch").rerun(pooled, "gated").judgement
    assert found is not None
    assert (found.verdict, found.blocks, found.lag_1) == ("saves", 30, None)
    expected = ratio(t_interval(np.log(ratios)))
    assert found.ratio is not None
    assert (found.ratio.low, found.ratio.high) == pytest.approx((expected.low, expected.high))


@pytest.mark.parametrize("blocks", [6, 12])
def test_a_run_that_was_throttled_throughout_is_not_judged(blocks: int) -> None:
    chance = np.random.default_rng(1)
    hot = Experiment(blocks=blocks, effect=-0.3, noise=0.01, a_a=True, throttled=1.0, no_joules=0.0, void=0.0)
    readback = hot.read(chance)
    for verdict, reason in answers(readback).values():
        assert verdict == "not enough blocks"
        assert reason == (
            "0 whole blocks are not enough for a claim (needs 5); left out: "
            f"{blocks} blocks (throttled: thermal pressure Heavy)"
        )
    summary = summarise(readback)
    said = f"{3 * blocks} of {3 * blocks} windows left out (throttled: thermal pressure Heavy)"
    assert any(said in warning for warning in summary.warnings)
    assert any(said in warning for warning in warnings([compared(story_of(readback))]))
    for row in summary.rows:  # the figures there are, and no verdict rests on them
        assert (row.left_out_windows, row.windows, row.saved_low_percent) == (blocks, blocks, None)
        assert row.gross_per_repeat_j == pytest.approx(100, rel=0.5)


def test_slots_that_were_throttled_leave_the_figures_of_their_arm() -> None:
    chance = np.random.default_rng(2)
    cool = Experiment(blocks=8, effect=-0.3, noise=0.01, a_a=True, throttled=0.0, no_joules=0.0, void=0.0)
    readback = cool.read(chance)
    hot = {1, 5}
    slots = [
        replace(with_joules(s, _joules(900.0, "Heavy")), excluded="throttled") if s.block in hot else s
        for s in readback.slots
    ]
    one = replace(readback, slots=slots)
    (row,) = [row for row in summarise(one).rows if row.gate == "gated"]
    assert (row.verdict, row.blocks, row.windows, row.left_out_windows) == ("saves", 6, 6, 2)
    assert row.gross_per_repeat_j is not None
    assert row.gross_per_repeat_j < 100


def test_a_gate_that_left_nothing_out_is_inactive_whatever_its_joules_are() -> None:
    chance = np.random.default_rng(3)
    half = Experiment(blocks=6, effect=-0.7, noise=0.01, a_a=True, throttled=0.0, no_joules=0.0, void=0.0)
    readback = half.read(chance)
    gates = {"torch/gated": Verdict(outcome="gate inactive", reason="16 of 16 units were counted")}
    idle_gate = replace(readback, run=replace(readback.run, records=[replace(SESSION, gates=gates)]))
    verdicts = [
        next((row.verdict, row.reason) for row in summarise(one).rows if row.gate == "gated")
        for one in (readback, idle_gate)
    ]
    assert verdicts[0][0] == "saves"
    assert verdicts[1][0] == "gate inactive"
    assert (verdicts[1][1] or "").startswith("16 of 16 units were counted; its joules: -5")


def test_a_gate_that_decides_slowly_and_leaves_nothing_out_keeps_its_cost() -> None:
    chance = np.random.default_rng(4)
    slow = Experiment(blocks=6, effect=0.448, noise=0.01, a_a=True, throttled=0.0, no_joules=0.0, void=0.0)
    readback = slow.read(chance)
    gates = {"torch/gated": Verdict(outcome="gate inactive", reason="it never routes")}
    readback = replace(readback, run=replace(readback.run, records=[replace(SESSION, gates=gates)]))
    (row,) = [row for row in summarise(readback).rows if row.gate == "gated"]
    assert row.verdict == "gate inactive"
    assert row.joules_saved_percent == pytest.approx(-56.5, abs=2)
    assert row.saved_low_percent is not None
    assert row.saved_high_percent is not None
    assert row.saved_low_percent < -56.5 < row.saved_high_percent + 2
    assert "its joules: +5" in (row.reason or "")


def test_gates_and_backends_of_a_run_are_one_family() -> None:
    several = 0
    for story in random_stories():
        asked = [row for row in story.summary.rows if row.p is not None]
        if not asked:
            continue
        surest = min(asked, key=lambda row: row.p or 0)
        assert surest.p_holm == pytest.approx(min(1.0, len(asked) * (surest.p or 0)))
        several += len({row.backend for row in asked}) > 1
    assert several > 20
