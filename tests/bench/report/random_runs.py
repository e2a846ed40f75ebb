"""Runs that never were, drawn by lot: backends, a gate with its control, answers, passes, holes, heat."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from bench.report.readback import Readback
from bench.report.slots import Idle, SlotRead
from bench.report.story import Story
from bench.report.summary import summarise
from bench.run.observed import Joules
from bench.run.records import ArmKey, RequestRecord, SessionRecord, SlotRecord, VoidSlot
from bench.run.store import StoredRun
from bench.suite.header import Host, ModelFound, PromptsUsed, SuiteFile
from energy.base import SourceInfo
from tests.bench.report.slots import slot_read
from tests.bench.stored import run_header

SUITE = """
name = "suite"
backends = ["torch"]
[models.full]
name = "smollm2-135m"
[prompts]
file = "short_questions"
[gates.ungated]
[gates.gated]
plugin = "length"
tokens = 9
[gates.chance]
plugin = "random"
matches = "gated"
"""
BACKENDS = ("torch", "mlx")


@cache
def random_stories(count: int = 300, seed: int = 12) -> tuple[Story, ...]:
    """So many runs, read and summed up."""
    chance = np.random.default_rng(seed)
    found = []
    for _ in range(count):
        readback = random_run(chance)
        found.append(Story(readback, summarise(readback)))
    return tuple(found)


def random_run(chance: np.random.Generator) -> Readback:
    """What `read_back` would make of a run that is drawn by lot."""
    backends = BACKENDS[: int(chance.integers(1, 3))]
    gates = ("ungated", "gated", "chance")[: int(chance.integers(1, 4))]
    blocks, prompts = int(chance.integers(1, 10)), int(chance.integers(1, 5))
    copies = chance.random() < 0.9
    arms = [(b, g, False) for b in backends for g in gates]
    arms += [(b, "ungated", True) for b in backends if copies]
    grade = int(chance.choice([0, 2]))
    draw = _Draw(chance, arms, prompts=prompts, grade=grade)
    slots = [
        draw.slot(arm, block=block, position=i)
        for block in range(1, blocks + 1)
        for i, arm in enumerate([*arms, *arms[::-1]])
    ]
    return Readback(
        run=StoredRun(
            folder=Path("results/run"), header=_header(backends, gates, prompts), records=[_session(grade)]
        ),
        slots=[slot for slot in slots if isinstance(slot, SlotRead)],
        void=[slot for slot in slots if isinstance(slot, VoidSlot)],
        sources={},
        idle=Idle([]),
        whole_blocks=blocks,
        cut_blocks=0,
    )


def _header(backends: tuple[str, ...], gates: tuple[str, ...], prompts: int) -> Any:
    return run_header(
        run_id="made-up",
        suite=SuiteFile(name="suite", path="suite.toml", sha256="", text=SUITE),
        backends=list(backends),
        gates=list(gates[1:]),
        prompts=PromptsUsed(file="p.jsonl", sha256="", ids=[str(i) for i in range(prompts)]),
        models={"full": ModelFound(name="smollm2-135m")},
        host=Host(chip="Apple M3"),
    )


def _session(grade: int) -> SessionRecord:
    kind: Any = "measured" if grade else "simulated"
    source = SourceInfo(
        name="powermetrics" if grade else "simulated",
        kind=kind,
        rails=(),
        boundary="soc_cpu_gpu_ane",
        interval_s=0.1,
        resolution_j=0,
    )
    return SessionRecord(
        session=1,
        started_utc="2026-01-01T00:00:00+00:00",
        source=source,
        note="",
        loaded={},
        equal_work=[],
        prompt_tokens={},
        gates={},
    )


class _Draw:
    """Slots of one run."""

    def __init__(self, chance: np.random.Generator, arms: list[ArmKey], *, prompts: int, grade: int) -> None:
        self.chance, self.prompts, self.grade = chance, prompts, grade
        effects = [0.0, 0.0, 0.0, 0.005, -0.01, -0.03, -0.03, 0.05, -0.4]
        self.effect = {arm[:2]: float(chance.choice(effects)) for arm in arms}
        self.noise = float(chance.choice([0.001, 0.003, 0.01, 0.03]))
        self.drift = float(chance.choice([0.0, 0.01]))
        self.joules = float(10 ** chance.uniform(-3, 2))
        self.hole, self.heat, self.void = (
            float(chance.choice([0.0, share], p=[0.8, 0.2])) for share in (0.03, 0.05, 0.02)
        )
        self.answers = {arm[:2]: self._answers(arm) for arm in arms}

    def _answers(self, arm: ArmKey) -> list[list[int]]:
        changed = float(self.chance.choice([0.0, 0.0, 0.3, 1.0])) if arm[1] != "ungated" else 0.0
        shorter = int(self.chance.integers(0, 3)) if arm[1] != "ungated" else 0
        return [
            [7] * (8 - shorter) if self.chance.random() < changed else [1, 2, 3, 4, 5, 6, 7, 8]
            for _ in range(self.prompts)
        ]

    def slot(self, arm: ArmKey, *, block: int, position: int) -> SlotRead | VoidSlot:
        """One slot of an arm."""
        chance, passes = self.chance, int(self.chance.integers(1, 4))
        place: dict[str, Any] = {"session": 1, "block": block, "position": position}
        place |= dict(zip(("backend", "gate", "a_a"), arm, strict=True))
        start_s = 100.0 * (100 * block + position)
        if chance.random() < self.void:
            return VoidSlot(**place, passes=passes, error="died")
        log_joules = self.effect[arm[:2]] + self.drift * (block + position / 10)
        joules = (
            self.joules * passes * self.prompts * float(np.exp(log_joules + chance.normal(0, self.noise)))
        )
        thermal = "Heavy" if chance.random() < self.heat else "Nominal"
        requests = [
            _request(place, start_s, str(i), tokens, number)
            for number in range(1, passes + 1)
            for i, tokens in enumerate(self.answers[arm[:2]])
        ]
        record = SlotRecord(
            **place,
            passes=passes,
            start_s=start_s,
            end_s=start_s + 20.0 * passes,
            joules=self._joules(None if chance.random() < self.hole else joules, thermal),
        )
        return slot_read(record, requests)

    def _joules(self, total_j: float | None, thermal: str) -> Joules:
        return Joules(
            total_j=total_j,
            bound_j=None if total_j is None else 0.1,
            rails_j={},
            readings=600,
            kind="measured" if self.grade else "simulated",
            boundary="soc_cpu_gpu_ane",
            grade=self.grade,
            grade_name="metered" if self.grade else "simulated",
            grade_reasons=[],
            withheld="a hole" if total_j is None else None,
            thermal=thermal,
        )


def _request(
    place: dict[str, Any], start_s: float, prompt: str, tokens: list[int], number: int
) -> RequestRecord:
    return RequestRecord(
        **place,
        pass_number=number,
        prompt_id=prompt,
        model="full",
        prompt_tokens=9,
        tokens=tokens,
        forwards=len(tokens) - 1,
        start_s=start_s,
        gated_s=start_s,
        prefilled_s=start_s + 1,
        end_s=start_s + 5,
    )
