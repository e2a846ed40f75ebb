"""A stored run as it counts: the slots of whole blocks, with joules attributed anew from the raw stream."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

from analysis.checks import failed_gate, is_nominal
from bench.run.joules import MIN_READINGS, Readings, Sources, Trust, joules_of
from bench.run.records import Joules
from bench.run.store import StoredRun
from energy import idle as energy_idle
from energy.base import Trace
from energy.selftest import Finding, Outcome, outcome
from energy.wall import fit_wall
from energy.wall_file import WallMeter

Record = dict[str, Any]
ArmKey = tuple[str, str, bool]
"""Backend, gate label, whether it is the A/A arm."""


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
    def judged(self) -> energy_idle.Idle:
        """Mean, drift, and whether it stayed what it was."""
        return energy_idle.judge_idle(self.watts)

    def net_j(self, gross_j: float | None, *, seconds_s: float) -> float | None:
        """Joules above idle; None where idle is unknown or unstable, or nothing is left above it."""
        judged = self.judged
        if gross_j is None or judged.mean_w is None or not judged.stable:
            return None
        net_j = gross_j - judged.mean_w * seconds_s
        return net_j if net_j > 0 else None


@dataclass(frozen=True)
class SlotRead:
    """One slot with its requests; `joules` is None for a slot that is void."""

    slot: Record
    requests: list[Record]
    joules: Joules | None
    thermal: str | None = None
    """Worst thermal pressure within it; None if the meter does not say."""
    excluded: str | None = None
    """The declared gate that it failed (`analysis.checks.failed_gate`); None if it counts."""

    @property
    def has_a_window(self) -> bool:
        """Whether it ran to its end: a void slot has no figures."""
        return self.slot["error"] is None

    @property
    def arm(self) -> ArmKey:
        """Which arm it held."""
        return arm_of(self.slot)

    @property
    def seconds_s(self) -> float:
        """Length of the window."""
        return float(self.slot["end_s"] - self.slot["start_s"])


@dataclass(frozen=True)
class Readback:
    """What of a run counts."""

    run: StoredRun
    slots: list[SlotRead]
    sources: dict[int, Sources]
    """Readings by session."""
    idle: Idle
    whole_blocks: int
    cut_blocks: int
    """Blocks that were begun and not finished; left out, unless there is no whole one."""
    self_tests: dict[int, Outcome] = field(default_factory=dict)
    """What the meter's self-test found, by session that had one."""

    @property
    def arms(self) -> list[ArmKey]:
        """Arms in reading order: per backend the baseline, its copy, then the gates as in the suite."""
        header = self.run.header
        gates = [header["baseline"], *header["gates"]]

        def place(arm: ArmKey) -> tuple[int, int, bool]:
            return header["backends"].index(arm[0]), gates.index(arm[1]), arm[2]

        return sorted({slot.arm for slot in self.slots}, key=place)

    def of_arm(self, arm: ArmKey) -> list[SlotRead]:
        """The slots of one arm, void ones included."""
        return [slot for slot in self.slots if slot.arm == arm]


def read_back(run: StoredRun, *, wall: WallMeter | None = None) -> Readback:
    """Find the slots that count and attribute their joules.

    Args:
        run: the stored run.
        wall: samples of an external meter, which then leads.

    Raises:
        EnergyError: a raw stream can't be read, or the wall meter's samples don't fit the run's own.
    """
    whole = run.finished_blocks
    begun = {slot["block"]: slot["session"] for slot in run.of_type("slot")}
    sessions = whole or begun
    slots = [slot for slot in run.of_type("slot") if sessions.get(slot["block"]) == slot["session"]]
    stored = {number: Sources.stored(run.session_folder(number)) for number in sorted(set(sessions.values()))}
    self_tests = _self_tests(run, stored)
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
        sources=sources,
        idle=idle,
        whole_blocks=len(whole),
        cut_blocks=len(begun.keys() - whole.keys()),
        self_tests=self_tests,
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


def first_requests(slots: Iterable[SlotRead]) -> dict[str, Record]:
    """The first request of each prompt in these slots: greedy decoding repeats it in every later pass."""
    found: dict[str, Record] = {}
    for slot in slots:
        for request in slot.requests if slot.has_a_window else ():
            found.setdefault(request["prompt_id"], request)
    return found


def arm_of(record: Record) -> ArmKey:
    """The arm of a stored slot or request."""
    return record["backend"], record["gate"], record["a_a"]


def _self_tests(run: StoredRun, sources: dict[int, Sources]) -> dict[int, Outcome]:
    """What the self-test of each session means, judged anew from its findings."""
    return {
        test["session"]: outcome(
            [Finding(**finding) for finding in test["findings"]], sources[test["session"]].lead.info.rails
        )
        for test in run.of_type("self_test")
        if test["session"] in sources
    }


def _led(run: StoredRun, session: int, own: Sources, wall: WallMeter | None) -> Sources:
    """The readings of a session; an external meter leads where there is one."""
    if wall is None:
        return own
    tests = [test for test in run.of_type("self_test") if test["session"] == session]
    pulse = (tests[0]["start_s"], tests[0]["end_s"]) if tests else None
    fitted = fit_wall(wall, own.lead.trace, pulse=pulse)
    return Sources(Readings(fitted.trace, fitted.info), (own.lead, *own.others))


def _idle(run: StoredRun, sources: dict[int, Sources]) -> Idle:
    watts: list[float | None] = []
    for session, readings in sources.items():
        windows = [(i["start_s"], i["end_s"]) for i in run.of_type("idle") if i["session"] == session]
        found = joules_of(windows, readings, Trust()) if windows else []
        for (start_s, end_s), joules in zip(windows, found, strict=True):
            watts.append(None if joules.total_j is None else joules.total_j / (end_s - start_s))
    return Idle(watts)


def _with_joules(
    run: StoredRun, slots: list[Record], sources: dict[int, Sources], trust: dict[int, Trust]
) -> list[SlotRead]:
    requests: dict[Place, list[Record]] = {}
    for request in run.of_type("request"):
        requests.setdefault(_place(request), []).append(request)
    joules: dict[Place, Joules] = {}
    for session, readings in sources.items():
        mine = [slot for slot in slots if slot["session"] == session and slot["error"] is None]
        windows = [(slot["start_s"], slot["end_s"]) for slot in mine]
        figures = joules_of(windows, readings, trust[session]) if mine else []
        joules |= {_place(slot): energy for slot, energy in zip(mine, figures, strict=True)}
    return [_read(slot, requests.get(_place(slot), []), joules.get(_place(slot)), sources) for slot in slots]


def _read(
    slot: Record, requests: list[Record], joules: Joules | None, sources: dict[int, Sources]
) -> SlotRead:
    """A slot, and whether it counts: the only place that leaves one out."""
    if slot["error"] is not None:
        return SlotRead(slot, requests, joules)
    thermal = _thermal(sources[slot["session"]].lead.trace, slot)
    readings = joules.readings if joules else None
    gate = failed_gate(thermal=thermal, readings=readings, fewest_readings=MIN_READINGS)
    return SlotRead(slot, requests, joules, thermal=thermal, excluded=gate)


def _thermal(trace: Trace, slot: Record) -> str | None:
    """Thermal pressure within a slot: the first that was not nominal, if there was one."""
    start_s, end_s = slot["start_s"], slot["end_s"]
    before = [state for at_s, state in trace.thermal if at_s <= start_s][-1:]
    states = before + [state for at_s, state in trace.thermal if start_s < at_s <= end_s]
    return next((state for state in states if not is_nominal(state)), states[0] if states else None)


def _trust(sessions: Iterable[int], self_tests: dict[int, Outcome], idle: Idle) -> dict[int, Trust]:
    """What is known of each session's meter."""
    stable = idle.judged.stable if idle.known_w else None
    return {
        number: Trust(
            self_test=self_tests[number].word if number in self_tests else "not run", idle_stable=stable
        )
        for number in sessions
    }


Place = tuple[int, int, int]


def _place(record: Record) -> Place:
    return record["session"], record["block"], record["position"]
