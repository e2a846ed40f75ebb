"""One session of a run that never was: what happens when, at which power, and the records that come of it."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from backends.guard import Verdict
from bench.run.observed import Joules
from bench.run.records import (
    BlockRecord,
    EventRecord,
    IdleRecord,
    Record,
    RequestRecord,
    SelfTestRecord,
    SessionRecord,
    SlotRecord,
)
from bench.suite.bundled import configs_folder
from bench.suite.plan import Arm, PlannedSlot
from energy.base import SourceInfo
from energy.selftest import IDLE

BACKENDS = ("torch", "mlx")
NEW_TOKENS = 32
IDLE_S, COOL_DOWN_S, EDGE_S = 10.0, 1.0, 2.0
BEGIN_S, INTERVAL_S = 5000.25, 0.1
IDLE_W, GAP_W, PREFILL_W = 2.5, 6.0, 24.0
GPU_SHARE = 0.75
LOAD_S, LOAD_W = 2.0, 8.0
LOADS_ON_GPU = {IDLE: 0.0, "cpu spin": 0.0, "gpu stream": 1.0, "sleep": 0.0}
"""Loads of the self-test in their order, and which share of their power is the GPU's."""
SMALL_BELOW_TOKENS = 12
"""The gate sends prompts shorter than this to the small model."""
FORWARD_S = {
    ("torch", "full"): 0.030,
    ("torch", "small"): 0.011,
    ("mlx", "full"): 0.020,
    ("mlx", "small"): 0.008,
}
DECODE_W = {("torch", "full"): 14.0, ("torch", "small"): 12.0, ("mlx", "full"): 11.0, ("mlx", "small"): 9.5}
FORWARD_BYTES = {"full": 270_000_000, "small": 95_000_000}
SOURCE = SourceInfo(
    name="simulated",
    kind="simulated",
    rails=("cpu", "gpu", "ane"),
    boundary="soc_cpu_gpu_ane",
    interval_s=INTERVAL_S,
    resolution_j=0.001,
    details={"made_by": "benchmarks/long_run.py"},
)
UNKNOWN = Joules(
    total_j=None,
    bound_j=None,
    rails_j={},
    readings=0,
    kind="simulated",
    boundary="soc_cpu_gpu_ane",
    grade=0,
    grade_name="simulated",
    grade_reasons=[],
)
"""Until the whole stream is there."""


@dataclass
class Script:
    """What happens in one session: instants at which power changes, and the records that come of it."""

    number: int
    chance: np.random.Generator
    source: SourceInfo = SOURCE
    now_s: float = BEGIN_S
    edges_s: list[float] = field(default_factory=lambda: [BEGIN_S])
    watts: list[float] = field(default_factory=list)
    gpu_watts: list[float] = field(default_factory=list)
    """Of these, those of the GPU."""
    records: list[Record] = field(default_factory=list)

    def spend(self, seconds_s: float, watts: float, *, gpu_watts: float | None = None) -> float:
        """Let time pass at a power; returns the instant at which it ends."""
        self.now_s += seconds_s
        self.edges_s.append(self.now_s)
        self.watts.append(watts)
        self.gpu_watts.append(GPU_SHARE * watts if gpu_watts is None else gpu_watts)
        return self.now_s


def perform(
    script: Script,
    blocks: list[list[PlannedSlot]],
    prompts: dict[str, int],
    *,
    slot_s: float,
    self_test: bool,
) -> None:
    """Go through the blocks as a run does."""
    script.records.append(_session(script, prompts, {slot.arm for block in blocks for slot in block}))
    script.spend(EDGE_S, IDLE_W)
    if self_test:
        _self_test(script)
    _idle(script, "before")
    for block in blocks:
        for slot in block:
            script.spend(COOL_DOWN_S, IDLE_W)
            _hold(script, slot, prompts, slot_s=slot_s)
        script.records.append(BlockRecord(session=script.number, block=block[0].block))
        _idle(script, "after" if block is blocks[-1] else "between")
    ended = EventRecord(
        session=script.number, kind="finished", detail="all blocks are whole", at_s=script.now_s
    )
    script.records.append(ended)
    script.spend(EDGE_S, IDLE_W)


def _self_test(script: Script) -> None:
    """Loads one after the other; what the rails did is told when the stream is there."""
    began_s, windows = script.now_s, {}
    for load, on_gpu in LOADS_ON_GPU.items():
        start_s = script.now_s
        load_w = 0.0 if load in (IDLE, "sleep") else LOAD_W
        gpu_watts = GPU_SHARE * IDLE_W + on_gpu * load_w
        windows[load] = (start_s, script.spend(LOAD_S, IDLE_W + load_w, gpu_watts=gpu_watts))
        script.spend(COOL_DOWN_S, IDLE_W)
    tested = SelfTestRecord(
        session=script.number,
        start_s=began_s,
        end_s=script.now_s,
        outcome="passed",
        findings=[],
        windows=windows,
    )
    script.records.append(tested)


def _idle(script: Script, where: str) -> None:
    start_s = script.now_s
    end_s = script.spend(IDLE_S, IDLE_W * script.chance.normal(1, 0.003))
    script.records.append(
        IdleRecord(session=script.number, where=where, start_s=start_s, end_s=end_s, joules=UNKNOWN)
    )


def _hold(script: Script, slot: PlannedSlot, prompts: dict[str, int], *, slot_s: float) -> None:
    """Whole passes until the slot is long enough; each slot's power is a little off, and drifts at first."""
    start_s, passes = script.now_s, 0
    hours = (start_s - BEGIN_S) / 3600
    level = script.chance.normal(1, 0.006) * (1 - 0.03 * np.exp(-hours))
    place = {"session": script.number, "block": slot.block, "position": slot.position, **asdict(slot.arm)}
    while script.now_s - start_s < slot_s:
        passes += 1
        for prompt_id, prompt_tokens in prompts.items():
            done = _request(script, slot.arm, prompt_tokens, level)
            script.records.append(RequestRecord(**place, pass_number=passes, prompt_id=prompt_id, **done))
    window: dict[str, Any] = {"start_s": start_s, "end_s": script.now_s}
    script.records.append(SlotRecord(**place, passes=passes, **window, joules=UNKNOWN))


def _request(script: Script, arm: Arm, prompt_tokens: int, level: float) -> dict[str, Any]:
    small = arm.gate != "ungated" and prompt_tokens < SMALL_BELOW_TOKENS
    model = "small" if small else "full"
    forwards = NEW_TOKENS - 1
    start_s = script.now_s
    gated_s = script.spend(0.004 if arm.gate != "ungated" else 0.001, GAP_W * level)
    prefilled_s = script.spend(0.08 + 0.012 * prompt_tokens * (0.4 if small else 1.0), PREFILL_W * level)
    decode_s = forwards * FORWARD_S[arm.backend, model] * script.chance.normal(1, 0.01)
    end_s = script.spend(decode_s, DECODE_W[arm.backend, model] * level)
    script.spend(0.01, GAP_W * level)
    return {
        **{"model": model, "prompt_tokens": prompt_tokens, "forwards": forwards},
        "tokens": [(7 * i + (3 * (i % 2) if small else 0)) % 100 for i in range(NEW_TOKENS)],
        **{"start_s": start_s, "gated_s": gated_s, "prefilled_s": prefilled_s, "end_s": end_s},
        **{"text": "an answer of some words", "cut": {}},
        **{"prefill_bytes": FORWARD_BYTES[model], "decode_bytes": forwards * FORWARD_BYTES[model]},
        **{
            "prefill_flops": FORWARD_BYTES[model] * prompt_tokens,
            "decode_flops": forwards * FORWARD_BYTES[model],
        },
    }


def _session(script: Script, prompts: dict[str, int], arms: set[Arm]) -> SessionRecord:
    return SessionRecord(
        session=script.number,
        started_utc="2026-01-01T00:00:00+00:00",
        source=script.source,
        note="simulated: made up, nothing was run",
        loaded={},
        equal_work=[],
        prompt_tokens={"full": prompts, "small": prompts},
        gates={f"{arm.backend}/{arm.gate}": Verdict(outcome="effective", reason="") for arm in arms},
    )


def prompt_lengths(count: int) -> dict[str, int]:
    """Ids and lengths in tokens of the first so many prompts of the set that comes along."""
    file = configs_folder() / "prompts" / "short_questions.jsonl"
    lines = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()[:count]]
    return {line["id"]: round(1.3 * len(line["text"].split())) for line in lines}
