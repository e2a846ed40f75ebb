"""Where a saving comes from: fewer new tokens, cheaper tokens, or a smaller fixed cost per request.

All slots of an arm hold the same prompts, so whole slots can't tell these apart; single prompts can. The
joules of every request are attributed like those of a slot, summed over the repeats of its prompt within a
block, and priced by `analysis.costs`. A reading spreads its joules evenly over its length, so requests that
are not long beside a reading take one another's joules, and no number of repeats mends that: such prompts are
left out.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass

import numpy as np

from analysis.costs import UNITS, Counts, Split, fit_costs, split_saving
from analysis.rows import Work
from analysis.values import Withheld
from bench.report.readback import Readback
from bench.report.slots import SlotRead, first_of_each_prompt, that_count
from bench.run.joules import energy_of
from bench.run.records import ArmKey, RequestRecord
from energy.cadence import LEAST_READINGS, REQUEST_READINGS, cadence_of


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
    gate = readback.baseline
    compared = {
        key: (key[0], gate, False)
        for key in readback.arms
        if key in arms and key[1] != gate and (key[0], gate, False) in readback.arms
    }
    slots = {key: _whole(readback, key) for key in {*compared, *compared.values()}}
    work = _work(readback, [slot for mine in slots.values() for slot in mine])
    return {
        key: _split(key, slots[baseline], slots[key], [*work[baseline], *work[key]])
        for key, baseline in compared.items()
    }


def _split(
    key: ArmKey, before: list[SlotRead], after: list[SlotRead], rows: list[Work]
) -> ArmSplit | Withheld:
    if not before or not after:
        return Withheld("a configuration has no window with joules")
    if not rows:
        return Withheld(
            f"no prompt has requests of {REQUEST_READINGS} readings, and {LEAST_READINGS} in a block: "
            "ask for longer answers, or for shorter readings"
        )
    costs = fit_costs(rows)
    if isinstance(costs, Withheld):
        return costs
    split = split_saving(costs, before=_one_pass(before), after=_one_pass(after))
    if isinstance(split, Withheld):
        return split
    return ArmSplit(arm=key, kind=before[0].kind, windows=costs.rows, r2=costs.r2, split=split)


def _whole(readback: Readback, key: ArmKey) -> list[SlotRead]:
    """Slots of an arm whose joules are known."""
    return that_count([slot for slot in readback.of_arm(key) if slot.gross_j is not None])


def _work(readback: Readback, slots: list[SlotRead]) -> dict[ArmKey, list[Work]]:
    """By arm, one row per prompt and block; prompts that are too short to meter are left out."""
    repeats: dict[tuple[ArmKey, str, str, int], list[tuple[RequestRecord, float]]] = defaultdict(list)
    for session, sources in readback.sources.items():
        asked = [r for slot in slots if slot.record.session == session for r in slot.answers]
        joules = energy_of([(r.start_s, r.end_s) for r in asked], sources.lead).tolist()
        for request, used_j in zip(asked, joules, strict=True):
            repeats[request.arm, _group(request), request.prompt_id, request.block].append((request, used_j))
    cadences_s = [cadence_of(sources.lead.trace) or 0.0 for sources in readback.sources.values()]
    reading_s = max(cadences_s, default=0.0)
    work: dict[ArmKey, list[Work]] = defaultdict(list)
    for (arm, group, _, _), mine in repeats.items():
        lengths_s = [request.end_s - request.start_s for request, _ in mine]
        if min(lengths_s) >= REQUEST_READINGS * reading_s and sum(lengths_s) >= LEAST_READINGS * reading_s:
            work[arm].append(_row(group, mine))
    return work


def _row(group: str, repeats: list[tuple[RequestRecord, float]]) -> Work:
    requests = [request for request, _ in repeats]
    joules = sum(joules for _, joules in repeats)
    return Work(group=group, joules_j=joules if np.isfinite(joules) else None, **_counted(requests))


def _one_pass(slots: list[SlotRead]) -> dict[str, Counts]:
    """What each model does in one pass over the prompts."""
    by_group: dict[str, list[RequestRecord]] = defaultdict(list)
    for request in first_of_each_prompt(slots).values():
        by_group[_group(request)].append(request)
    return {group: Counts(**_counted(requests)) for group, requests in by_group.items()}


def _counted(requests: Iterable[RequestRecord]) -> dict[str, int]:
    counts = [(r.batch, r.all_prompt_tokens, r.all_new_tokens) for r in requests]
    return dict(zip(UNITS, map(sum, zip(*counts, strict=True)), strict=True))


def _group(request: RequestRecord) -> str:
    """What has a price list of its own: a model, a batch of it, or a gate that cuts it."""
    named = request.model if request.batch == 1 else f"{request.model}, batch {request.batch}"
    return f"{named}, {request.gate}" if request.cut else named
