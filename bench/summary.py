"""Records -> one row per arm. Joules are attributed anew from the raw stream, not copied.

Only blocks in which every slot was run are used. An arm's figures are per pass over the prompt set, so
that arms which needed different numbers of passes to fill their windows can be compared.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, fields
from typing import Any

from bench.measure import joules_of
from bench.records import Joules
from bench.store import StoredRun
from energy.base import EnergyError
from energy.replay import load_info, load_trace

BLOCKS_FOR_A_CLAIM = 5


@dataclass(frozen=True, kw_only=True)
class ArmRow:
    """One backend and gate. Percentages compare with the ungated arm of the same backend."""

    backend: str
    gate: str
    a_a: bool
    prompts: int
    routed_to_small: int
    """Prompts that the gate sent to another model than the ungated arm uses."""
    passes: int
    slots: int
    void_slots: int
    seconds_per_pass: float
    new_tokens: float
    """Per pass."""
    forwards: float
    """Decode forwards per pass."""
    prefill_tokens_per_s: float | None
    decode_tokens_per_s: float | None
    energy_kind: str
    boundary: str
    joules_gross: float | None
    """Per pass."""
    joules_bound: float | None
    """Per pass: how far the attribution can be off, if the source is right."""
    joules_net: float | None
    """Per pass, idle power taken off; withheld when it is not above zero."""
    joules_per_new_token: float | None
    tokens_saved_percent: float | None
    joules_saved_percent: float | None
    """From the geometric mean over blocks of the ratio of joules per pass."""
    noise_floor_percent: float | None
    """What the ungated arm `saves` against itself: an effect inside it is not a saving."""
    agreement_percent: float | None
    """Share of new-token positions that equal the ungated arm's: the quality of the saving."""
    blocks: int
    """Blocks behind `joules_saved_percent`; a claim needs 5."""


COLUMNS = tuple(field.name for field in fields(ArmRow))


@dataclass(frozen=True)
class Summary:
    """A run, read and recomputed."""

    rows: list[ArmRow]
    warnings: list[str]
    idle_w: float | None


def summarise(run: StoredRun) -> Summary:
    """Read a stored run into rows.

    Raises:
        EnergyError: the raw stream can't be read.
    """
    blocks, partial = _blocks_to_use(run)
    slots = [s for s in run.of_type("slot") if blocks.get(s["block"]) == s["session"]]
    joules = _attribute(run, slots)
    idle_w = _idle_power(run, set(blocks.values()))
    arms = {_arm(slot): None for slot in slots}
    makers = {arm: _ArmMaker(run, arm, slots, joules, idle_w) for arm in arms}
    baselines = {arm[0]: maker for arm, maker in makers.items() if _is_baseline(run, arm)}
    rows = [makers[arm].row(baselines.get(arm[0]), makers) for arm in sorted(arms, key=_reading_order(run))]
    return Summary(rows=rows, warnings=[*partial, *_warnings(run, rows, slots)], idle_w=idle_w)


Arm = tuple[str, str, bool]
"""Backend, gate label, whether it is the A/A arm."""


class _ArmMaker:
    """Slots and requests of one arm, on the way to its row."""

    def __init__(
        self,
        run: StoredRun,
        arm: Arm,
        slots: list[dict[str, Any]],
        joules: dict[int, Joules],
        idle_w: float | None,
    ) -> None:
        self.run, self.arm, self.idle_w = run, arm, idle_w
        mine = [(slot, joules.get(id(slot))) for slot in slots if _arm(slot) == arm]
        self.valid = [(slot, energy) for slot, energy in mine if slot["error"] is None]
        self.void = len(mine) - len(self.valid)
        places = {(s["session"], s["block"], s["position"]) for s, _ in self.valid}
        self.requests = [
            r for r in run.of_type("request") if (r["session"], r["block"], r["position"]) in places
        ]
        self.passes = sum(slot["passes"] for slot, _ in self.valid)
        self.seconds_s = sum(slot["end_s"] - slot["start_s"] for slot, _ in self.valid)
        self.first = {r["prompt_id"]: r for r in reversed(self.requests)}

    def per_pass(self, total: float) -> float:
        return total / self.passes if self.passes else math.nan

    @property
    def new_tokens(self) -> float:
        return self.per_pass(sum(len(r["tokens"]) for r in self.requests))

    @property
    def gross_j(self) -> float | None:
        return self._per_pass_or_none([e.total_j if e else None for _, e in self.valid])

    @property
    def bound_j(self) -> float | None:
        return self._per_pass_or_none([e.bound_j if e else None for _, e in self.valid])

    def _per_pass_or_none(self, values: list[float | None]) -> float | None:
        known = [value for value in values if value is not None]
        return self.per_pass(sum(known)) if values and len(known) == len(values) else None

    def net_j(self) -> float | None:
        gross = self.gross_j
        if gross is None or self.idle_w is None:
            return None
        net = gross - self.idle_w * self.per_pass(self.seconds_s)
        return net if net > 0 else None

    def by_block(self) -> dict[int, float]:
        """Joules per pass of every block in which all of this arm's slots have joules."""
        found: dict[int, list[tuple[float | None, int]]] = {}
        for slot, energy in self.valid:
            pair = (energy.total_j if energy else None, slot["passes"])
            found.setdefault(slot["block"], []).append(pair)
        return {
            block: sum(j for j, _ in pairs if j is not None) / sum(n for _, n in pairs)
            for block, pairs in found.items()
            if len(pairs) == 2 and all(j for j, _ in pairs)
        }

    def ratio_to(self, other: _ArmMaker) -> tuple[float | None, int]:
        """Geometric mean over common blocks of the ratio of joules, and the number of blocks."""
        mine, theirs = self.by_block(), other.by_block()
        logs = [math.log(mine[block] / theirs[block]) for block in mine.keys() & theirs.keys()]
        return (math.exp(sum(logs) / len(logs)) if logs else None), len(logs)

    def agreement_with(self, other: _ArmMaker) -> float | None:
        common = self.first.keys() & other.first.keys()
        shares = [_agreement(self.first[p]["tokens"], other.first[p]["tokens"]) for p in common]
        return 100 * sum(shares) / len(shares) if shares else None

    def routed(self, other: _ArmMaker) -> int:
        usual = {prompt: request["model"] for prompt, request in other.first.items()}
        return sum(r["model"] != usual.get(prompt, r["model"]) for prompt, r in self.first.items())

    def row(self, baseline: _ArmMaker | None, makers: dict[Arm, _ArmMaker]) -> ArmRow:
        is_baseline = baseline is None or baseline is self
        other = baseline or self
        again = makers.get((self.arm[0], other.arm[1], True))
        ratio, blocks = (None, 0) if is_baseline else self.ratio_to(other)
        floor = again.ratio_to(other)[0] if again else None
        energy = next((e for _, e in self.valid if e), None)
        gross, tokens = self.gross_j, self.new_tokens
        prefill_s = sum(r["prefilled_s"] - r["gated_s"] for r in self.requests)
        decode_s = sum(r["end_s"] - r["prefilled_s"] for r in self.requests)
        return ArmRow(
            backend=self.arm[0],
            gate=self.arm[1],
            a_a=self.arm[2],
            prompts=len(self.first),
            routed_to_small=self.routed(other),
            passes=self.passes,
            slots=len(self.valid),
            void_slots=self.void,
            seconds_per_pass=self.per_pass(self.seconds_s),
            new_tokens=tokens,
            forwards=self.per_pass(sum(r["forwards"] for r in self.requests)),
            prefill_tokens_per_s=_rate(sum(r["prompt_tokens"] for r in self.requests), prefill_s),
            decode_tokens_per_s=_rate(sum(r["forwards"] for r in self.requests), decode_s),
            energy_kind=energy.kind if energy else "none",
            boundary=energy.boundary if energy else "none",
            joules_gross=gross,
            joules_bound=self.bound_j,
            joules_net=self.net_j(),
            joules_per_new_token=gross / tokens if gross is not None and tokens else None,
            tokens_saved_percent=None if is_baseline else 100 * (1 - tokens / other.new_tokens),
            joules_saved_percent=None if ratio is None else 100 * (1 - ratio),
            noise_floor_percent=None if is_baseline or floor is None else 100 * abs(1 - floor),
            agreement_percent=None if is_baseline else self.agreement_with(other),
            blocks=blocks,
        )


def _blocks_to_use(run: StoredRun) -> tuple[dict[int, int], list[str]]:
    """Block -> session whose slots count; without a whole block, what there is, with a warning."""
    whole = run.finished_blocks
    begun = {slot["block"]: slot["session"] for slot in run.of_type("slot")}
    left = len(begun.keys() - whole.keys())
    if whole or not begun:
        return whole, [f"{left} block was cut short and is left out"] if left else []
    return begun, ["no block is whole: these are the slots there are, and no arm may be compared"]


def _attribute(run: StoredRun, slots: list[dict[str, Any]]) -> dict[int, Joules]:
    """Joules of each slot from its session's raw stream; keyed by the identity of the record."""
    found: dict[int, Joules] = {}
    for session in {slot["session"] for slot in slots}:
        mine = [s for s in slots if s["session"] == session and s["error"] is None]
        if not mine:
            continue
        folder = run.session_folder(session)
        trace, info = load_trace(folder), load_info(folder)
        energies = joules_of([(s["start_s"], s["end_s"]) for s in mine], trace=trace, info=info)
        found |= {id(slot): energy for slot, energy in zip(mine, energies, strict=True)}
    return found


def _idle_power(run: StoredRun, sessions: Iterable[int]) -> float | None:
    """Mean idle power, in watts, over all idle windows that have joules."""
    idles = [
        i for i in run.of_type("idle") if i["session"] in sessions and i["joules"]["total_j"] is not None
    ]
    seconds_s = sum(i["end_s"] - i["start_s"] for i in idles)
    return sum(i["joules"]["total_j"] for i in idles) / seconds_s if idles else None


def _warnings(run: StoredRun, rows: list[ArmRow], slots: list[dict[str, Any]]) -> list[str]:
    """What could overturn the numbers, in words."""
    found = []
    kinds = {row.energy_kind for row in rows} - {"measured", "none"}
    if kinds:
        found.append(f"joules are {' and '.join(sorted(kinds))}, not measured: no claim can rest on them")
    blocks = max((row.blocks for row in rows), default=0)
    if blocks < BLOCKS_FOR_A_CLAIM:
        found.append(f"{_count(blocks, 'block')} not enough for a claim (needs {BLOCKS_FOR_A_CLAIM})")
    shortest = min((s["end_s"] - s["start_s"] for s in slots if s["error"] is None), default=None)
    if shortest is not None and shortest < 60:
        found.append(
            f"the shortest slot lasted {shortest:.1f} s: short windows are mostly edge (a claim needs 60 s)"
        )
    found += [
        f"{event['kind']}: {event['detail']}" for event in run.of_type("event") if event["kind"] != "finished"
    ]
    return found


def _count(number: int, noun: str) -> str:
    return f"1 {noun} is" if number == 1 else f"{number} {noun}s are"


def _arm(record: dict[str, Any]) -> Arm:
    return (record["backend"], record["gate"], record["a_a"])


def _is_baseline(run: StoredRun, arm: Arm) -> bool:
    return arm[1] == run.header["baseline"] and not arm[2]


def _reading_order(run: StoredRun) -> Any:
    """Baseline first, its A/A copy next, then the gates in the order of the suite."""
    gates = [run.header["baseline"], *run.header["gates"]]
    backends = list(run.header["backends"])
    return lambda arm: (backends.index(arm[0]), gates.index(arm[1]), arm[2])


def _agreement(mine: list[int], theirs: list[int]) -> float:
    same = sum(a == b for a, b in zip(mine, theirs, strict=False))
    return same / max(len(mine), len(theirs), 1)


def _rate(amount: float, seconds_s: float) -> float | None:
    return amount / seconds_s if seconds_s > 0 else None


__all__ = ["BLOCKS_FOR_A_CLAIM", "COLUMNS", "ArmRow", "EnergyError", "Summary", "summarise"]
