"""What a meter leaves in a run folder, and how it is read again.

    power.raw     the meter's byte stream, untouched; `power.raw.gz` once its session has ended
    power.index   one JSON object a line:
                  {"schema": 1, "form": "plist", "source": {...}}       opens every session
                  {"received": 65012, "at": [...]}      bytes of power.raw that had arrived, and when
                  {"event": "died", "detail": "exit code 1", "at": [...]}   whatever else is worth noting
    stderr.log    what the meter said besides

`at` holds three clocks, read together: `time.perf_counter()`, the harness clock; `time.time()`, which can
be set; and a clock that also runs while the machine sleeps. Their differences tell a clock that was set
from a machine that slept. Lines are only ever appended, each by one write, so a killed run loses nothing
that had arrived.

History of `schema`: 1, first version.
"""

from __future__ import annotations

import json
import math
import os
import time
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, get_args

from energy.base import EnergyError, SourceInfo
from energy.packing import RAW, StreamFile

if TYPE_CHECKING:
    from pydantic import TypeAdapter

INDEX, NOISE = "power.index", "stderr.log"
SCHEMA = 1
MOST_AT_ONCE_BYTES = 2**26
"""Of one arrival: the reader takes a hundredth of it, older versions took what a pipe holds."""

Form = Literal["plist", "text", "readings"]
"""powermetrics' property lists, its text, or readings already in SI units as JSON lines."""

# CLOCK_MONOTONIC runs on while a Mac sleeps; on Linux that one is called CLOCK_BOOTTIME.
_SLEEPLESS_CLOCK = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


STAMP_S = 100e-6
STAMP_TRIES = 5
"""Clocks that are to be compared must be read within so many seconds of each other."""


class Stamp(NamedTuple):
    """One instant on three clocks, in seconds."""

    harness_s: float
    wall_s: float
    sleepless_s: float

    @classmethod
    def now(cls) -> Stamp:
        """Read the three clocks at one instant: again, if something else ran in between."""
        for _ in range(STAMP_TRIES):
            stamp = cls(time.perf_counter(), time.time(), time.clock_gettime(_SLEEPLESS_CLOCK))
            if time.perf_counter() - stamp.harness_s < STAMP_S:
                break
        return stamp


@dataclass(frozen=True)
class Header:
    """Opens a session: what the bytes are and what their joules mean."""

    form: Form
    source: SourceInfo


@dataclass(frozen=True)
class Arrival:
    """So many bytes of `power.raw` had arrived by an instant."""

    received: int
    at: Stamp


@dataclass(frozen=True)
class Event:
    """Something that is not an arrival: started, died, restarted, stopped, lingers."""

    event: str
    detail: str
    at: Stamp


Entry = Header | Arrival | Event


class RecordingFailed(EnergyError):
    """What the meter says can't be kept; the meter is all right."""


class Recording:
    """The files of a run folder, open for appending.

    Raises:
        OSError: the folder can't be written to.
        RecordingFailed: later, when a write fails, and whenever something is written.
    """

    def __init__(self, folder: Path, header: Header) -> None:
        self._folder = folder
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
        self._raw = os.open(folder / RAW, flags, 0o644)
        self._index = os.open(folder / INDEX, flags, 0o644)
        self.raw_bytes = os.fstat(self._raw).st_size
        self._line({"schema": SCHEMA, "form": header.form, "source": asdict(header.source)})

    def append(self, chunk: bytes | memoryview, at: Stamp) -> None:
        """Keep bytes of the stream that arrived at an instant.

        Happens while others measure, so the line is written out by hand.
        """
        self._write(self._raw, chunk)
        self.raw_bytes += len(chunk)
        line = f'{{"received": {self.raw_bytes}, "at": [{at[0]!r}, {at[1]!r}, {at[2]!r}]}}\n'
        self._write(self._index, line.encode())

    def reading(self, elapsed_s: float, joules: Mapping[str, float | None], at: Stamp) -> None:
        """Keep a reading that is already in SI units, as one line of JSON; None is not measured."""
        line = json.dumps({"elapsed_s": elapsed_s, "joules": dict(joules)}, allow_nan=False).encode() + b"\n"
        self.append(line, at)

    def event(self, event: str, detail: str, at: Stamp | None = None) -> None:
        """Note that something happened, now or at a given instant."""
        self._line({"event": event, "detail": detail, "at": at or Stamp.now()})

    def close(self) -> None:
        """Close the files."""
        os.close(self._raw)
        os.close(self._index)

    def _line(self, content: dict[str, Any]) -> None:
        self._write(self._index, json.dumps(content).encode() + b"\n")

    def _write(self, descriptor: int, content: bytes | memoryview) -> None:
        """Write all of it: a full disk, a limit of sizes and a broken disk are told as what they are."""
        try:
            written = os.write(descriptor, content)
            while written < len(content):
                written += os.write(descriptor, content[written:])
        except OSError as error:
            file = self._folder / (RAW if descriptor == self._raw else INDEX)
            raise RecordingFailed(f"can't write {file} ({error.strerror})") from error


class RecordingReader:
    """Reads a recording from where it last stopped; works while it is still growing."""

    def __init__(self, folder: Path) -> None:
        self._raw, self._index_path = StreamFile(folder), folder / INDEX
        self._position = 0

    def new_entries(self) -> Iterator[Entry]:
        """Entries appended since the last call, in order.

        Raises:
            EnergyError: there is no recording, or it has a form that this version can't read.
        """
        try:
            index = self._index_path.open("rb")
        except OSError as error:
            raise EnergyError(f"no meter recording here: {error}") from error
        with index:
            index.seek(self._position)
            for line in index:
                if not line.endswith(b"\n"):
                    return
                self._position += len(line)
                yield _entry(line)

    def content(self, begin: int, end: int) -> bytes:
        """Bytes of the stream.

        Raises:
            EnergyError: no meter writes so many at once, or they go backwards; or there is no stream.
        """
        if not 0 <= end - begin <= MOST_AT_ONCE_BYTES:
            raise EnergyError(f"{INDEX} says that {end - begin:,} bytes arrived at once")
        return self._raw.read(begin, end)


def _entry(line: bytes) -> Entry:
    try:
        content = json.loads(line)
        if "schema" in content:
            return _header(content)
        at = Stamp(*map(_number, content["at"]))
        if "event" in content:
            return Event(str(content["event"]), str(content["detail"]), at)
        return Arrival(int(_number(content["received"])), at)
    except (ValueError, KeyError, TypeError, OverflowError, RecursionError) as error:
        raise EnergyError(f"{INDEX} has a line that can't be read: {line[:80]!r}") from error


def _number(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError(f"{value!r} is no number")
    return value


def _header(content: dict[str, Any]) -> Header:
    if content["schema"] != SCHEMA:
        raise EnergyError(
            f"{INDEX} has schema {str(content['schema'])[:20]}, but this version reads schema {SCHEMA}"
        )
    if content["form"] not in get_args(Form):
        raise ValueError(f"no recording has the form {content['form']!r}")
    return Header(content["form"], _sources().validate_python(content["source"]))


@cache
def _sources() -> TypeAdapter[SourceInfo]:
    from pydantic import TypeAdapter  # a meter that only writes has no need of it

    return TypeAdapter(SourceInfo)
