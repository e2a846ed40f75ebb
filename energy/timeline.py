"""Columns -> trace: which documents are readings, where they lie, and what went wrong between them.

A stretch is a run of readings that tile time: one process, no document lost, no sleep. Each is placed on the
harness clock on its own. Whatever breaks a stretch becomes a fault between the two.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from energy import faults
from energy.align import align
from energy.base import Fault, Trace
from energy.decode import Columns, Decoder

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


def trace_of(decoder: Decoder) -> Trace:
    """All readings that a decoder has seen so far, judged, on the harness clock."""
    if decoder.form == "readings":
        return stamped_trace(decoder.columns(), within_s=decoder.source.stamp_s)
    return stream_trace(decoder.columns())


def stream_trace(columns: Columns) -> Trace:
    """Place all readings of a meter's stream on the harness clock, and judge them."""
    rows = np.flatnonzero(columns.is_delta & ~np.isnan(columns.elapsed_s))
    again = faults.duplicated(columns.elapsed_s[rows], columns.label_s[rows], columns.joules[rows])
    stretches, missing = _stretches(columns, rows[~again])
    placed = _place(columns, stretches)
    found = [
        *_unreadable(columns, placed),
        *_at_rows(columns, placed, rows[again], "duplicated reading", "told twice, counted once"),
        *_gaps(columns, placed, missing),
        *_clock_faults(columns, placed),
        *_deaths(columns, placed),
    ]
    return _assemble(columns, placed, found)


def stamped_trace(columns: Columns, *, within_s: float) -> Trace:
    """The readings of a source that reads its counter itself, at its stamps: nothing needs aligning.

    Args:
        columns: the decoded readings.
        within_s: how far a reading may lie from its stamp.
    """
    rows = np.flatnonzero(~np.isnan(columns.elapsed_s))
    end_s = columns.arrival_s[rows]
    placed = _Placed(rows, _tiled(end_s - columns.elapsed_s[rows], end_s), end_s, within_s)
    return _assemble(columns, placed, [*_clock_faults(columns, placed), *_deaths(columns, placed)])


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
        places, settled = faults.gaps(columns.elapsed_s[piece], columns.arrival_s[piece])
        begin = 0
        for place in places:
            stretches.append(piece[begin : place.row])
            missing.append(faults.Place(place.kind, int(piece[place.row]), int(piece[place.next_row])))
            begin = place.next_row
        stretches.append(piece[begin:settled])
    return [stretch for stretch in stretches if len(stretch) >= MIN_STRETCH], missing


def _place(columns: Columns, stretches: list[Rows]) -> _Placed:
    """All stretches on the harness clock, one after the other."""
    label_s, _ = _labels(columns)
    ends, starts, uncertainty_s, latest_s = [np.empty(0)], [np.empty(0)], 0.0, -np.inf
    for rows in stretches:
        aligned = align(columns.elapsed_s[rows], columns.arrival_s[rows], label_s[rows])
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
    detail = {row: text for row, kind, text in columns.notes if kind == "unreadable document"}
    unreadable = np.array(sorted(detail), dtype=np.intp)
    found = _at_rows(columns, placed, unreadable, "unreadable document", "")
    found = [
        Fault(**{**fault.__dict__, "detail": detail[int(row)]})
        for fault, row in zip(found, unreadable, strict=True)
    ]
    lifetime = np.flatnonzero(~columns.is_delta)
    return found + _at_rows(columns, placed, lifetime, "lifetime block", "activity since boot, not counted")


def _gaps(columns: Columns, placed: _Placed, places: list[faults.Place]) -> list[Fault]:
    detail = {"gap": "time that no reading covers", "overlap": "time that is counted twice"}
    found = []
    for kind, row, next_row in places:
        start_s, _ = _span(columns, placed, row, row)
        _, end_s = _span(columns, placed, next_row, next_row)
        found.append(Fault(kind=kind, start_s=start_s, end_s=end_s, detail=detail[kind]))
    return found


def _clock_faults(columns: Columns, placed: _Placed) -> list[Fault]:
    """Faults told from stamps and labels: silence, sleep, a clock that was set, documents out of order."""
    interval_s = float(np.nanmedian(columns.elapsed_s)) if placed.rows.size else 0.0
    judged = (
        ("stall", faults.stalls(columns.arrival_s, interval_s), "the meter was silent"),
        (
            "machine slept",
            faults.clock_steps(columns.sleepless_s, columns.arrival_s),
            "the clock stood still",
        ),
        ("clock jump", faults.clock_steps(columns.wall_s, columns.sleepless_s), "the wall clock was set"),
    )
    found = []
    for kind, mask, detail in judged:
        for row in np.flatnonzero(mask):
            _, end_s = _span(columns, placed, int(row), int(row))
            start_s = min(columns.arrival_s[row - 1], _span(columns, placed, int(row), int(row))[0])
            end_s = max(end_s, columns.arrival_s[row])
            found.append(Fault(kind=kind, start_s=float(start_s), end_s=float(end_s), detail=detail))
    return found + _displaced(columns)


def _displaced(columns: Columns) -> list[Fault]:
    """From where a reading that came out of order belongs to where it came."""
    _, late = _labels(columns)
    found = []
    for row in np.flatnonzero(late):
        label_s = columns.label_s[row] - columns.wall_s[row] + columns.arrival_s[row]
        start_s = float(label_s - columns.elapsed_s[row])
        end_s = float(columns.arrival_s[row])
        detail = "an older interval arrived late"
        found.append(Fault(kind="out of order", start_s=start_s, end_s=end_s, detail=detail))
    return found


def _deaths(columns: Columns, placed: _Placed) -> list[Fault]:
    """From the last reading before each death to the first after it, or for good."""
    found = []
    for died_s, reason in columns.deaths:
        before = placed.end_s[placed.end_s <= died_s]
        after = placed.start_s[placed.start_s >= died_s]
        start_s = float(before[-1]) if before.size else died_s
        end_s = float(after[0]) if after.size else float("inf")
        found.append(Fault(kind="meter died", start_s=start_s, end_s=end_s, detail=reason))
    return found


def _assemble(columns: Columns, placed: _Placed, found: list[Fault]) -> Trace:
    """The trace, with rails made NaN where their zeros can't be true."""
    joules = columns.joules[placed.rows]
    for index, rail in enumerate(columns.rails):
        worked = faults.dead(joules[:, index], columns.active_s[placed.rows, index])
        joules[worked, index] = np.nan
        found = found + _rail_faults(columns, placed, rail, np.isnan(joules[:, index]), worked)
    return Trace(
        rails=columns.rails,
        start_s=placed.start_s,
        end_s=placed.end_s,
        joules=joules,
        alignment_s=placed.uncertainty_s,
        faults=tuple(sorted(found, key=lambda fault: fault.start_s)),
        thermal=columns.thermal,
    )


def _rail_faults(
    columns: Columns, placed: _Placed, rail: str, absent: NDArray[np.bool_], worked: NDArray[np.bool_]
) -> list[Fault]:
    """One fault for each run of readings in which a rail is not measured."""
    said = {row for row, kind, _ in columns.notes if kind.endswith(f" {rail}")}
    said_here = np.isin(placed.rows, list(said))
    found = []
    for mask, kind, detail in (
        (worked, "dead rail", f"{rail} reads zero while it works"),
        (absent & said_here, "invalid", f"the meter marks {rail} as invalid"),
        (absent & ~worked & ~said_here, "missing rail", f"{rail} is not printed"),
    ):
        for first, last in faults.runs(mask):
            start_s, end_s = float(placed.start_s[first]), float(placed.end_s[last])
            found.append(Fault(kind=kind, start_s=start_s, end_s=end_s, detail=detail, rail=rail))
    return found
