"""A stored run as it counts: the slots of whole blocks, with joules attributed anew from the raw stream."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from bench.measure import joules_of
from bench.records import Joules
from bench.store import StoredRun
from energy.replay import load_info, load_trace

Record = dict[str, Any]
ArmKey = tuple[str, str, bool]
"""Backend, gate label, whether it is the A/A arm."""

NET_DRIFT = 0.10
"""Net joules are withheld when the drift of idle power could change them by more than this share."""


@dataclass(frozen=True)
class Idle:
    """Power with the models loaded and nothing running, measured before, between and after the blocks."""

    watts: list[float]

    @property
    def mean_w(self) -> float | None:
        """Mean over the idle windows."""
        return sum(self.watts) / len(self.watts) if self.watts else None

    def net_j(self, gross_j: float | None, *, seconds_s: float) -> float | None:
        """Joules above idle; None where idle is unknown or unstable, or nothing is left above it."""
        if gross_j is None or self.mean_w is None:
            return None
        net_j = gross_j - self.mean_w * seconds_s
        drift_j = (max(self.watts) - min(self.watts)) * seconds_s
        return net_j if net_j > 0 and drift_j <= NET_DRIFT * net_j else None


@dataclass(frozen=True)
class SlotRead:
    """One slot with its requests; `joules` is None for a slot that is void."""

    slot: Record
    requests: list[Record]
    joules: Joules | None

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
    idle: Idle
    whole_blocks: int
    cut_blocks: int
    """Blocks that were begun and not finished; left out, unless there is no whole one."""

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


def read_back(run: StoredRun) -> Readback:
    """Find the slots that count and attribute their joules.

    Raises:
        EnergyError: a raw stream can't be read.
    """
    whole = run.finished_blocks
    begun = {slot["block"]: slot["session"] for slot in run.of_type("slot")}
    sessions = whole or begun
    slots = [slot for slot in run.of_type("slot") if sessions.get(slot["block"]) == slot["session"]]
    return Readback(
        run=run,
        slots=_with_joules(run, slots),
        idle=_idle(run, sessions.values()),
        whole_blocks=len(whole),
        cut_blocks=len(begun.keys() - whole.keys()),
    )


def arm_of(record: Record) -> ArmKey:
    """The arm of a stored slot or request."""
    return record["backend"], record["gate"], record["a_a"]


def _with_joules(run: StoredRun, slots: list[Record]) -> list[SlotRead]:
    requests: dict[tuple[int, int, int], list[Record]] = {}
    for request in run.of_type("request"):
        requests.setdefault(_place(request), []).append(request)
    joules = _attribute(run, slots)
    return [SlotRead(slot, requests.get(_place(slot), []), joules.get(_place(slot))) for slot in slots]


def _place(record: Record) -> tuple[int, int, int]:
    return record["session"], record["block"], record["position"]


def _attribute(run: StoredRun, slots: list[Record]) -> dict[tuple[int, int, int], Joules]:
    """Joules by place, from the raw stream of each slot's own session."""
    found: dict[tuple[int, int, int], Joules] = {}
    for session in sorted({slot["session"] for slot in slots}):
        mine = [s for s in slots if s["session"] == session and s["error"] is None]
        if mine:
            folder = run.session_folder(session)
            windows = [(slot["start_s"], slot["end_s"]) for slot in mine]
            joules = joules_of(windows, trace=load_trace(folder), info=load_info(folder))
            found |= {_place(slot): energy for slot, energy in zip(mine, joules, strict=True)}
    return found


def _idle(run: StoredRun, sessions: Iterable[int]) -> Idle:
    records = [i for i in run.of_type("idle") if i["session"] in set(sessions)]
    known = [i for i in records if i["joules"]["total_j"] is not None]
    return Idle([i["joules"]["total_j"] / (i["end_s"] - i["start_s"]) for i in known])
