"""A stored run as it counts: the slots of whole blocks, with joules attributed anew from the raw stream."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol, TypeVar

from analysis.checks import gate_that_failed
from bench.errors import UserError
from bench.run.joules import MeterTrust, Readings, Sources, joules_of
from bench.run.observed import Joules
from bench.run.power import changed
from bench.run.records import (
    ArmKey,
    FailedRequest,
    IdleRecord,
    LagRecord,
    RequestRecord,
    SelfTestRecord,
    SessionRecord,
    SlotRecord,
    VoidSlot,
)
from bench.run.store import StoredRun
from energy import idle as energy_idle
from energy.base import is_nominal
from energy.cadence import LEAST_READINGS
from energy.lag import Lag, joined
from energy.selftest import SelfTestOutcome, outcome
from energy.wall import fit_wall
from energy.wall_file import WallMeter

Place = tuple[int, int, int]
"""Session, block and position of a slot."""


@dataclass(frozen=True)
class Idle:
    """Power with the models loaded and nothing running, measured before, between and after the blocks."""

    watts: list[float | None]
    """Of each idle window, in the order of the run; None where it was not measured."""

    @property
    def known_w(self) -> list[float]:
        """The powers that were measured."""
        return [watts for watts in self.watts if watts is not None]

    @property
    def judged(self) -> energy_idle.IdleVerdict:
        """Mean, drift, and whether it stayed what it was."""
        return energy_idle.judge_idle(self.watts)

    def net_j(self, gross_j: float | None, *, seconds_s: float) -> float | None:
        """Joules above idle; None where idle is unknown or unstable, or nothing is left above it."""
        judged = self.judged
        if gross_j is None or judged.mean_w is None or not judged.stable:
            return None
        net_j = gross_j - judged.mean_w * seconds_s
        return net_j if net_j > 0 else None


@dataclass(frozen=True, kw_only=True)
class SlotRead(SlotRecord):
    """One slot that counts, with its requests; its joules are attributed anew."""

    requests: list[RequestRecord]
    thermal: str | None
    """Worst thermal pressure within it; None if the meter does not say."""
    excluded: str | None
    """The declared gate that it failed (`analysis.checks`); None if it counts."""


@dataclass(frozen=True, kw_only=True)
class Readback:
    """What of a run counts."""

    run: StoredRun
    slots: list[SlotRead]
    """Those that count, in the order in which they ran."""
    void: list[VoidSlot]
    """Those of the same blocks that don't."""
    sources: dict[int, Sources]
    """Readings by session."""
    idle: Idle
    whole_blocks: int
    cut_blocks: int
    """Blocks that were begun and not finished; left out, unless there is no whole one."""
    self_tests: dict[int, SelfTestOutcome] = field(default_factory=dict)
    """What the meter's self-test found, by session that had one."""

    @property
    def baseline(self) -> str:
        """Gate label of the ungated arm."""
        return self.run.header.baseline

    @property
    def arms(self) -> list[ArmKey]:
        """Arms in reading order: per backend the baseline, its copy, then the gates as in the suite."""
        header = self.run.header
        gates = [header.baseline, *header.gates]

        def place(arm: ArmKey) -> tuple[int, int, bool]:
            return header.backends.index(arm[0]), gates.index(arm[1]), arm[2]

        return sorted({slot.arm for slot in (*self.slots, *self.void)}, key=place)

    def of_arm(self, arm: ArmKey) -> list[SlotRead]:
        """The slots of one arm."""
        return [slot for slot in self.slots if slot.arm == arm]

    def answers(self, arm: ArmKey) -> dict[str, RequestRecord]:
        """By prompt id the request of the first time that an arm was asked it."""
        return first_of_each_prompt(self.of_arm(arm))


def first_of_each_prompt(slots: Iterable[SlotRead]) -> dict[str, RequestRecord]:
    """By prompt id the first request of these slots."""
    found: dict[str, RequestRecord] = {}
    for slot in slots:
        for request in slot.requests:
            found.setdefault(request.prompt_id, request)
    return found


def tokens_of(requests: Mapping[str, RequestRecord]) -> dict[str, list[int]]:
    """By prompt id the new tokens."""
    return {prompt: request.tokens for prompt, request in requests.items()}


def requests_by_slot(run: StoredRun) -> dict[Place, list[RequestRecord | FailedRequest]]:
    """The requests of each slot of a run; where one failed it is the last."""
    found: dict[Place, list[RequestRecord | FailedRequest]] = defaultdict(list)
    requests: list[RequestRecord | FailedRequest] = [*run.of(RequestRecord), *run.of(FailedRequest)]
    for request in requests:
        found[request.place].append(request)
    return found


def read_back(run: StoredRun, *, wall: WallMeter | None = None) -> Readback:
    """Find the slots that count and attribute their joules.

    Args:
        run: the stored run.
        wall: samples of an external meter, which then leads.

    Raises:
        EnergyError: a raw stream can't be read, or the wall meter's samples don't fit the run's own.
    """
    whole = run.finished_blocks
    begun = {slot.block: slot.session for slot in (*run.of(SlotRecord), *run.of(VoidSlot))}
    sessions = whole or begun
    slots = [slot for slot in run.of(SlotRecord) if sessions.get(slot.block) == slot.session]
    _check_named(run)
    stored = {number: Sources.stored(run.session_folder(number)) for number in sorted(set(sessions.values()))}
    self_tests = _self_tests(run, stored)
    stored = {number: own.placed(lag_of_session(run, number)) for number, own in stored.items()}
    sources = {
        number: _led(
            run, number, own.without(self_tests[number].silent) if number in self_tests else own, wall
        )
        for number, own in stored.items()
    }
    idle = _idle(run, sources)
    return Readback(
        run=run,
        slots=_with_joules(run, slots, sources, _trust(sources, self_tests, idle)),
        void=[slot for slot in run.of(VoidSlot) if sessions.get(slot.block) == slot.session],
        sources=sources,
        idle=idle,
        whole_blocks=len(whole),
        cut_blocks=len(begun.keys() - whole.keys()),
        self_tests=self_tests,
    )


def _check_named(run: StoredRun) -> None:
    """Everything that was run was asked for.

    Raises:
        UserError: a record is of something that run.json does not name.
    """
    header = run.header
    known = {(backend, gate) for backend in header.backends for gate in (header.baseline, *header.gates)}
    for record in (*run.of(SlotRecord), *run.of(VoidSlot)):
        if record.arm[:2] not in known:
            raise UserError(
                f"{run.folder} holds a record of {record.backend} {record.gate}, which its run.json does not "
                "name",
                fix="restore run.json from a copy",
            )


class _MayFail(Protocol):
    """A slot as it was read, or as a row."""

    @property
    def arm(self) -> Hashable: ...
    @property
    def excluded(self) -> str | None: ...


AnySlot = TypeVar("AnySlot", bound=_MayFail)


def that_count(slots: Sequence[AnySlot]) -> list[AnySlot]:
    """The slots that an arm's figures rest on: those that failed no declared gate.

    An arm of which no slot counts keeps them all: they are the figures there are, and no verdict rests on
    them.
    """
    counting = {slot.arm for slot in slots if slot.excluded is None}
    return [slot for slot in slots if slot.excluded is None or slot.arm not in counting]


def _self_tests(run: StoredRun, sources: dict[int, Sources]) -> dict[int, SelfTestOutcome]:
    """What the self-test of each session means, judged anew from its findings."""
    return {
        test.session: outcome(test.findings, sources[test.session].lead.info.rails)
        for test in run.of(SelfTestRecord)
        if test.session in sources
    }


def lag_of_session(run: StoredRun, session: int) -> Lag | None:
    """The lag of the meter from the pulses before and after a session's blocks; None if they told nothing."""
    lags = {record.where: record.lag for record in run.of(LagRecord) if record.session == session}
    return joined(lags.get("before"), lags.get("after"))


def _led(run: StoredRun, session: int, own: Sources, wall: WallMeter | None) -> Sources:
    """The readings of a session; an external meter leads where there is one."""
    if wall is None:
        return own
    tests = [test for test in run.of(SelfTestRecord) if test.session == session]
    pulse = (tests[0].start_s, tests[0].end_s) if tests else None
    fitted = fit_wall(wall, own.lead.trace, pulse=pulse)
    return Sources(Readings(fitted.trace, fitted.info), (own.lead, *own.others))


def _idle(run: StoredRun, sources: dict[int, Sources]) -> Idle:
    watts: list[float | None] = []
    for session, readings in sources.items():
        windows = [idle for idle in run.of(IdleRecord) if idle.session == session]
        found = joules_of([(idle.start_s, idle.end_s) for idle in windows], readings, MeterTrust())
        watts += [replace(idle, joules=joules).power_w for idle, joules in zip(windows, found, strict=True)]
    return Idle(watts)


def _with_joules(
    run: StoredRun, slots: Sequence[SlotRecord], sources: dict[int, Sources], trust: dict[int, MeterTrust]
) -> list[SlotRead]:
    requests: dict[Place, list[RequestRecord]] = defaultdict(list)
    for request in run.of(RequestRecord):
        requests[request.place].append(request)
    joules: dict[Place, Joules] = {}
    for session, readings in sources.items():
        mine = [slot for slot in slots if slot.session == session]
        figures = joules_of([(slot.start_s, slot.end_s) for slot in mine], readings, trust[session])
        joules |= {slot.place: figure for slot, figure in zip(mine, figures, strict=True)}
    begun = {session.session: session.power for session in run.of(SessionRecord)}
    read = []
    for slot in slots:
        found = joules[slot.place]
        gate = failed_gate(
            found.thermal,
            found.readings,
            power=changed(begun.get(slot.session), slot.power),
            as_published=run.header.overrides.as_published,
        )
        fields = {**vars(slot), "joules": found, "thermal": found.thermal, "excluded": gate}
        read.append(SlotRead(**fields, requests=requests[slot.place]))
    return read


def failed_gate(
    thermal: str | None, readings: int | None, *, power: str | None, as_published: bool = False
) -> str | None:
    """The declared gate that a slot failed, which leaves it out; None if it counts.

    Args:
        thermal: worst pressure within it, as the meter words it; None if no meter says.
        readings: of it; None without a meter.
        power: how the power supply differs from the session's start; None if it does not.
        as_published: whether its run repeats the papers' protocol.
    """
    throttled = None if thermal is None or is_nominal(thermal) else thermal
    return gate_that_failed(
        throttled=throttled,
        power=power,
        readings=readings,
        fewest_readings=LEAST_READINGS,
        as_published=as_published,
    )


def _trust(
    sessions: Iterable[int], self_tests: dict[int, SelfTestOutcome], idle: Idle
) -> dict[int, MeterTrust]:
    """What is known of each session's meter."""
    stable = idle.judged.stable if idle.known_w else None
    return {
        number: MeterTrust(
            self_test=self_tests[number].word if number in self_tests else "not run", idle_stable=stable
        )
        for number in sessions
    }
