"""Kept streams as a source again: a run's raw files, or a stream that another tool saved.

Replayed readings carry the joules of a past run and are marked so; they measure nothing of this one. A
report that is computed again reads a run folder with `load` and gets the very readings it had.
"""

from __future__ import annotations

import math
import time
from pathlib import Path

import numpy as np

from energy.base import EnergyError, EnergySource, SourceInfo, SourceUnavailable, Trace
from energy.cache import decode_and_keep, kept
from energy.decode import Decoder, boundary_of
from energy.framing import Framer
from energy.plist import parse
from energy.recording import Form, Header, Recording, Stamp
from energy.text import HEADING, parse_text, split_text


def load(folder: Path) -> tuple[Trace, SourceInfo]:
    """The readings of a stored run, computed from its raw files as they were, and what its joules are.

    What was decoded before is not decoded again, see `energy.cache`.

    Args:
        folder: where `power.raw` and `power.index` are.

    Raises:
        EnergyError: there is no recording, or it can't be read.
    """
    return kept(folder) or decode_and_keep(Decoder(folder))


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
            f"{file} can't be replayed ({why}); give a saved stream or a run folder"
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
        return Trace(
            moved.rails, moved.start_s[played], moved.end_s[played], moved.joules[played], moved.alignment_s
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
    """A bare stream has no arrivals: its readings are laid end to end from zero."""
    stream = file.read_bytes()
    form: Form = "text" if HEADING in stream else "plist"
    if form == "text":
        readings = [parse_text(sample) for sample in split_text(stream)]
    else:
        readings = [parse(document) for document in Framer().feed(stream)]
    readings = [reading for reading in readings if reading.is_delta]
    if not readings:
        raise EnergyError("it holds no reading")
    rails, boundary = boundary_of(readings[0])
    table = [[reading.joules.get(rail) for rail in rails] for reading in readings]
    joules = np.array(table, dtype=np.float64)
    end_s = np.cumsum([reading.elapsed_s for reading in readings])
    start_s = np.concatenate([[0.0], end_s[:-1]])
    info = SourceInfo(
        name="powermetrics",
        kind="measured",
        rails=rails,
        boundary=boundary,
        interval_s=float(np.median(end_s - start_s)),
        resolution_j=0.001,
    )
    return Trace(rails, start_s, end_s, joules, 0.0), _replayed(info, file)


def _replayed(info: SourceInfo, file: Path) -> SourceInfo:
    details = {**info.details, "replays": info.name, "file": file.name}
    return SourceInfo(**{**info.__dict__, "name": "replay", "kind": "replayed", "details": details})


def _moved(trace: Trace, begin_s: float) -> Trace:
    shift_s = begin_s - (float(trace.start_s[0]) if trace.start_s.size else 0.0)
    return Trace(trace.rails, trace.start_s + shift_s, trace.end_s + shift_s, trace.joules, trace.alignment_s)


def _write(folder: Path, info: SourceInfo, trace: Trace) -> None:
    recording = Recording(folder, Header("readings", info))
    for start_s, end_s, joules in zip(trace.start_s, trace.end_s, trace.joules.tolist(), strict=True):
        by_rail = {rail: None if math.isnan(j) else j for rail, j in zip(trace.rails, joules, strict=True)}
        recording.reading(float(end_s - start_s), by_rail, Stamp(*[float(end_s)] * 3))
    recording.close()
