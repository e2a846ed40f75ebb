"""What is stored: one JSON line per request, slot, idle, session, block and event.

A record is written once and never changed, and read back as what it was. Instants are seconds of the
harness clock (`time.perf_counter()`), which starts anew with the machine, so they only mean something
within one session of a run. Not measured is null. `SCHEMA` is on every line; the first, 1, is today's.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any, ClassVar

from backends.base import BackendInfo
from backends.guard import Verdict
from bench.run.observed import Answered, Joules, Latency, RankWindow, SameLogits, Settled
from bench.run.power import Power
from bench.typed import from_json
from energy.base import SourceInfo
from energy.lag import Lag
from energy.selftest import Finding

SCHEMA = 1

ArmKey = tuple[str, str, bool]
"""Backend, gate label, whether it is the A/A arm."""


@dataclass(frozen=True, kw_only=True)
class Record:
    """Base of everything that is appended to `records.jsonl`."""

    type: ClassVar[str]

    def to_json(self) -> dict[str, Any]:
        """The line that is stored."""
        return {"type": self.type, "schema": SCHEMA, **asdict(self)}


def record_from_json(line: dict[str, Any]) -> Record:
    """The record that was stored as this line.

    Raises:
        ValueError: it was stored by no version of this program; the message says what is wrong.
    """
    kind = line.get("type")
    if line.get("error") is not None:
        kind = f"failed {kind}"
    if not isinstance(kind, str) or kind not in _KINDS:
        raise ValueError(f"no record has the type {line.get('type')!r}")
    return from_json(_KINDS[kind], line)


@dataclass(frozen=True, kw_only=True)
class SessionRecord(Record):
    """The start of a run, or of its resumption."""

    type: ClassVar[str] = "session"
    session: int
    started_utc: str
    source: SourceInfo
    note: str
    """How the energy source was chosen."""
    loaded: dict[str, BackendInfo]
    """By `backend/model key`."""
    equal_work: list[SameLogits]
    prompt_tokens: dict[str, dict[str, int]]
    """Number of prompt tokens by model key and prompt id."""
    gates: dict[str, Verdict]
    """Whether each gate takes effect, by `backend/gate label`."""
    prompt_ids_sha256: dict[str, str] = field(default_factory=dict)
    """Of the token ids of all prompts, by model key."""
    chat_template_sha256: dict[str, str] = field(default_factory=dict)
    """Of the template that wrote the prompts as chats, by model key; none where they are plain text."""
    reading_s: float | None = None
    """Seconds between readings, as seen before the first slot; null in runs of versions that did not look."""
    stretched: dict[str, float] = field(default_factory=dict)
    """Seconds of the protocol that were lengthened for it, by key; the suite has what was stated."""
    kept_awake: str | None = None
    """The command that kept the machine from falling asleep; null where none did."""
    power: Power | None = None
    """As it was at the start, which every slot is held against; null in runs of versions before that."""


@dataclass(frozen=True, kw_only=True)
class SelfTestRecord(Record):
    """Whether each rail moved and rested under each load when it should: `passed` or `failed`."""

    type: ClassVar[str] = "self_test"
    session: int
    start_s: float
    end_s: float
    outcome: str
    findings: list[Finding]
    reason: str = ""
    """What failed; empty if nothing did."""
    windows: dict[str, tuple[float, float]] | None = None
    """When each load ran, so that the findings can be computed anew; runs of older versions have none."""


@dataclass(frozen=True, kw_only=True)
class LagRecord(Record):
    """How late the meter shows commanded pulses. Runs before schema's first such record have none."""

    type: ClassVar[str] = "lag"
    session: int
    where: str
    """`before` or `after` the blocks."""
    lag: Lag | None
    """None where the pulses told nothing."""


@dataclass(frozen=True, kw_only=True)
class LatencyRecord(Record):
    """How long single tokens of a configuration take; the first session that gets so far has them."""

    type: ClassVar[str] = "latency"
    session: int
    backend: str
    gate: str
    requests: dict[str, Latency]
    """By prompt id: the first prompts of the set."""


@dataclass(frozen=True, kw_only=True)
class SizedRecord(Record):
    """What was chosen so that a run ends in its minutes; of several the last one holds.

    A run that was not asked for minutes has none.
    """

    type: ClassVar[str] = "sized"
    session: int
    minutes: float
    """Asked for."""
    reading_s: float
    """Seconds between readings of the meter, as seen."""
    first_pass_s: dict[str, float]
    """Seconds of the first pass of each arm, which is in no slot, by label."""
    first_new_tokens: int
    """Of its answers."""
    prompts: int | None = None
    in_set: int | None = None
    """Prompts of a repeat, those at the front of so many; None in runs of versions that always took all."""
    done: int
    """Blocks that were whole when it was chosen; above 0 where their length has changed the plan."""
    blocks: int
    window_s: float
    new_tokens: int
    """Of an answer whose budget does not say."""
    run_s: float
    """Expected of the whole command."""
    verdict_s: float
    """The same with as many blocks as a verdict needs, of the shortest windows and answers."""

    @property
    def sizes(self) -> dict[str, Any]:
        """What `bench.suite.prepare.resized` takes."""
        return {n: getattr(self, n) for n in ("prompts", "blocks", "window_s", "new_tokens", "reading_s")}


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

    @property
    def power_w(self) -> float | None:
        """Mean power of the window; None where it was not measured."""
        total_j = self.joules.total_j
        return None if total_j is None else total_j / (self.end_s - self.start_s)


@dataclass(frozen=True, kw_only=True)
class PlacedRecord(Record):
    """Something that was done for an arm, in its place in the run."""

    session: int
    block: int
    position: int
    backend: str
    gate: str
    a_a: bool

    @property
    def arm(self) -> ArmKey:
        """Which arm it was done for."""
        return self.backend, self.gate, self.a_a

    @property
    def place(self) -> tuple[int, int, int]:
        """Session, block and position: the name of a slot."""
        return self.session, self.block, self.position


@dataclass(frozen=True, kw_only=True)
class RequestRecord(Settled, Answered, PlacedRecord):
    """One prompt under one arm, answered."""

    type: ClassVar[str] = "request"
    pass_number: int
    prompt_id: str
    error: None = None
    """Stored so that every request says whether it failed; like that of a slot."""

    @property
    def prefill_s(self) -> float:
        """Seconds from the gate's decision to the end of the prefill."""
        return self.prefilled_s - self.gated_s

    @property
    def decode_s(self) -> float:
        """Seconds from the end of the prefill to the end."""
        return self.end_s - self.prefilled_s


@dataclass(frozen=True, kw_only=True)
class FailedRequest(PlacedRecord):
    """A prompt to which no answer came; its slot is void."""

    type: ClassVar[str] = "request"
    pass_number: int
    prompt_id: str
    error: str


@dataclass(frozen=True, kw_only=True)
class SlotRecord(PlacedRecord):
    """An arm held for whole passes, with the joules of its window."""

    type: ClassVar[str] = "slot"
    passes: int
    start_s: float
    end_s: float
    joules: Joules
    ranks: list[RankWindow] = field(default_factory=list)
    """Of the others than the first, where several run the model together: `joules` is the sum of all."""
    power: Power | None = None
    """Read right before and right after the window: what differs from the session's start, else the later."""
    error: None = None

    @property
    def seconds_s(self) -> float:
        """Length of the window."""
        return self.end_s - self.start_s


@dataclass(frozen=True, kw_only=True)
class VoidSlot(PlacedRecord):
    """A slot that counts for nothing: its worker died or hung, or a request failed."""

    type: ClassVar[str] = "slot"
    passes: int
    start_s: None = None
    end_s: None = None
    joules: None = None
    error: str


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


_KINDS: dict[str, type[Record]] = {
    "session": SessionRecord,
    "self_test": SelfTestRecord,
    "lag": LagRecord,
    "latency": LatencyRecord,
    "sized": SizedRecord,
    "idle": IdleRecord,
    "request": RequestRecord,
    "failed request": FailedRequest,
    "slot": SlotRecord,
    "failed slot": VoidSlot,
    "block": BlockRecord,
    "event": EventRecord,
}
"""The classes of `records.jsonl` by type; one that failed has another."""
