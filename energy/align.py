"""Where readings lie on the harness clock.

A meter says how long each interval was, to the nanosecond, and when it ended, to the second. Intervals
tile time without gaps while the meter lives, so the running sum of their lengths places all of them up to
an offset, and up to a drift: clocks differ by parts in a million, and a meter may lose microseconds between
intervals. Two kinds of witness bound both:

    arrival   a document can't arrive before its interval ends:  end <= arrival
    label     each end falls into the second that labels it:     label <= end < label + 1

With the offset drawn against time, arrivals are a ceiling and labels a floor and a second ceiling. Every
straight line that passes between them is possible. The readings are placed on the middle of those lines;
the distance to the outermost is the uncertainty that goes into every bound. Ends are spread over the
second, so a minute of readings leaves a gap of milliseconds; anchoring on the moment at which the meter
was spawned, as is common, is wrong by up to 0.6 s.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

LATENCY_S = 0.05
"""The most that the quickest document of a stretch is taken to need to arrive. Documents need a few
milliseconds; labels that say otherwise don't mean what is thought, and are not used. Where the instants of
arrival are only bounds, they are as much later than the truth as the bounds are wide."""

MAX_DRIFT = 200e-6
"""Seconds a second: quartz keeps within 100 parts in a million; as much again for lost microseconds."""

SHORTEST_SPLIT_S = 120.0
"""A stretch that no straight line fits is halved, down to this."""

FEW = 100
"""Up to so many witnesses all are given to the solver; of more, only those on their convex hull."""


@dataclass(frozen=True)
class Alignment:
    """Ends of intervals on the harness clock, shape (n,), and how far off they may be."""

    end_s: Floats
    uncertainty_s: float


@dataclass(frozen=True)
class _Witnesses:
    """Bounds of the offset against `position`, which runs from -1 at the first reading to 1 at the last."""

    position: Floats
    arrival_s: Floats
    label_s: Floats
    latency_s: float
    steepest_s: float
    """By how much the offset may drift from the middle to an end."""


def align(
    elapsed_s: Floats, arrival_s: Floats, label_s: Floats, *, latency_s: float = LATENCY_S
) -> Alignment:
    """Place tiling intervals on the harness clock.

    Args:
        elapsed_s: lengths of consecutive intervals, shape (n,), n > 0.
        arrival_s: when their documents had arrived, harness clock.
        label_s: the whole-second labels moved to the harness clock by each document's own pair of clock
            readings; NaN where there is none.
        latency_s: how late the quickest of the documents may have arrived.
    """
    sums_s = np.cumsum(elapsed_s)
    span_s = float(sums_s[-1] - sums_s[0])
    position = (sums_s - (sums_s[0] + sums_s[-1]) / 2) / max(span_s / 2, 1e-9)
    origin_s = float(np.min(arrival_s - sums_s))
    witnesses = _Witnesses(
        position,
        arrival_s - sums_s - origin_s,
        label_s - sums_s - origin_s,
        latency_s,
        MAX_DRIFT * span_s / 2,
    )
    ceiling = _highest_line(witnesses)
    lines = _lines_between(witnesses, ceiling)
    if lines is None and span_s > SHORTEST_SPLIT_S:
        return _halves(elapsed_s, arrival_s, label_s, latency_s)
    if lines is None:
        lines = np.array([ceiling, ceiling - [latency_s, 0.0]])
    middle = lines.mean(axis=0)
    at_ends_s = lines @ np.array([[1.0, 1.0], [-1.0, 1.0]])
    uncertainty_s = float(np.max(np.abs(at_ends_s - at_ends_s.mean(axis=0))))
    return Alignment(sums_s + origin_s + middle[0] + middle[1] * position, uncertainty_s)


def _halves(elapsed_s: Floats, arrival_s: Floats, label_s: Floats, latency_s: float) -> Alignment:
    middle = len(elapsed_s) // 2
    halves = [
        align(elapsed_s[part], arrival_s[part], label_s[part], latency_s=latency_s)
        for part in (slice(None, middle), slice(middle, None))
    ]
    return Alignment(
        np.concatenate([half.end_s for half in halves]), max(half.uncertainty_s for half in halves)
    )


def _highest_line(witnesses: _Witnesses) -> Floats:
    """(offset, drift) of the line that comes closest to the arrivals from below."""
    ceiling = _below(witnesses.position, witnesses.arrival_s)
    line = _solve(np.array([-1.0, 0.0]), ceiling, witnesses.steepest_s)
    assert line is not None, "a line far below every arrival is always possible"
    return line


def _lines_between(witnesses: _Witnesses, ceiling: Floats) -> Floats | None:
    """The outermost of the lines that all witnesses allow, shape (4, 2); None if there is no such line."""
    labelled = ~np.isnan(witnesses.label_s)
    if not labelled.any():
        return None
    position, label_s = witnesses.position[labelled], witnesses.label_s[labelled]
    limits = np.concatenate(
        [
            _below(witnesses.position, witnesses.arrival_s),
            _below(position, label_s + 1.0),
            _below(position, -label_s) * [-1.0, -1.0, 1.0],
            [[-1.0, 0.0, witnesses.latency_s - ceiling[0]]],
        ]
    )
    goals = np.array([[1.0, -1.0], [-1.0, 1.0], [1.0, 1.0], [-1.0, -1.0]])
    lines = [_solve(goal, limits, witnesses.steepest_s) for goal in goals]
    return None if any(line is None for line in lines) else np.array(lines)


def _below(position: Floats, ceiling_s: Floats) -> Floats:
    """Rows (1, position, ceiling) of: offset + drift * position <= ceiling. Only those that can matter."""
    points = np.column_stack([position, ceiling_s])
    if len(points) > FEW:
        points = points[_hull(points)]
    return np.column_stack([np.ones(len(points)), points])


def _hull(points: Floats) -> NDArray[np.intp]:
    from scipy.spatial import ConvexHull, QhullError

    try:
        return np.asarray(ConvexHull(points).vertices, dtype=np.intp)
    except QhullError:  # all on one line: every point is on the hull
        return np.arange(len(points))


def _solve(goal: Floats, limits: Floats, steepest_s: float) -> Floats | None:
    """The (offset, drift) that minimises goal @ (offset, drift) within the limits; None if there is none."""
    from scipy.optimize import linprog

    solution = linprog(
        goal,
        A_ub=limits[:, :2],
        b_ub=limits[:, 2],
        bounds=[(None, None), (-steepest_s, steepest_s)],
        method="highs",
    )
    return np.asarray(solution.x, dtype=np.float64) if solution.success else None
