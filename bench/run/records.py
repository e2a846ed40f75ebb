"""What is stored: one JSON line per request, slot, idle, session, block and event.

A record is written once and never changed. Instants are seconds of the harness clock
(`time.perf_counter()`), which starts anew with the machine, so they only mean something within one
session of a run. Not measured is null.

Schema history (`SCHEMA` is on every line)
    1   first
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any, ClassVar

SCHEMA = 1


@dataclass(frozen=True, kw_only=True)
class Record:
    """Base of everything that is appended to `records.jsonl`."""

    type: ClassVar[str]

    def to_json(self) -> dict[str, Any]:
        """The line that is stored."""
        return {"type": self.type, "schema": SCHEMA, **asdict(self)}


@dataclass(frozen=True, kw_only=True)
class Joules:
    """Energy of one window, as attributed from the readings of one source."""

    total_j: float | None
    """Sum over the rails of the boundary; null when one of them is missing."""
    bound_j: float | None
    """The true total lies within `total_j` plus or minus this, as far as the source is right."""
    rails_j: dict[str, float | None]
    readings: int
    """Readings that overlap the window."""
    kind: str
    """measured, modelled, simulated or replayed: only the first is a measurement of this run."""
    boundary: str
    """What the total covers; totals of different boundaries are never compared."""
    grade: int
    """0 (not a measurement of this run) to 4 (external meter); see `energy/grade.py`."""
    grade_name: str
    grade_reasons: list[str]
    """What keeps the grade from being higher."""
    withheld: str | None = None
    """Why there is no total, if there is none."""


@dataclass(frozen=True, kw_only=True)
class SessionRecord(Record):
    """The start of a run, or of its resumption."""

    type: ClassVar[str] = "session"
    session: int
    started_utc: str
    source: dict[str, Any]
    note: str
    """How the energy source was chosen."""
    loaded: dict[str, dict[str, Any]]
    """BackendInfo by `backend/model key`."""
    equal_work: list[dict[str, Any]]
    prompt_tokens: dict[str, dict[str, int]]
    """Number of prompt tokens by model key and prompt id."""
    gates: dict[str, dict[str, str]]
    """By `backend/gate label`: `outcome` (`effective` or `gate inactive`) and `reason`."""


@dataclass(frozen=True, kw_only=True)
class SelfTestRecord(Record):
    """Whether each rail moved when it should and rested when it should."""

    type: ClassVar[str] = "self_test"
    session: int
    start_s: float
    end_s: float
    outcome: str
    """`passed` or `failed`."""
    findings: list[dict[str, Any]]
    """energy.selftest.Finding of each rail under each load."""
    reason: str = ""
    """What failed; empty if nothing did."""


@dataclass(frozen=True, kw_only=True)
class IdleRecord(Record):
    """Models loaded, nothing running."""

    type: ClassVar[str] = "idle"
    session: int
    where: str
    """`before`, `between` or `after` the blocks."""
    start_s: float
    end_s: float
    joules: Joules


@dataclass(frozen=True, kw_only=True)
class RequestRecord(Record):
    """One prompt under one arm."""

    type: ClassVar[str] = "request"
    session: int
    block: int
    position: int
    pass_number: int
    backend: str
    gate: str
    a_a: bool
    prompt_id: str
    model: str | None = None
    """Key of the model that the gate chose."""
    prompt_tokens: int | None = None
    tokens: list[int] = field(default_factory=list)
    forwards: int | None = None
    start_s: float | None = None
    gated_s: float | None = None
    prefilled_s: float | None = None
    end_s: float | None = None
    text: str | None = None
    cut: dict[str, Any] | None = None
    """What was left out: the values of `backends.cut.Cut` that are not the default."""
    prefill_bytes: int | None = None
    """Weights and cache that an ideal kernel must read, from counted shapes; not measured traffic."""
    decode_bytes: int | None = None
    prefill_flops: int | None = None
    """A multiply-add counts as two."""
    decode_flops: int | None = None
    error: str | None = None


@dataclass(frozen=True, kw_only=True)
class SlotRecord(Record):
    """An arm held for whole passes, with the joules of its window."""

    type: ClassVar[str] = "slot"
    session: int
    block: int
    position: int
    backend: str
    gate: str
    a_a: bool
    passes: int
    start_s: float | None
    end_s: float | None
    joules: Joules | None
    error: str | None = None
    """The slot is void: its worker died or hung, or a request failed."""


@dataclass(frozen=True, kw_only=True)
class BlockRecord(Record):
    """All slots of a block were run; a resumed run does not run it again."""

    type: ClassVar[str] = "block"
    session: int
    block: int


@dataclass(frozen=True, kw_only=True)
class EventRecord(Record):
    """Something that a reader of the numbers must know, or the end of a session."""

    type: ClassVar[str] = "event"
    session: int
    kind: str
    detail: str
    at_s: float
