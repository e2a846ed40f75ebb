"""Slots of a synthetic run with a known effect."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from analysis.contrast import Held, judge
from analysis.rows import Slot
from analysis.verdict import Judgement

ARMS = ("ungated", "gated", "ungated again")
PLAIN = Slot(
    run="r1",
    block=0,
    position=0,
    arm="ungated",
    backend="echo",
    gate="ungated",
    requests=50,
    prompt_tokens=500,
    new_tokens=250,
    forwards=200,
    seconds_s=60.0,
    gross_j=100.0,
    net_j=80.0,
    boundary="soc_cpu_gpu_ane",
    kind="measured",
    grade=2,
    readings=500,
)


def run_slots(
    *,
    blocks: int = 6,
    ratio: float = 1.0,
    noise: float = 0.01,
    seed: int = 0,
    tokens: float = 1.0,
    run: str = "r1",
) -> list[Slot]:
    """Every arm twice per block; `gated` costs `ratio` of the others and makes `tokens` of their tokens."""
    rng = np.random.default_rng(seed)
    slots = []
    for block in range(blocks):
        row = [ARMS[(block + i) % 3] for i in range(3)]
        for arm in row + row[::-1]:
            joules = 100 * (ratio if arm == "gated" else 1.0) * float(np.exp(rng.normal(0, noise)))
            slots.append(
                replace(
                    PLAIN,
                    run=run,
                    block=block,
                    position=len(slots),
                    arm=arm,
                    gate=arm.split()[0],
                    gross_j=joules,
                    net_j=joules * 0.8,
                    new_tokens=int(250 * (tokens if arm == "gated" else 1.0)),
                )
            )
    return slots


def judged(slots: list[Slot], *, baseline: str = "ungated", again: str = ARMS[2], **asked: Any) -> Judgement:
    """The verdict on `gated` in these slots."""
    treated, other = (Held(slots=slots, arm=arm, plain="ungated", again=again) for arm in ("gated", baseline))
    return judge(treated, other, **asked)
