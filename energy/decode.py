"""A recording -> columns: everything that the documents say, one row a document, nothing judged yet.

Live sources and stored runs come through here alike, so a report that is computed again from its raw
files runs the very code that computed it first.
"""

from __future__ import annotations

import json
from array import array
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from energy.base import Boundary, DocumentError, EnergyError, RailFault, Reading, SourceInfo
from energy.framing import END_OF_DOCUMENT, END_OF_LINE, Framer, parts_of
from energy.plist import parse
from energy.recording import Arrival, Event, Form, Header, RecordingReader, Stamp
from energy.text import parse_text

NAN = float("nan")


@dataclass(frozen=True, kw_only=True)
class Columns:
    """Documents in the order of their arrival; n rows. What a document does not say is NaN.

    `arrival_s`, `wall_s`, `sleepless_s`: the three clocks of `recording.Stamp` when it had arrived.
    `joules`, `active_s`: (n, rails). `session` counts meter processes: within one, intervals tile time.
    `unreadable`: row and reason of documents that can't be read; `rail_faults`: row and what a document that
    can be read says wrongly. `has_arrivals` is false for a stream that was saved without them, see
    `energy.labels`: its instants follow from its labels.
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
    unreadable: tuple[tuple[int, str], ...] = ()
    rail_faults: tuple[tuple[int, RailFault], ...] = ()
    deaths: tuple[tuple[float, str], ...] = ()
    """(harness time, reason) of every death of the meter."""
    pressures: tuple[tuple[int, str], ...] = ()
    """(row, thermal pressure) whenever it changed."""
    has_arrivals: bool = True

    @property
    def thermal(self) -> tuple[tuple[float, str], ...]:
        """(arrival, thermal pressure) whenever it changed."""
        return tuple((float(self.arrival_s[row]), state) for row, state in self.pressures)


def boundary_of(printed: Collection[str]) -> tuple[tuple[str, ...], Boundary]:
    """Rails that add up without overlap, and what their sum covers, given the rails that documents print.

    macOS 11 and 12 also print Apple's package figure; it overlaps the rails and stays in the raw file.
    """
    if "package" in printed and not {"cpu", "gpu"} & set(printed):
        return ("package",), "package"
    if "dram" in printed:
        return ("cpu", "gpu", "ane", "dram"), "soc_plus_dram"
    return ("cpu", "gpu", "ane"), "soc_cpu_gpu_ane"


class DocumentTable:
    """Documents as rows, each read once; rails are all that any document prints."""

    def __init__(self) -> None:
        self._scalars = {name: array("d") for name in _SCALARS}
        self._joules: dict[str, array[float]] = {}
        self._active: dict[str, array[float]] = {}
        self._printed: set[str] = set()
        self._unreadable: list[tuple[int, str]] = []
        self._rail_faults: list[tuple[int, RailFault]] = []
        self._pressures: list[tuple[int, str]] = []

    def __len__(self) -> int:
        return len(self._scalars["arrival_s"])

    @property
    def boundary(self) -> tuple[tuple[str, ...], Boundary] | None:
        """Rails of the total and what it covers; None before a document named a rail."""
        return boundary_of(self._printed) if self._printed else None

    def take(self, content: bytes, form: Form, at: Stamp, *, session: int) -> None:
        """Add what a frame of the stream holds; what can't be read is a row, too."""
        for part in parts_of(content) if form == "plist" else [content]:
            try:
                self._add(_PARSERS[form](part), at, session)
            except DocumentError as error:
                self.take_unreadable(str(error), at, session=session)

    def take_unreadable(self, reason: str, at: Stamp, *, session: int) -> None:
        """Add a document that can't be read."""
        self._unreadable.append((len(self), reason))
        self._add(Reading(elapsed_s=NAN, joules={}), at, session)

    def columns(self, rails: tuple[str, ...] | None = None) -> Columns:
        """All rows so far.

        Args:
            rails: that the columns have; those of the boundary without.
        """
        shown = rails or (self.boundary[0] if self.boundary else ())
        return Columns(
            rails=shown,
            joules=self._wide(self._joules, shown),
            active_s=self._wide(self._active, shown),
            is_delta=np.array(self._scalars["is_delta"], dtype=np.bool_),
            unreadable=tuple(self._unreadable),
            rail_faults=tuple(self._rail_faults),
            pressures=tuple(self._pressures),
            **{name: np.array(self._scalars[name]) for name in _SCALARS if name != "is_delta"},  # type: ignore[arg-type]
        )

    def _wide(self, columns: dict[str, array[float]], rails: tuple[str, ...]) -> NDArray[np.float64]:
        """Shape (n, rails); NaN for a rail that no document names."""
        table = np.full((len(self), len(rails)), NAN)
        for number, rail in enumerate(rails):
            if rail in columns:
                table[:, number] = columns[rail]
        return table

    def _add(self, reading: Reading, at: Stamp, session: int) -> None:
        row = len(self)
        self._printed |= reading.joules.keys()
        for name, read in _SCALARS.items():
            self._scalars[name].append(read(reading))
        for name, value in zip(("arrival_s", "wall_s", "sleepless_s"), at, strict=True):
            self._scalars[name][-1] = value
        self._scalars["session"][-1] = session
        self._rail_faults += [(row, fault) for fault in reading.faults]
        pressure = reading.thermal_pressure
        if pressure is not None and pressure != (self._pressures[-1][1] if self._pressures else None):
            self._pressures.append((row, pressure))
        _append(self._joules, {rail: j for rail, j in reading.joules.items() if j is not None}, row)
        _append(self._active, reading.active_s, row)


def _append(columns: dict[str, array[float]], values: Mapping[str, float], row: int) -> None:
    """Add a row; a column that begins later is NaN before, one that is not named now is NaN here."""
    for rail in values.keys() - columns.keys():
        columns[rail] = array("d", [NAN] * row)
    for rail, column in columns.items():
        column.append(values.get(rail, NAN))


class RecordingDecoder:
    """Decodes a growing recording; each document once."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._begin()

    def _begin(self) -> None:
        self._is_cut_short = False
        self._reader = RecordingReader(self.folder)
        self._table = DocumentTable()
        self._deaths: list[tuple[float, str]] = []
        self._session = self._received = 0
        self._framer = Framer()
        self._header: Header | None = None

    @property
    def form(self) -> Form:
        """How the recording's bytes are to be read."""
        return "plist" if self._header is None else self._header.form

    @property
    def names_rails(self) -> bool:
        """Whether any document so far prints a figure of energy or power."""
        return self._table.boundary is not None

    @property
    def source(self) -> SourceInfo:
        """What the recording's header says of its source, with the rails that the stream shows.

        Raises:
            EnergyError: the recording has no header.
        """
        if self._header is None:
            raise EnergyError("the meter recording has no header line")
        source = self._header.source
        if self.form == "readings" or self._table.boundary is None:
            return source
        rails, boundary = self._table.boundary
        return replace(source, rails=rails, boundary=boundary)

    def update(self) -> None:
        """Decode what has arrived since the last call.

        Raises:
            EnergyError: the index can't be read. A document that can't be read is a row, not an error.
        """
        if self._is_cut_short:  # by Ctrl-C in the middle of a row
            self._begin()
        self._is_cut_short = True
        for entry in self._reader.new_entries():
            if isinstance(entry, Header):
                self._header = entry
                self._begin_session()
            elif isinstance(entry, Event):
                self._take_event(entry)
            else:
                self._take_arrival(entry)
        self._is_cut_short = False

    def columns(self) -> Columns:
        """All documents so far."""
        stated = self._header.source.rails if self._header and self.form == "readings" else None
        return replace(self._table.columns(stated), deaths=tuple(self._deaths))

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
            self._table.take(content, self.form, arrival.at, session=self._session)
        self._received = arrival.received


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
