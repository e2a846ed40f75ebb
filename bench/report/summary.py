"""A run -> one row per arm.

Figures are per pass over the prompt set, so that arms which needed different numbers of passes to fill
their windows can be compared. Percentages compare an arm with the one that `against` names: the baseline of
its own backend, or for another backend's baseline that of the first.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from analysis.arms import Level
from analysis.checks import Caution
from analysis.quality import mean_agreement
from analysis.rows import Slot
from analysis.values import Withheld
from analysis.verdict import INACTIVE
from bench.report.arm_costs import Costs
from bench.report.arm_row import ArmRow
from bench.report.cautions import cautions
from bench.report.latency import latency_of
from bench.report.readback import Readback
from bench.report.slots import first_of_each_prompt, that_count, tokens_of
from bench.report.split import ArmSplit, splits
from bench.report.verdicts import columns, judge_arms, opponents
from bench.run.observed import Joules
from bench.run.records import ArmKey, LatencyRecord


@dataclass(frozen=True)
class Summary:
    """A run, read and recomputed."""

    rows: list[ArmRow]
    cautions: list[Caution]
    """What could overturn the numbers."""
    splits: dict[ArmKey, ArmSplit | Withheld]
    """Where the saving of each arm that has one comes from."""

    def noise_percent(self, backend: str) -> float | None:
        """What the baseline of a backend can seem to save against itself; None without an A/A pair."""
        return next((row.noise_percent for row in self.rows if row.a_a and row.backend == backend), None)

    @property
    def warnings(self) -> list[str]:
        """The cautions in words."""
        return [caution.words for caution in self.cautions]


def summarise(readback: Readback) -> Summary:
    """A run's rows and whatever could overturn them."""
    baseline, slots = readback.baseline, readback.slots
    threshold = readback.run.header.threshold
    judged = judge_arms(slots, readback.arms, baseline=baseline, threshold=threshold)
    arms = {key: _Arm(key, readback, slots) for key in readback.arms}
    others = opponents(readback.arms, baseline=baseline)
    rows = [
        _row(arm, arms.get(others.get(key, key)), columns(readback, slots, key, judged.get(key)))
        for key, arm in arms.items()
    ]
    active = {key for key, row in zip(arms, rows, strict=True) if row.verdict != INACTIVE}
    return Summary(
        rows=rows,
        cautions=cautions(readback, slots, judged=judged, rows=rows),
        splits=splits(readback, active),
    )


class _Arm:
    """The slots of one arm, and what they add up to."""

    def __init__(self, key: ArmKey, readback: Readback, slots: Sequence[Slot]) -> None:
        self.key = key
        self.idle = readback.idle
        self.costs = Costs.of(readback, key)
        self.latency = latency_of(readback.run.of(LatencyRecord), key)
        ran = readback.of_arm(key)
        self.slots = that_count(ran)
        self.void = sum(slot.arm == key for slot in readback.void)
        self.left_out = sum(slot.excluded is not None for slot in ran)
        self.requests = [request for slot in self.slots for request in slot.answers]
        self.passes = sum(slot.record.passes for slot in self.slots)
        self.first = first_of_each_prompt(self.slots)

    def per_pass(self, total: float) -> float:
        return total / self.passes if self.passes else math.nan

    def work(self) -> dict[str, Any]:
        forwards = sum(r.forwards for r in self.requests)
        batches = {r.batch for r in self.requests}
        return {
            "prompts": len(self.first),
            "batch": batches.pop() if len(batches) == 1 else None,
            "served": any(r.served for r in self.requests),
            "repeats": self.passes,
            "windows": len(self.slots),
            "void_windows": self.void,
            "left_out_windows": self.left_out,
            "seconds_per_repeat_s": self.seconds,
            "prompt_tokens_per_repeat": self.prompt_tokens,
            "cached_tokens_per_repeat": self.per_pass(sum(r.batch * r.cached_tokens for r in self.requests)),
            "generated_tokens_per_repeat": self.new_tokens,
            "reasoning_tokens_per_repeat": self._total(
                [None if r.reasoning_tokens is None else r.batch * r.reasoning_tokens for r in self.requests]
            ),
            "forwards_per_repeat": self.per_pass(forwards),
            "prefill_tokens_per_s": self.costs.tokens_per_s("prefill"),
            "decode_tokens_per_s": self.costs.tokens_per_s("decode"),
            **self.latency,
        }

    def energy(self) -> dict[str, Any]:
        joules = [slot.record.joules for slot in self.slots]
        split = any(slot.record.ranks for slot in self.slots)  # idle is not that of the other ranks
        gross_j = self._of_a_pass(self.costs.request)
        per_token = self.costs.new_token
        interval = per_token.interval if per_token else None
        return {
            "kind": joules[0].kind if joules else "none",
            "boundary": joules[0].boundary if joules else "none",
            **_lowest_grade(joules),
            "gross_per_repeat_j": gross_j,
            "bound_per_repeat_j": self._bound_j(),
            "net_per_repeat_j": None if split else self.idle.net_j(gross_j, seconds_s=self.seconds),
            "joules_per_token": per_token.point if per_token else None,
            "joules_per_token_low": interval.low if interval else None,
            "joules_per_token_high": interval.high if interval else None,
            "joules_per_total_token": self.costs.total_token.point if self.costs.total_token else None,
        }

    @property
    def seconds(self) -> float:
        seconds_s = self._of_a_pass(self.costs.seconds)
        return math.nan if seconds_s is None else seconds_s

    def _of_a_pass(self, per_request: Level | None) -> float | None:
        return None if per_request is None else per_request.point * self.answers

    @property
    def answers(self) -> int:
        """Requests of a pass: one for each prompt, or a batch."""
        return sum(r.batch for r in self.first.values())

    def _bound_j(self) -> float | None:
        """Of the slots that have joules; errors at the edges of windows share a sign at worst."""
        ran = [slot.record for slot in self.slots]
        known = [one.joules.bound_j / one.passes for one in ran if one.joules.bound_j is not None]
        return sum(known) / len(known) if known else None

    @property
    def prompt_tokens(self) -> float:
        return self.per_pass(sum(r.all_prompt_tokens for r in self.requests))

    @property
    def new_tokens(self) -> float:
        return self.per_pass(sum(r.all_new_tokens for r in self.requests))

    def _total(self, values: Sequence[float | None]) -> float | None:
        known = [value for value in values if value is not None]
        return self.per_pass(sum(known)) if values and len(known) == len(values) else None

    def bytes_read(self) -> float | None:
        """Bytes per pass that must be read, counted; None for a stand-in."""
        return self._total([n for r in self.requests for n in (r.prefill_bytes, r.decode_bytes)])


def _lowest_grade(joules: list[Joules]) -> dict[str, Any]:
    lowest = min(joules, key=lambda j: (j.grade, -j.share_uncertain), default=None)
    return {
        "grade": lowest.grade if lowest else None,
        "grade_name": lowest.grade_name if lowest else "none",
        "grade_reasons": tuple(lowest.grade_reasons) if lowest else (),
    }


def _row(arm: _Arm, baseline: _Arm | None, judged: dict[str, Any]) -> ArmRow:
    backend, gate, a_a = arm.key
    compared = _compared(arm, None if judged.get("verdict") == INACTIVE else baseline)
    return ArmRow(backend=backend, gate=gate, a_a=a_a, **arm.work(), **arm.energy(), **compared, **judged)


_OF_WORK = ("tokens_saved_percent", "bytes_saved_percent", "token_match_percent", "same_answers")


def _compared(arm: _Arm, baseline: _Arm | None) -> dict[str, Any]:
    """The columns of work that set an arm beside what it is held against."""
    if baseline is None or baseline is arm:
        nothing = dict.fromkeys(_OF_WORK)
        return {**nothing, "routed_to_small": 0}
    usual = {prompt: request.model for prompt, request in baseline.first.items()}
    rows = baseline.answers / arm.answers if arm.answers else None
    """Of the baseline for each one here: what is saved is told of the same number of answers."""
    read = (arm.bytes_read(), baseline.bytes_read())
    return {
        "routed_to_small": sum(r.model != usual.get(p, r.model) for p, r in arm.first.items()),
        "tokens_saved_percent": _saved(arm.new_tokens, baseline.new_tokens, rows),
        "bytes_saved_percent": _saved(*read, rows) if read[0] else None,
        "token_match_percent": _token_match_percent(arm, baseline),
        "same_answers": _same_answers(arm, baseline),
    }


def _saved(mine: float | None, theirs: float | None, rows: float | None) -> float | None:
    """Per cent fewer than the baseline has; None where one of them is not known, or the baseline has none."""
    return 100 * (1 - rows * mine / theirs) if rows and mine is not None and theirs else None


def _token_match_percent(arm: _Arm, baseline: _Arm) -> float | None:
    """Mean over prompts of the share of equal new-token positions."""
    mean = mean_agreement(tokens_of(arm.first), tokens_of(baseline.first))
    return None if mean is None else 100 * mean.mean


def _same_answers(arm: _Arm, baseline: _Arm) -> int | None:
    """How many prompts both answered with the very same tokens."""
    mine, theirs = tokens_of(arm.first), tokens_of(baseline.first)
    both = mine.keys() & theirs.keys()
    return sum(mine[prompt] == theirs[prompt] for prompt in both) if both else None
