"""Where a saving comes from: fewer new tokens, cheaper tokens, or a smaller fixed cost per request.

All slots of an arm hold the same prompts, so whole slots can't tell these apart; single prompts can. The
joules of every request are attributed like those of a slot, summed over the repeats of its prompt within a
block, and priced by `analysis.costs`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass

import numpy as np

from analysis.costs import UNITS, Counts, Split, fit_costs, split_saving
from analysis.rows import Work
from analysis.values import Withheld
from bench.measure import MIN_READINGS, energy_of
from bench.readback import ArmKey, Readback, Record, SlotRead


@dataclass(frozen=True, kw_only=True)
class ArmSplit:
    """The saving of one arm over the ungated arm of its backend, per pass over the prompts."""

    arm: ArmKey
    kind: str
    """Whether the joules are measured, modelled, simulated or replayed."""
    windows: int
    """Rows of the fit: one per prompt, arm and block."""
    r2: float
    split: Split


def splits(readback: Readback, arms: Collection[ArmKey]) -> dict[ArmKey, ArmSplit | Withheld]:
    """The split of each of these arms that is neither ungated nor its copy."""
    gate = readback.run.header["baseline"]
    return {
        key: split_of(readback, key, (key[0], gate, False))
        for key in readback.arms
        if key in arms and key[1] != gate and (key[0], gate, False) in readback.arms
    }


def split_of(readback: Readback, treated: ArmKey, baseline: ArmKey) -> ArmSplit | Withheld:
    """Split the saving of one arm over another."""
    before, after = (_whole(readback, key) for key in (baseline, treated))
    if not before or not after:
        return Withheld("an arm has no slot with joules")
    rows = [*_work(readback, before), *_work(readback, after)]
    if not rows:
        return Withheld(f"no prompt has {MIN_READINGS} readings in a block: make the windows longer")
    costs = fit_costs(rows)
    if isinstance(costs, Withheld):
        return costs
    split = split_saving(costs, before=_one_pass(before), after=_one_pass(after))
    if isinstance(split, Withheld):
        return split
    kind = before[0].joules.kind if before[0].joules else "none"
    return ArmSplit(arm=treated, kind=kind, windows=costs.rows, r2=costs.r2, split=split)


def _whole(readback: Readback, key: ArmKey) -> list[SlotRead]:
    """Slots of an arm whose joules are known."""
    return [slot for slot in readback.of_arm(key) if slot.joules and slot.joules.total_j is not None]


def _work(readback: Readback, slots: list[SlotRead]) -> list[Work]:
    """One row per prompt and block; prompts that are too short to meter are left out."""
    found: dict[tuple[str, str, int], list[tuple[Record, float]]] = defaultdict(list)
    for slot in slots:
        lead = readback.sources[slot.slot["session"]].lead
        windows = [(request["start_s"], request["end_s"]) for request in slot.requests]
        for request, joules in zip(slot.requests, energy_of(windows, lead).tolist(), strict=True):
            found[_group(request), request["prompt_id"], slot.slot["block"]].append((request, joules))
    interval_s = _interval_s(readback, slots)
    return [
        _row(group, repeats)
        for (group, _, _), repeats in found.items()
        if sum(r["end_s"] - r["start_s"] for r, _ in repeats) >= MIN_READINGS * interval_s
    ]


def _row(group: str, repeats: list[tuple[Record, float]]) -> Work:
    requests = [request for request, _ in repeats]
    joules = sum(joules for _, joules in repeats)
    return Work(group=group, joules_j=joules if np.isfinite(joules) else None, **_counted(requests))


def _one_pass(slots: list[SlotRead]) -> dict[str, Counts]:
    """What each model does in one pass over the prompts."""
    first = {request["prompt_id"]: request for slot in reversed(slots) for request in reversed(slot.requests)}
    by_group: dict[str, list[Record]] = defaultdict(list)
    for request in first.values():
        by_group[_group(request)].append(request)
    return {group: Counts(**_counted(requests)) for group, requests in by_group.items()}


def _counted(requests: Iterable[Record]) -> dict[str, int]:
    counts = [(1, int(r["prompt_tokens"]), len(r["tokens"])) for r in requests]
    return dict(zip(UNITS, map(sum, zip(*counts, strict=True)), strict=True))


def _group(request: Record) -> str:
    """What has a price list of its own: a model, or a gate that cuts it."""
    return f"{request['model']}, {request['gate']}" if request["cut"] else str(request["model"])


def _interval_s(readback: Readback, slots: list[SlotRead]) -> float:
    return max(readback.sources[slot.slot["session"]].lead.info.interval_s for slot in slots)
