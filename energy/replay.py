"""Kept streams as a source again: a run's raw files, or a stream that another tool saved.

Replayed readings carry the joules of a past run and are marked so; they measure nothing of this one. A
report that is computed again reads a run folder with `load` and gets the very readings it had.
"""

from __future__ import annotations

import math
import time
from dataclasses import replace
from pathlib import Path

import numpy as np

from energy.base import EnergyError, EnergySource, SourceInfo, SourceUnavailable, Trace
from energy.cache import decode_and_keep, kept
from energy.chip import limit_w
from energy.decode import DocumentTable, RecordingDecoder
from energy.framing import BETWEEN_DOCUMENTS, Framer
from energy.labels import on_their_own_clock
from energy.packing import unpacked
from energy.recording import Header, Recording, Stamp
from energy.text import HEADING, split_text
from energy.timeline import stream_trace

PLACED = "by whole-second labels alone: a hole shorter than a second can't be seen"
"""What is known of where the readings of a bare stream lie."""


def load(folder: Path) -> tuple[Trace, SourceInfo]:
    """The readings of a stored run, computed from its raw files as they were, and what its joules are.

    What was decoded before is not decoded again, see `energy.cache`.

    Args:
        folder: where `power.raw` and `power.index` are.

    Raises:
        EnergyError: there is no recording, or it can't be read.
    """
    return kept(folder) or decode_and_keep(RecordingDecoder(folder))


def replay(*, file: Path) -> EnergySource:
    """A kept stream, at the pace at which it was recorded.

    Args:
        file: a stream of plist documents or of powermetrics text, or a run folder, e.g. Path("power.raw").

    Raises:
        SourceUnavailable: nothing there can be read.
    """
    return ReplaySource(file)


def read_kept(file: Path) -> tuple[Trace, SourceInfo]:
    """All readings of a kept stream or a run folder, and what their joules are.

    Raises:
        SourceUnavailable: nothing there can be read.
    """
    try:
        return _kept_folder(file) if file.is_dir() else _kept_stream(file)
    except (OSError, EnergyError) as error:
        why = error.strerror if isinstance(error, OSError) else error
        raise SourceUnavailable(
            f"{file} can't be replayed ({why})", fix="give a saved stream or a run folder"
        ) from error


class ReplaySource:
    """Plays readings back from the moment at which it is started."""

    def __init__(self, file: Path) -> None:
        self._trace, self._info = read_kept(file)
        self._started_s: float | None = None

    @property
    def info(self) -> SourceInfo:
        """What the joules are: those of the past run, replayed."""
        return self._info

    def check(self) -> None:
        """Nothing more to check: the stream was read when the source was made."""

    def start(self, folder: Path) -> None:
        """Begin playing; the readings are written to `folder` at the times at which they are played."""
        self._started_s = time.perf_counter()
        _write(folder, self._info, _moved(self._trace, self._started_s))

    def wait(self, until_s: float, *, timeout_s: float) -> bool:
        """Sleep until a played reading covers `until_s` and the next is in; False if that can't be."""
        moved = _moved(self._trace, self._begin_s())
        position = int(np.searchsorted(moved.end_s, until_s)) + 1
        if position >= len(moved.end_s):
            return False
        left_s = moved.end_s[position] - time.perf_counter()
        time.sleep(max(0.0, min(left_s, timeout_s)))
        return bool(left_s <= timeout_s)

    def trace(self) -> Trace:
        """The readings that have been played so far."""
        moved = _moved(self._trace, self._begin_s())
        played = moved.end_s <= time.perf_counter()
        now_s = time.perf_counter()
        return replace(
            moved,
            start_s=moved.start_s[played],
            end_s=moved.end_s[played],
            joules=moved.joules[played],
            faults=tuple(fault for fault in moved.faults if fault.start_s <= now_s),
        )

    def stop(self) -> None:
        """Nothing runs, so there is nothing to end."""

    def _begin_s(self) -> float:
        if self._started_s is None:
            raise EnergyError("replay was not started")
        return self._started_s


def _kept_folder(folder: Path) -> tuple[Trace, SourceInfo]:
    trace, info = load(folder)
    return trace, _replayed(info, folder)


def _kept_stream(file: Path) -> tuple[Trace, SourceInfo]:
    """A bare stream: decoded and judged as any other, with its labels for the only clock."""
    table = _table(unpacked(file))
    columns = on_their_own_clock(table.columns())
    lengths_s = columns.elapsed_s[columns.is_delta & ~np.isnan(columns.elapsed_s)]
    if table.boundary is None or not lengths_s.size:
        raise EnergyError("it holds no reading")
    rails, boundary = table.boundary
    info = SourceInfo(
        name="powermetrics",
        kind="measured",
        rails=rails,
        boundary=boundary,
        interval_s=float(np.median(lengths_s)),
        resolution_j=0.001,
        details={"placed": PLACED},
    )
    return stream_trace(columns, limit_w=limit_w(info)), _replayed(info, file)


def _table(stream: bytes) -> DocumentTable:
    """The documents of a stream, the cut one at its end included."""
    table, nowhere = DocumentTable(), Stamp(math.nan, math.nan, math.nan)
    if HEADING in stream:
        for sample in split_text(stream):
            table.take(sample, "text", nowhere, session=1)
        return table
    framer = Framer()
    for document in framer.feed(stream):
        table.take(document, "plist", nowhere, session=1)
    rest = framer.rest.strip(BETWEEN_DOCUMENTS)
    if rest:
        reason = f"the stream ends within a document, after {len(rest)} bytes of it"
        table.take_unreadable(reason, nowhere, session=1)
    return table


def _replayed(info: SourceInfo, file: Path) -> SourceInfo:
    details = {**info.details, "replays": info.name, "file": file.name}
    return SourceInfo(**{**info.__dict__, "name": "replay", "kind": "replayed", "details": details})


def _moved(trace: Trace, begin_s: float) -> Trace:
    shift_s = begin_s - (float(trace.start_s[0]) if trace.start_s.size else 0.0)
    faults = tuple(
        replace(fault, start_s=fault.start_s + shift_s, end_s=fault.end_s + shift_s) for fault in trace.faults
    )
    return replace(
        trace, start_s=trace.start_s + shift_s, end_s=trace.end_s + shift_s, faults=faults, thermal=()
    )


def _write(folder: Path, info: SourceInfo, trace: Trace) -> None:
    recording = Recording(folder, Header("readings", info))
    for start_s, end_s, joules in zip(trace.start_s, trace.end_s, trace.joules.tolist(), strict=True):
        by_rail = {rail: None if math.isnan(j) else j for rail, j in zip(trace.rails, joules, strict=True)}
        recording.reading(float(end_s - start_s), by_rail, Stamp(*[float(end_s)] * 3))
    recording.close()
