"""Where readings lie on the harness clock.

A meter says how long each interval was, to the nanosecond, and when it ended, to the second. Intervals
tile time without gaps while the meter lives, so the running sum of their lengths places all of them up to
an offset, and up to a drift: clocks differ by parts in a million, and a meter may lose microseconds between
intervals. Two kinds of witness bound both:

    arrival   a document can't arrive before its interval ends:  end <= arrival
    label     each end falls into the second that labels it:     label <= end < label + 1

With the offset drawn against time, arrivals are a ceiling and labels a floor and a second ceiling. Every
straight line that passes between them is possible. The readings are placed on the line halfway between the
lowest and the highest of them at the first reading and at the last, from which none is further than the
uncertainty that goes into every bound. Ends are spread over the second, so a minute of readings leaves a gap
of milliseconds; anchoring on the moment at which the meter was spawned, as is common, is wrong by up to
0.6 s.
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

SLACK_S = 1e-9
"""By so much a line may pass a witness: the meter's own unit, where rounding alone would rule a line out."""


AT_ENDS = np.array([[1.0, 1.0], [-1.0, 1.0]])
"""A line (offset, drift) times this is where it lies at the first reading and at the last."""


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
    below = _below_arrivals(witnesses)
    ceiling = below[np.argmax(below[:, 0])]  # the line that comes closest to the arrivals
    lines = _lines_between(witnesses, below, ceiling)
    if lines is None and span_s > SHORTEST_SPLIT_S:
        return _halves(elapsed_s, arrival_s, label_s, latency_s)
    if lines is None:
        lines = np.array([ceiling, ceiling - [latency_s, 0.0]])
    at_ends_s = lines @ AT_ENDS
    lowest_s, highest_s = at_ends_s.min(axis=0), at_ends_s.max(axis=0)
    middle = (lowest_s + highest_s) / 2 @ np.linalg.inv(AT_ENDS)
    uncertainty_s = float(np.max(highest_s - lowest_s) / 2)
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


def _below_arrivals(witnesses: _Witnesses) -> Floats:
    """Corners of the lines that no arrival rules out, as far as a latency below the lowest arrival, at 0."""
    lowest_s, highest_s, steepest_s = -witnesses.latency_s, witnesses.steepest_s, witnesses.steepest_s
    box = [
        [lowest_s, -steepest_s],
        [highest_s, -steepest_s],
        [highest_s, steepest_s],
        [lowest_s, steepest_s],
    ]
    return _cut_down(np.array(box), _below(witnesses.position, witnesses.arrival_s))


def _lines_between(witnesses: _Witnesses, below: Floats, ceiling: Floats) -> Floats | None:
    """Corners of the lines that all witnesses allow, shape (k, 2); None if there is no such line."""
    labelled = ~np.isnan(witnesses.label_s)
    if not labelled.any():
        return None
    position, label_s = witnesses.position[labelled], witnesses.label_s[labelled]
    limits = np.concatenate(
        [
            _below(position, label_s + 1.0),
            _below(position, -label_s) * [-1.0, -1.0, 1.0],
            [[-1.0, 0.0, witnesses.latency_s - ceiling[0]]],
        ]
    )
    possible = _cut_down(below, limits)
    return possible if len(possible) else None


def _below(position: Floats, ceiling_s: Floats) -> Floats:
    """Rows (1, position, ceiling) of: offset + drift * position <= ceiling."""
    return np.column_stack([np.ones(len(position)), position, ceiling_s])


def _cut_down(polygon: Floats, limits: Floats) -> Floats:
    """The part of a convex polygon of (offset, drift) within all limits.

    Most limits touch nothing that others leave: the one that cuts deepest is taken, until none cuts.

    Args:
        polygon: its corners in order, shape (k, 2).
        limits: rows (a, b, c) of: a * offset + b * drift <= c.

    Returns:
        Its corners in order, shape (k, 2); k is 0 where nothing is left.
    """
    while len(polygon):
        beyond_s = polygon @ limits[:, :2].T - limits[:, 2]
        deepest = beyond_s[:, np.argmax(beyond_s.max(axis=0))]
        if deepest.max() <= 2 * SLACK_S:
            break
        polygon = _clipped(polygon, deepest - SLACK_S)
    return polygon


def _clipped(polygon: Floats, beyond_s: Floats) -> Floats:
    """The part of a polygon where `beyond_s`, given at its corners, is not positive."""
    corners = []
    for n in range(len(polygon)):
        (here, there), (here_s, next_s) = polygon[[n - 1, n]], beyond_s[[n - 1, n]]
        if here_s <= 0:
            corners.append(here)
        if (here_s <= 0) != (next_s <= 0):
            corners.append(here + (there - here) * (here_s / (here_s - next_s)))
    return np.array(corners).reshape(-1, 2)
