"""Everything that can happen to a meter's stream, done on purpose.

A simulated recording is a list of deliveries, each a document and the moment of its arrival. A mishap takes
such a list and returns another. The names are those of the faults that must be found afterwards.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from benchmarks.known_power import Simulation
from energy.base import SourceInfo
from energy.lab.documents import SHAPES, ChipShape, Told, document
from energy.recording import Header, Recording, Stamp

LASTS = 12
"""Documents for which a mishap lasts that concerns more than one."""


@dataclass(frozen=True, kw_only=True)
class Delivery:
    """One document and when it arrives."""

    told: Told
    at: Stamp
    cut_to: float | None = None
    """Share of its bytes that arrive."""
    noise: bytes = b""
    """What a program's standard error puts before it."""
    died_before: bool = False


def deliveries(simulation: Simulation) -> list[Delivery]:
    """What a simulated meter sends, without mishap."""
    found = []
    for row, arrival_s in enumerate(simulation.arrival_s.tolist()):
        length_s = float(simulation.end_s[row] - simulation.start_s[row])
        counted = np.round(simulation.joules[row] * 1000).astype(int).tolist()
        told = Told(
            elapsed_ns=round(length_s * 1e9),
            label_s=float(simulation.end_s[row]) + simulation.wall_ahead_s,
            energies_mj=dict(zip(simulation.power.rails, counted, strict=True)),
            active_cores=float(simulation.active_s[row, 0]) / length_s,
            gpu_active=float(simulation.active_s[row, 1]) / length_s,
        )
        found.append(Delivery(told=told, at=Stamp(arrival_s, arrival_s + simulation.wall_ahead_s, arrival_s)))
    return found


def record(
    sent: list[Delivery], folder: Path, *, source: SourceInfo, shape: ChipShape = SHAPES["m1"]
) -> None:
    """Write deliveries as the recording that a source would have kept."""
    recording = Recording(folder, Header("plist", source))
    for number, delivery in enumerate(sent):
        if delivery.died_before:
            recording.event("died", "exit code 1", sent[number - 1].at)
            recording.event("restarted", "process 2", delivery.at)
        content = b"\0" * (number > 0) + delivery.noise + document(delivery.told, shape)
        if delivery.cut_to is not None:
            content = content[: int(len(content) * delivery.cut_to)]
        recording.append(content, delivery.at)
    recording.close()


Mishap = Callable[[list[Delivery], int, np.random.Generator], list[Delivery]]
"""(deliveries, row at which it happens, chance) -> deliveries."""


def _lost(sent: list[Delivery], row: int, chance: np.random.Generator) -> list[Delivery]:
    return sent[:row] + sent[row + 1 :]


def _cut(sent: list[Delivery], row: int, chance: np.random.Generator) -> list[Delivery]:
    short = replace(sent[row], cut_to=chance.uniform(0.05, 0.95))
    return [*sent[:row], short, *sent[row + 1 :]]


def _noise(sent: list[Delivery], row: int, chance: np.random.Generator) -> list[Delivery]:
    words = b"Second underflow occured.\n" * int(chance.integers(1, 4))
    return [*sent[:row], replace(sent[row], noise=words), *sent[row + 1 :]]


def _lifetime(sent: list[Delivery], row: int, chance: np.random.Generator) -> list[Delivery]:
    told = replace(sent[row].told, is_delta=False, elapsed_ns=int(chance.uniform(1e12, 1e15)))
    return [*sent[:row], replace(sent[row], told=told), *sent[row:]]


def _twice(sent: list[Delivery], row: int, chance: np.random.Generator) -> list[Delivery]:
    return [*sent[: row + 1], *sent[row:]]


def _displaced(sent: list[Delivery], row: int, chance: np.random.Generator) -> list[Delivery]:
    later = row + int(chance.integers(12, 25))
    moved = replace(sent[row], at=sent[later].at)
    return [*sent[:row], *sent[row + 1 : later + 1], moved, *sent[later + 1 :]]


def _gap(sent: list[Delivery], row: int, chance: np.random.Generator) -> list[Delivery]:
    """The meter does not measure for a while, then goes on as if nothing had been."""
    pause_s = chance.uniform(0.08, 0.8)
    return sent[:row] + [_moved(delivery, pause_s, pause_s, pause_s) for delivery in sent[row:]]


def _silence(sent: list[Delivery], row: int, chance: np.random.Generator) -> list[Delivery]:
    """Documents are held back and then come all at once."""
    until_s = sent[row - 1].at.harness_s + chance.uniform(1.3, 3.0)
    held = []
    for delivery in sent[row:]:
        wait_s = max(0.0, until_s - delivery.at.harness_s)
        held.append(replace(delivery, at=Stamp(*(clock_s + wait_s for clock_s in delivery.at))))
    return sent[:row] + held


def _death(sent: list[Delivery], row: int, chance: np.random.Generator) -> list[Delivery]:
    after = row + int(chance.integers(1, 6))
    return [*sent[:row], replace(sent[after], died_before=True), *sent[after + 1 :]]


def _sleep(sent: list[Delivery], row: int, chance: np.random.Generator) -> list[Delivery]:
    slept_s = chance.uniform(2, 900)
    return sent[:row] + [_moved(delivery, 0.0, slept_s, slept_s) for delivery in sent[row:]]


def _clock_set(sent: list[Delivery], row: int, chance: np.random.Generator) -> list[Delivery]:
    step_s = float(chance.choice([-1, 1]) * chance.uniform(0.2, 4000))
    return sent[:row] + [_moved(delivery, 0.0, step_s, 0.0) for delivery in sent[row:]]


def _moved(delivery: Delivery, harness_s: float, wall_s: float, sleepless_s: float) -> Delivery:
    """A delivery, its clocks ahead by so much; labels are read off the wall clock."""
    at = delivery.at
    moved = Stamp(at.harness_s + harness_s, at.wall_s + wall_s, at.sleepless_s + sleepless_s)
    told = replace(delivery.told, label_s=delivery.told.label_s + wall_s)
    return replace(delivery, told=told, at=moved)


def _lasting(change: Callable[[Told], Told]) -> Mishap:
    def happens(sent: list[Delivery], row: int, chance: np.random.Generator) -> list[Delivery]:
        spoilt = [replace(delivery, told=change(delivery.told)) for delivery in sent[row : row + LASTS]]
        return sent[:row] + spoilt + sent[row + LASTS :]

    return happens


MISHAPS: dict[str, tuple[Mishap, str]] = {
    "lost": (_lost, "gap"),
    "cut": (_cut, "unreadable document"),
    "noise": (_noise, "unreadable document"),
    "lifetime": (_lifetime, "lifetime block"),
    "twice": (_twice, "duplicated reading"),
    "displaced": (_displaced, "out of order"),
    "gap": (_gap, "gap"),
    "silence": (_silence, "stall"),
    "death": (_death, "meter died"),
    "sleep": (_sleep, "machine slept"),
    "clock-set": (_clock_set, "clock jump"),
    "invalid": (_lasting(lambda told: replace(told, invalid=True)), "invalid"),
    "dead-rail": (
        _lasting(lambda told: replace(told, energies_mj={**told.energies_mj, "cpu": 0})),
        "dead rail",
    ),
    "missing-rail": (
        _lasting(lambda told: replace(told, without=frozenset({"gpu"}))),
        "missing rail",
    ),
}
"""By name: what happens, and the fault by which it must be known."""

IN_DOCUMENTS = ("cut", "noise", "lifetime", "twice", "invalid", "dead-rail", "missing-rail")
"""Those that the documents themselves show, without the moments of their arrival."""
