"""A stored run as it counts: the slots of whole blocks, with joules attributed anew from the raw stream."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

from analysis.looks import level_of_run
from bench.errors import UserError
from bench.report.slots import Idle, SlotRead, failed_gate, first_of_each_prompt
from bench.run.joules import MeterTrust, Readings, Sources, joules_of
from bench.run.observed import Joules
from bench.run.power import changed
from bench.run.ranks.joules import attributed_again, summed
from bench.run.records import (
    ArmKey,
    FailedRequest,
    IdleRecord,
    LagRecord,
    RequestRecord,
    SelfTestRecord,
    SlotRecord,
    VoidSlot,
)
from bench.run.store import StoredRun
from energy.lag import Lag, joined
from energy.selftest import IDLE, Finding, SelfTestOutcome, judge_windows, outcome
from energy.wall import fit_wall
from energy.wall_file import WallMeter

Place = tuple[int, int, int]
"""Session, block and position of a slot."""


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
    """What the meter's self-test means, by session that had one."""
    findings: dict[int, list[Finding]] = field(default_factory=dict)
    """What it found, computed anew wherever it is known when its loads ran."""

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

        ran = [*(slot.record for slot in self.slots), *self.void]
        return sorted({slot.arm for slot in ran}, key=place)

    @property
    def why_withheld(self) -> list[str]:
        """Why slots have no joules, each reason once."""
        return sorted({why for slot in self.slots if (why := slot.record.joules.withheld)})

    def of_arm(self, arm: ArmKey) -> list[SlotRead]:
        """The slots of one arm."""
        return [slot for slot in self.slots if slot.record.arm == arm]

    def answers(self, arm: ArmKey) -> dict[str, RequestRecord]:
        """By prompt id the request of the first time that an arm was asked it."""
        return first_of_each_prompt(self.of_arm(arm))


def requests_by_slot(run: StoredRun) -> dict[Place, list[RequestRecord | FailedRequest]]:
    """The requests of each slot of a run; where one failed it is the last."""
    by_slot: dict[Place, list[RequestRecord | FailedRequest]] = defaultdict(list)
    requests: list[RequestRecord | FailedRequest] = [*run.of(RequestRecord), *run.of(FailedRequest)]
    for request in requests:
        by_slot[request.place].append(request)
    return by_slot


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
    findings = _findings(run, stored)
    rails = {number: own.lead.info.rails for number, own in stored.items()}
    self_tests = {number: outcome(found, rails[number]) for number, found in findings.items()}
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
        slots=_with_joules(run, slots, sources, self_tests, idle),
        void=[slot for slot in run.of(VoidSlot) if sessions.get(slot.block) == slot.session],
        sources=sources,
        idle=idle,
        whole_blocks=len(whole),
        cut_blocks=len(begun.keys() - whole.keys()),
        self_tests=self_tests,
        findings=findings,
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


def _findings(run: StoredRun, sources: dict[int, Sources]) -> dict[int, list[Finding]]:
    """What the self-test of each session found, from the readings of the windows in which its loads ran."""
    return {
        test.session: judge_windows(sources[test.session].lead.trace, test.windows)
        if test.windows and IDLE in test.windows
        else test.findings
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
        figures = joules_of([(idle.start_s, idle.end_s) for idle in windows], readings, MeterTrust())
        watts += [replace(idle, joules=joules).power_w for idle, joules in zip(windows, figures, strict=True)]
    return Idle(watts)


def _with_joules(
    run: StoredRun,
    slots: Sequence[SlotRecord],
    sources: dict[int, Sources],
    self_tests: dict[int, SelfTestOutcome],
    idle: Idle,
) -> list[SlotRead]:
    """The rows of these slots, in their order; a void slot has no window and so no row."""
    trust = _trust(sources, self_tests, idle)
    requests: dict[Place, list[RequestRecord]] = defaultdict(list)
    for request in run.of(RequestRecord):
        requests[request.place].append(request)
    joules: dict[Place, Joules] = {}
    for session, readings in sources.items():
        mine = [slot for slot in slots if slot.session == session]
        figures = joules_of([(slot.start_s, slot.end_s) for slot in mine], readings, trust[session])
        for slot, figure in zip(mine, figures, strict=True):
            others = attributed_again(slot.ranks, run.session_folder(session))
            joules[slot.place] = summed(figure, others)
    begun = run.power_by_session
    level = level_of_run(run.header.looks, run.finished_blocks)
    read = []
    for position, slot in enumerate(slots):
        figure = joules[slot.place]
        excluded = failed_gate(
            figure.thermal,
            figure.readings,
            power=changed(begun.get(slot.session), slot.power),
            as_published=run.header.overrides.as_published,
        )
        row = SlotRead.of(
            replace(slot, joules=figure),
            requests[slot.place],
            run=run.header.run_id,
            position=position,
            idle=idle,
            excluded=excluded,
            level=level,
        )
        read.append(row)
    return read


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
