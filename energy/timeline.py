"""Columns -> trace: which documents are readings, where they lie, and what went wrong between them.

A stretch is a run of readings that tile time: one process, no document lost, no sleep. Each is placed on the
harness clock on its own. Whatever breaks a stretch becomes a fault between the two.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from energy import faults, labels
from energy.align import LATENCY_S, align
from energy.base import Fault, Trace
from energy.chip import limit_w as most_w
from energy.decode import Columns, RecordingDecoder
from energy.rails import judged

Floats = NDArray[np.float64]
Rows = NDArray[np.intp]

MIN_STRETCH = 10
"""Fewer readings in a row than this can't be placed: the quickest of them may have been late."""

RELABELLED_S = 3.0
"""For so long after the wall clock was set, labels may be older than the setting."""


@dataclass(frozen=True)
class _Placed:
    """Readings on the harness clock: their rows in the columns, and where they lie."""

    rows: Rows
    start_s: Floats
    end_s: Floats
    uncertainty_s: float


def trace_of(decoder: RecordingDecoder) -> Trace:
    """All readings that a decoder has seen so far, judged, on the harness clock."""
    source = decoder.source
    if decoder.form == "readings":
        return stamped_trace(decoder.columns(), within_s=source.stamp_s, limit_w=most_w(source))
    return stream_trace(decoder.columns(), limit_w=most_w(source))


def stream_trace(columns: Columns, *, limit_w: float | None = None) -> Trace:
    """Place all readings of a meter's stream on the harness clock, and judge them.

    Args:
        columns: the decoded documents.
        limit_w: watts that no rail can draw; None for no limit.
    """
    rows = np.flatnonzero(columns.is_delta & ~np.isnan(columns.elapsed_s))
    again = faults.duplicated(columns.elapsed_s[rows], columns.label_s[rows], columns.joules[rows])
    stretches, missing = _stretches(columns, rows[~again])
    placed = _place(columns, stretches)
    seen = [
        *_unreadable(columns, placed),
        *_at_rows(columns, placed, rows[again], "duplicated reading", "told twice, counted once"),
        *_gaps(columns, placed, missing),
        *_clock_faults(columns, placed),
        *_deaths(columns, placed),
    ]
    return _assemble(columns, placed, seen, limit_w)


def stamped_trace(columns: Columns, *, within_s: float, limit_w: float | None = None) -> Trace:
    """The readings of a source that reads its counter itself, at its stamps: nothing needs aligning.

    Args:
        columns: the decoded readings.
        within_s: how far a reading may lie from its stamp.
        limit_w: watts that no rail can draw; None for no limit.
    """
    rows = np.flatnonzero(~np.isnan(columns.elapsed_s))
    end_s = columns.arrival_s[rows]
    placed = _Placed(rows, _tiled(end_s - columns.elapsed_s[rows], end_s), end_s, within_s)
    seen = [*_unreadable(columns, placed), *_clock_faults(columns, placed), *_deaths(columns, placed)]
    return _assemble(columns, placed, seen, limit_w)


def _stretches(columns: Columns, rows: Rows) -> tuple[list[Rows], list[faults.Place]]:
    """Runs of rows that tile time, and the places between them."""
    slept = faults.clock_steps(columns.sleepless_s, columns.arrival_s)
    foreign = np.concatenate([[0], np.cumsum(~(columns.is_delta & ~np.isnan(columns.elapsed_s)))])[:-1]
    kind = np.column_stack([columns.session[rows], foreign[rows], np.cumsum(slept)[rows]])
    cuts = np.flatnonzero((kind[1:] != kind[:-1]).any(axis=1)) + 1
    stretches, missing = [], []
    for piece in np.split(rows, cuts):
        if piece.size == 0:
            continue
        places, settled = _untiled(columns, piece)
        begin = 0
        for place in places:
            stretches.append(piece[begin : place.row])
            missing.append(faults.Place(place.kind, int(piece[place.row]), int(piece[place.next_row])))
            begin = place.next_row
        stretches.append(piece[begin:settled])
    least = MIN_STRETCH if columns.has_arrivals else 1
    return [stretch for stretch in stretches if len(stretch) >= least], missing


def _untiled(columns: Columns, rows: Rows) -> tuple[list[faults.Place], int]:
    """Where consecutive readings don't tile time, and how many of them are settled."""
    if columns.has_arrivals:
        return faults.gaps(columns.elapsed_s[rows], columns.arrival_s[rows])
    return labels.breaks(columns.elapsed_s[rows], columns.label_s[rows]), len(rows)


def _place(columns: Columns, stretches: list[Rows]) -> _Placed:
    """All stretches on the harness clock, one after the other."""
    label_s, _ = _labels(columns)
    ends, starts, uncertainty_s, latest_s = [np.empty(0)], [np.empty(0)], 0.0, -np.inf
    for rows in stretches:
        aligned = align(
            columns.elapsed_s[rows],
            columns.arrival_s[rows],
            label_s[rows],
            latency_s=LATENCY_S if columns.has_arrivals else labels.SECOND_S,
        )
        end_s = aligned.end_s
        end_s = end_s + max(0.0, latest_s - (end_s[0] - columns.elapsed_s[rows[0]]))
        start_s = np.concatenate([[end_s[0] - columns.elapsed_s[rows[0]]], end_s[:-1]])
        latest_s = float(end_s[-1])
        uncertainty_s = max(uncertainty_s, aligned.uncertainty_s)
        ends.append(end_s)
        starts.append(start_s)
    rows = np.concatenate([np.empty(0, dtype=np.intp), *stretches])
    return _Placed(rows, np.concatenate(starts), np.concatenate(ends), uncertainty_s)


def _labels(columns: Columns) -> tuple[Floats, NDArray[np.bool_]]:
    """Labels on the harness clock, NaN where they can't be believed, and which of them are out of order."""
    label_s = columns.label_s - columns.wall_s + columns.arrival_s
    clock_set = faults.clock_steps(columns.wall_s, columns.arrival_s)
    late = faults.out_of_order(label_s, clock_set)
    label_s[late] = np.nan
    for row in np.flatnonzero(clock_set):
        since_s = columns.arrival_s - columns.arrival_s[row]
        label_s[(since_s >= 0) & (since_s < RELABELLED_S)] = np.nan
    return label_s, late


def _tiled(start_s: Floats, end_s: Floats) -> Floats:
    """Starts moved onto the end before them where only rounding keeps them apart."""
    start_s[1:] = np.where(np.abs(start_s[1:] - end_s[:-1]) < 1e-6, end_s[:-1], start_s[1:])
    return start_s


def _span(columns: Columns, placed: _Placed, first: int, last: int) -> tuple[float, float]:
    """From the end of the last reading before some rows to the start of the first after them."""
    before = np.searchsorted(placed.rows, first) - 1
    after = np.searchsorted(placed.rows, last, side="right")
    start_s = placed.end_s[before] if before >= 0 else columns.arrival_s[first]
    end_s = placed.start_s[after] if after < len(placed.rows) else columns.arrival_s[last]
    return float(start_s), float(max(start_s, end_s))


def _at_rows(columns: Columns, placed: _Placed, rows: Rows, kind: str, detail: str) -> list[Fault]:
    spans = [_span(columns, placed, int(row), int(row)) for row in rows]
    return [Fault(kind=kind, start_s=start_s, end_s=end_s, detail=detail) for start_s, end_s in spans]


def _unreadable(columns: Columns, placed: _Placed) -> list[Fault]:
    """Documents that are no reading: cut ones, and those of activity since boot."""
    detail = dict(columns.unreadable)
    unreadable = np.array(sorted(detail), dtype=np.intp)
    unread = _at_rows(columns, placed, unreadable, "unreadable document", "")
    unread = [
        Fault(**{**fault.__dict__, "detail": detail[int(row)]})
        for fault, row in zip(unread, unreadable, strict=True)
    ]
    lifetime = np.flatnonzero(~columns.is_delta)
    return unread + _at_rows(columns, placed, lifetime, "lifetime block", "activity since boot, not counted")


def _gaps(columns: Columns, placed: _Placed, places: list[faults.Place]) -> list[Fault]:
    gaps = []
    for kind, row, next_row in places:
        start_s, end_s = _span(columns, placed, row, next_row - 1)
        detail = "time that is counted twice"
        if kind == "gap":
            detail = f"within {end_s - start_s:.3g} s there is time that no reading covers"
        gaps.append(Fault(kind=kind, start_s=start_s, end_s=end_s, detail=detail))
    return gaps


def _clock_faults(columns: Columns, placed: _Placed) -> list[Fault]:
    """Faults told from stamps and labels: silence, sleep, a clock that was set, documents out of order."""
    if not columns.has_arrivals:
        return _displaced(columns)
    interval_s = float(np.nanmedian(columns.elapsed_s)) if placed.rows.size else 0.0
    judged = (
        ("stall", _silent(columns, interval_s), "the meter was silent"),
        (
            "machine slept",
            faults.clock_steps(columns.sleepless_s, columns.arrival_s),
            "the clock stood still",
        ),
        ("clock jump", faults.clock_steps(columns.wall_s, columns.sleepless_s), "the wall clock was set"),
    )
    jumps = []
    for kind, mask, detail in judged:
        for row in np.flatnonzero(mask):
            _, end_s = _span(columns, placed, int(row), int(row))
            start_s = min(columns.arrival_s[row - 1], _span(columns, placed, int(row), int(row))[0])
            end_s = max(end_s, columns.arrival_s[row])
            jumps.append(Fault(kind=kind, start_s=float(start_s), end_s=float(end_s), detail=detail))
    return jumps + _displaced(columns)


def _silent(columns: Columns, interval_s: float) -> NDArray[np.bool_]:
    """Rows before which the meter was silent while it lived; between two lives it is dead, not silent."""
    silent = faults.stalls(columns.arrival_s, interval_s)
    silent[1:] &= columns.session[1:] == columns.session[:-1]
    return silent


def _displaced(columns: Columns) -> list[Fault]:
    """From where a reading that came out of order belongs to where it came."""
    _, late = _labels(columns)
    displaced = []
    for row in np.flatnonzero(late):
        label_s = columns.label_s[row] - columns.wall_s[row] + columns.arrival_s[row]
        start_s = float(label_s - columns.elapsed_s[row])
        end_s = float(columns.arrival_s[row])
        detail = "an older interval arrived late"
        displaced.append(Fault(kind="out of order", start_s=start_s, end_s=end_s, detail=detail))
    return displaced


def _deaths(columns: Columns, placed: _Placed) -> list[Fault]:
    """From the last reading before each death to the first after it, or for good."""
    deaths = []
    for died_s, reason in columns.deaths:
        before = placed.end_s[placed.end_s <= died_s]
        after = placed.start_s[placed.start_s >= died_s]
        start_s = float(before[-1]) if before.size else died_s
        end_s = float(after[0]) if after.size else float("inf")
        deaths.append(Fault(kind="meter died", start_s=start_s, end_s=end_s, detail=reason))
    return deaths


def _assemble(columns: Columns, placed: _Placed, seen: list[Fault], limit_w: float | None) -> Trace:
    """The trace, with rails made NaN where what they say can't be true."""
    joules, doubts = judged(columns, placed.rows, limit_w)
    of_rails = [
        Fault(
            kind=doubt.kind,
            start_s=float(placed.start_s[doubt.first]),
            end_s=float(placed.end_s[doubt.last]),
            detail=doubt.detail,
            rail=doubt.rail,
        )
        for doubt in doubts
    ]
    return Trace(
        rails=columns.rails,
        start_s=placed.start_s,
        end_s=placed.end_s,
        joules=joules,
        alignment_s=placed.uncertainty_s,
        faults=tuple(sorted([*seen, *of_rails], key=lambda fault: fault.start_s)),
        thermal=columns.thermal,
    )
