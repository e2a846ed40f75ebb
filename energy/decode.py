"""A recording -> columns: everything that the documents say, one row a document, nothing judged yet.

Live sources and stored runs come through here alike, so a report that is computed again from its raw
files runs the very code that computed it first.
"""

from __future__ import annotations

import json
from array import array
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from energy.base import Boundary, DocumentError, EnergyError, Reading, SourceInfo
from energy.framing import END_OF_DOCUMENT, END_OF_LINE, Framer
from energy.plist import parse
from energy.recording import Arrival, Event, Form, Header, RecordingReader, Stamp
from energy.text import parse_text

NAN = float("nan")


@dataclass(frozen=True, kw_only=True)
class Columns:
    """Documents in the order of their arrival; n rows. What a document does not say is NaN.

    `arrival_s`, `wall_s`, `sleepless_s`: the three clocks of `recording.Stamp` when it had arrived.
    `joules`, `active_s`: (n, rails). `session` counts meter processes: within one, intervals tile time.
    `notes`: (row, fault, detail) of documents that can't be read or say so themselves.
    """

    rails: tuple[str, ...]
    session: NDArray[np.float64]
    arrival_s: NDArray[np.float64]
    wall_s: NDArray[np.float64]
    sleepless_s: NDArray[np.float64]
    elapsed_s: NDArray[np.float64]
    label_s: NDArray[np.float64]
    is_delta: NDArray[np.bool_]
    joules: NDArray[np.float64]
    active_s: NDArray[np.float64]
    notes: tuple[tuple[int, str, str], ...]
    deaths: tuple[tuple[float, str], ...]
    """(harness time, reason) of every death of the meter."""
    thermal: tuple[tuple[float, str], ...] = ()
    """(arrival, thermal pressure) whenever it changed."""


def boundary_of(reading: Reading) -> tuple[tuple[str, ...], Boundary]:
    """Rails that add up without overlap, and what their sum covers, from the shape of a document.

    macOS 11 and 12 also print Apple's package figure; it overlaps the rails and stays in the raw file.
    """
    if "package" in reading.joules and "cpu" not in reading.joules:
        return ("package",), "package"
    if "dram" in reading.joules:
        return ("cpu", "gpu", "ane", "dram"), "soc_plus_dram"
    return ("cpu", "gpu", "ane"), "soc_cpu_gpu_ane"


class Decoder:
    """Decodes a growing recording; each document once."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._reader = RecordingReader(folder)
        self._scalars = {name: array("d") for name in _SCALARS}
        self._joules: dict[str, array[float]] = {}
        self._active: dict[str, array[float]] = {}
        self._notes: list[tuple[int, str, str]] = []
        self._deaths: list[tuple[float, str]] = []
        self._thermal: list[tuple[float, str]] = []
        self._session = self._received = 0
        self._framer = Framer()
        self._header: Header | None = None
        self._boundary: Boundary | None = None

    @property
    def form(self) -> Form:
        """How the recording's bytes are to be read."""
        return "plist" if self._header is None else self._header.form

    @property
    def source(self) -> SourceInfo:
        """What the recording's header says of its source, with the rails that the stream shows.

        Raises:
            EnergyError: the recording has no header.
        """
        if self._header is None:
            raise EnergyError("the meter recording has no header line")
        source = self._header.source
        if self._boundary is None:
            return source
        return SourceInfo(**{**source.__dict__, "rails": tuple(self._joules), "boundary": self._boundary})

    def update(self) -> None:
        """Decode what has arrived since the last call.

        Raises:
            EnergyError: the index can't be read. A document that can't be read is a note, not an error.
        """
        for entry in self._reader.new_entries():
            if isinstance(entry, Header):
                self._header = entry
                self._begin_session()
            elif isinstance(entry, Event):
                self._take_event(entry)
            else:
                self._take_arrival(entry)

    def columns(self) -> Columns:
        """All documents so far."""
        return Columns(
            rails=tuple(self._joules),
            joules=self._table(self._joules),
            active_s=self._table(self._active),
            is_delta=np.array(self._scalars["is_delta"], dtype=np.bool_),
            notes=tuple(self._notes),
            deaths=tuple(self._deaths),
            thermal=tuple(self._thermal),
            **{name: np.array(self._scalars[name]) for name in _SCALARS if name != "is_delta"},
        )

    def _table(self, columns: dict[str, array[float]]) -> NDArray[np.float64]:
        shape = (len(columns), len(self._scalars["arrival_s"]))  # known even where there is no rail yet
        return np.array([np.array(column) for column in columns.values()]).reshape(shape).T

    def _take_event(self, event: Event) -> None:
        if event.event == "restarted":
            self._begin_session()
        elif event.event == "died":
            self._deaths.append((event.at.harness_s, event.detail))

    def _begin_session(self) -> None:
        """A new process: what the last one left unfinished is no part of its first document."""
        self._session += 1
        self._framer = Framer(END_OF_LINE if self.form == "readings" else END_OF_DOCUMENT)

    def _take_arrival(self, arrival: Arrival) -> None:
        """Decode the documents that end in what has arrived."""
        for content in self._framer.feed(self._reader.content(self._received, arrival.received)):
            self._take_document(content, arrival.at)
        self._received = arrival.received

    def _take_document(self, content: bytes, at: Stamp) -> None:
        row = len(self._scalars["arrival_s"])
        reading = self._read(content, row)
        if not self._joules:
            self._choose_rails(reading)
        for name, read in _SCALARS.items():
            self._scalars[name].append(read(reading))
        for name, value in zip(("arrival_s", "wall_s", "sleepless_s"), at, strict=True):
            self._scalars[name][-1] = value
        self._scalars["session"][-1] = self._session
        pressure = reading.thermal_pressure
        if pressure is not None and pressure != (self._thermal[-1][1] if self._thermal else None):
            self._thermal.append((at.harness_s, pressure))
        for rail, column in self._joules.items():
            joules = reading.joules.get(rail)
            column.append(NAN if joules is None else joules)
            self._active[rail].append(reading.active_s.get(rail, NAN))

    def _read(self, content: bytes, row: int) -> Reading:
        try:
            reading = _PARSERS[self.form](content)
        except DocumentError as error:
            self._notes.append((row, "unreadable document", str(error)))
            return Reading(elapsed_s=NAN, joules={})
        self._notes += [(row, fault, "said by the document") for fault in reading.faults]
        return reading

    def _choose_rails(self, reading: Reading) -> None:
        """Decided by the first document that names a rail; until then the header's rails hold."""
        if self._header and self._header.form == "readings":
            rails, self._boundary = self._header.source.rails, self._header.source.boundary
        elif reading.joules:
            rails, self._boundary = boundary_of(reading)
        else:
            return
        blanks = [NAN] * len(self._scalars["arrival_s"])
        self._joules = {rail: array("d", blanks) for rail in rails}
        self._active = {rail: array("d", blanks) for rail in rails}


def parse_json(line: bytes) -> Reading:
    """Read one line of a recording that is already in SI units.

    Example: `{"elapsed_s": 0.1, "joules": {"cpu": 0.82}}`.

    Raises:
        DocumentError: not such a line.
    """
    try:
        content = json.loads(line)
        return Reading(elapsed_s=float(content["elapsed_s"]), joules=dict(content["joules"]))
    except (ValueError, KeyError, TypeError) as error:
        raise DocumentError(f"not a reading: {line[:80]!r}") from error


_PARSERS: dict[str, Callable[[bytes], Reading]] = {
    "plist": parse,
    "text": parse_text,
    "readings": parse_json,
}

_SCALARS: dict[str, Callable[[Reading], float]] = {
    "session": lambda _: NAN,
    "arrival_s": lambda _: NAN,
    "wall_s": lambda _: NAN,
    "sleepless_s": lambda _: NAN,
    "elapsed_s": lambda reading: reading.elapsed_s,
    "label_s": lambda reading: NAN if reading.timestamp_s is None else reading.timestamp_s,
    "is_delta": lambda reading: float(reading.is_delta),
}
