"""A run -> one row per arm.

Figures are per pass over the prompt set, so that arms which needed different numbers of passes to fill
their windows can be compared. Percentages compare an arm with the ungated arm of its own backend.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, fields
from typing import Any

from analysis.values import Withheld, counted
from bench.report.readback import ArmKey, Idle, Readback, Record
from bench.report.rows import arm_label
from bench.report.split import ArmSplit, splits
from bench.report.verdicts import INACTIVE, ArmVerdict, verdicts
from bench.run.records import Joules

BLOCKS_FOR_A_CLAIM = 5
WINDOW_FOR_A_CLAIM_S = 60.0
NOISY_PERCENT = 10.0
"""An A/A floor above it says that something else was running."""


@dataclass(frozen=True, kw_only=True)
class ArmRow:
    """One backend and gate."""

    backend: str
    gate: str
    a_a: bool
    prompts: int
    routed_to_small: int
    """Prompts that the gate sent to another model than the ungated arm uses."""
    passes: int
    slots: int
    void_slots: int
    seconds: float
    """Per pass, as are tokens, forwards and joules."""
    prompt_tokens: float
    new_tokens: float
    forwards: float
    """Decode forwards."""
    prefill_tokens_per_s: float | None
    decode_tokens_per_s: float | None
    energy_kind: str
    boundary: str
    grade: int | None
    """Lowest of the arm's slots; see `energy/grade.py`."""
    grade_name: str
    grade_reasons: tuple[str, ...]
    """What keeps it from being higher."""
    joules_gross: float | None
    joules_bound: float | None
    """How far the attribution can be off, if the source is right."""
    joules_net: float | None
    """Idle power taken off; withheld when nothing is left or idle drifted too much to say."""
    joules_per_new_token: float | None
    joules_per_total_token: float | None
    """Prompt and new tokens together."""
    tokens_saved_percent: float | None
    bytes_saved_percent: float | None
    """Weights and cache that need not be read, counted from shapes; not measured traffic."""
    agreement_percent: float | None
    """Share of new-token positions that equal the ungated arm's: the quality of the saving."""
    joules_saved_percent: float | None
    saved_low_percent: float | None
    saved_high_percent: float | None
    noise_floor_percent: float | None
    blocks: int
    verdict: str | None
    reason: str | None
    """These seven: `bench.report.verdicts.ArmVerdict`."""

    @property
    def label(self) -> str:
        """The name of the arm in every analysis, such as `torch ungated (A/A)`."""
        return arm_label((self.backend, self.gate, self.a_a))


COLUMNS = tuple(field.name for field in fields(ArmRow))


@dataclass(frozen=True)
class Summary:
    """A run, read and recomputed."""

    rows: list[ArmRow]
    warnings: list[str]
    idle: Idle
    splits: dict[ArmKey, ArmSplit | Withheld]
    """Where the saving of each arm that has one comes from."""


def summarise(readback: Readback) -> Summary:
    """A run's rows and whatever could overturn them."""
    header = readback.run.header
    judged = verdicts(readback, threshold=header["threshold"])
    arms = {key: _Arm(key, readback) for key in readback.arms}
    rows = [
        _row(arm, arms.get((key[0], header["baseline"], False)), judged[key]) for key, arm in arms.items()
    ]
    return Summary(
        rows=rows,
        warnings=_warnings(readback, rows),
        idle=readback.idle,
        splits=splits(readback, {key for key in arms if judged[key].verdict != INACTIVE}),
    )


class _Arm:
    """The slots of one arm that are not void, and what they add up to."""

    def __init__(self, key: ArmKey, readback: Readback) -> None:
        mine = readback.of_arm(key)
        self.key = key
        self.idle = readback.idle
        self.slots = [slot for slot in mine if slot.slot["error"] is None]
        self.void = len(mine) - len(self.slots)
        self.requests = [request for slot in self.slots for request in slot.requests]
        self.passes = sum(slot.slot["passes"] for slot in self.slots)
        self.first: dict[str, Record] = {r["prompt_id"]: r for r in reversed(self.requests)}

    def per_pass(self, total: float) -> float:
        return total / self.passes if self.passes else math.nan

    def work(self) -> dict[str, Any]:
        prefill_s = sum(r["prefilled_s"] - r["gated_s"] for r in self.requests)
        decode_s = sum(r["end_s"] - r["prefilled_s"] for r in self.requests)
        forwards = sum(r["forwards"] for r in self.requests)
        return {
            "prompts": len(self.first),
            "passes": self.passes,
            "slots": len(self.slots),
            "void_slots": self.void,
            "seconds": self.per_pass(sum(slot.seconds_s for slot in self.slots)),
            "prompt_tokens": self.prompt_tokens,
            "new_tokens": self.new_tokens,
            "forwards": self.per_pass(forwards),
            "prefill_tokens_per_s": _rate(sum(r["prompt_tokens"] for r in self.requests), prefill_s),
            "decode_tokens_per_s": _rate(forwards, decode_s),
        }

    def energy(self) -> dict[str, Any]:
        joules = [slot.joules for slot in self.slots if slot.joules]
        gross_j = self._total([j.total_j for j in joules])
        seconds_s = self.per_pass(sum(slot.seconds_s for slot in self.slots))
        return {
            "energy_kind": joules[0].kind if joules else "none",
            "boundary": joules[0].boundary if joules else "none",
            **_lowest_grade(joules),
            "joules_gross": gross_j,
            "joules_bound": self._total([j.bound_j for j in joules]),
            "joules_net": self.idle.net_j(gross_j, seconds_s=seconds_s),
            "joules_per_new_token": _each(gross_j, self.new_tokens),
            "joules_per_total_token": _each(gross_j, self.prompt_tokens + self.new_tokens),
        }

    @property
    def prompt_tokens(self) -> float:
        return self.per_pass(sum(r["prompt_tokens"] for r in self.requests))

    @property
    def new_tokens(self) -> float:
        return self.per_pass(sum(len(r["tokens"]) for r in self.requests))

    def _total(self, values: list[float | None]) -> float | None:
        known = [value for value in values if value is not None]
        return self.per_pass(sum(known)) if values and len(known) == len(values) else None

    def bytes_read(self) -> float | None:
        """Bytes per pass that must be read, counted; None for a stand-in."""
        counted = [(r["prefill_bytes"], r["decode_bytes"]) for r in self.requests]
        if not counted or any(None in pair for pair in counted):
            return None
        return self.per_pass(sum(map(sum, counted)))


def _lowest_grade(joules: list[Joules]) -> dict[str, Any]:
    lowest = min(joules, key=lambda j: j.grade, default=None)
    return {
        "grade": lowest.grade if lowest else None,
        "grade_name": lowest.grade_name if lowest else "none",
        "grade_reasons": tuple(lowest.grade_reasons) if lowest else (),
    }


def _row(arm: _Arm, baseline: _Arm | None, verdict: ArmVerdict) -> ArmRow:
    backend, gate, a_a = arm.key
    compared = _compared(arm, None if verdict.verdict == INACTIVE else baseline)
    return ArmRow(
        backend=backend, gate=gate, a_a=a_a, **arm.work(), **arm.energy(), **compared, **asdict(verdict)
    )


def _compared(arm: _Arm, baseline: _Arm | None) -> dict[str, Any]:
    """The columns of work that set an arm beside the ungated arm of its backend."""
    if baseline is None or baseline is arm:
        nothing = dict.fromkeys(("tokens_saved_percent", "bytes_saved_percent", "agreement_percent"))
        return {**nothing, "routed_to_small": 0}
    usual = {prompt: request["model"] for prompt, request in baseline.first.items()}
    read = (arm.bytes_read(), baseline.bytes_read())
    return {
        "routed_to_small": sum(r["model"] != usual.get(p, r["model"]) for p, r in arm.first.items()),
        "tokens_saved_percent": 100 * (1 - arm.new_tokens / baseline.new_tokens),
        "bytes_saved_percent": 100 * (1 - read[0] / read[1]) if read[0] and read[1] else None,
        "agreement_percent": _agreement_percent(arm, baseline),
    }


def _agreement_percent(arm: _Arm, baseline: _Arm) -> float | None:
    """Mean over prompts of the share of equal new-token positions."""
    shares = []
    for prompt in arm.first.keys() & baseline.first.keys():
        mine, theirs = arm.first[prompt]["tokens"], baseline.first[prompt]["tokens"]
        same = sum(a == b for a, b in zip(mine, theirs, strict=False))
        shares.append(same / max(len(mine), len(theirs), 1))
    return 100 * sum(shares) / len(shares) if shares else None


def _warnings(readback: Readback, rows: list[ArmRow]) -> list[str]:
    """What could overturn the numbers, in words."""
    return [
        *_about_the_meter(readback),
        *_about_blocks(readback, rows),
        *noise_warnings(rows),
        *_about_energy(readback, rows),
        *_about_events(readback),
    ]


def _about_the_meter(readback: Readback) -> list[str]:
    """A failed self-test, and what follows from it."""
    found = []
    for session, tested in readback.self_tests.items():
        if tested.passed:
            continue
        silent = ", ".join(
            rail for rail in readback.sources[session].lead.info.rails if rail in tested.silent
        )
        consequence = (
            f"joules of {silent} are withheld, totals with them, and no arm is judged"
            if silent
            else "its joules are kept and graded 1"
        )
        found.append(f"the self-test of the meter failed, so {consequence}: {tested.reason}")
    return list(dict.fromkeys(found))


def _about_blocks(readback: Readback, rows: list[ArmRow]) -> list[str]:
    if not readback.whole_blocks:
        return ["no block is whole: these are the slots there are, and no arm may be compared"]
    found = []
    if readback.cut_blocks:
        found.append(f"{counted(readback.cut_blocks, 'block')} cut short, and left out")
    blocks = max((row.blocks for row in rows), default=0)
    if blocks < BLOCKS_FOR_A_CLAIM:
        are = "1 block is" if blocks == 1 else f"{blocks} blocks are"
        found.append(f"{are} not enough for a claim (needs {BLOCKS_FOR_A_CLAIM})")
    lengths_s = [slot.seconds_s for slot in readback.slots if slot.slot["error"] is None]
    if lengths_s and min(lengths_s) < WINDOW_FOR_A_CLAIM_S:
        found.append(
            f"the shortest slot lasted {min(lengths_s):.1f} s: short windows are mostly edge "
            f"(a claim needs {WINDOW_FOR_A_CLAIM_S:.0f} s)"
        )
    return found


def noise_warnings(rows: list[ArmRow]) -> list[str]:
    """Backends whose ungated arm was not the same thing twice."""
    floors = {row.backend: row.noise_floor_percent for row in rows if row.noise_floor_percent is not None}
    return [
        f"{backend}: the ungated arm differs from itself by {floor:.0f} per cent, so the machine was not "
        "quiet: see bench doctor, then run again"
        for backend, floor in floors.items()
        if floor > NOISY_PERCENT
    ]


def _about_energy(readback: Readback, rows: list[ArmRow]) -> list[str]:
    found = []
    kinds = sorted({row.energy_kind for row in rows} - {"measured", "none"})
    if kinds:
        found.append(f"joules are {' and '.join(kinds)}, not measured: no claim can rest on them")
    withheld = {slot.joules.withheld for slot in readback.slots if slot.joules and slot.joules.withheld}
    found += [f"joules withheld: {reason}" for reason in sorted(withheld)]
    found += sorted({f"{r.backend}: {r.reason}" for r in rows if r.verdict == "withheld"})
    found += [f"{r.backend} {r.gate}: {INACTIVE}, {r.reason}" for r in rows if r.verdict == INACTIVE]
    if any(row.joules_gross is not None and row.joules_net is None for row in rows):
        judged = readback.idle.judged
        why = "no joules are left above idle" if judged.stable else judged.reason
        found.append(f"net joules withheld: {why}")
    return found


def _about_events(readback: Readback) -> list[str]:
    return [f"{e['kind']}: {e['detail']}" for e in readback.run.of_type("event") if e["kind"] != "finished"]


def _each(joules_j: float | None, tokens: float) -> float | None:
    return joules_j / tokens if joules_j and tokens > 0 else None


def _rate(amount: float, seconds_s: float) -> float | None:
    return amount / seconds_s if seconds_s > 0 else None
