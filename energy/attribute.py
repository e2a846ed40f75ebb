"""Readings and windows -> joules, with a bound. Pure and vectorised.

A window never begins and ends where readings do. Readings inside it count whole, by the running sum of
joules, whatever the number of windows. The two at its edges are clipped, and how matters: a window opens
and closes where work begins and ends, so its edge readings are the very ones that hold a step of power.
Clipping them in proportion to time gives each a share of the idle beside it, and is short by a third of an
interval of power on average, in every window. Here an edge reading whose power lies between its
neighbours' is taken as the one step from the first to the second that holds its joules; what exceeds the
neighbours is clipped in proportion.

The bound covers what clipping can't know:

    edges       how power was spread inside an edge reading. It may swing many times within one, so its
                neighbours say nothing: all that is sure is its joules, and that power is never below the
                lowest of any reading given (a run holds its idle). What lies before the instant is then at
                least lowest * head and at most joules - lowest * tail; the bound reaches to the farther.
    alignment   power at the edges times how far the readings may be misplaced
    counters    each printed figure is cut to a whole step of the counter
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Rows = NDArray[np.intp]

GAP_S = 1e-6
"""Readings closer than this tile time; a float of the harness clock resolves less."""

AROUND = (-1, 0, 1)
"""Readings whose powers say how a step lies in the one between."""


@dataclass(frozen=True)
class _Readings:
    start_s: Floats
    end_s: Floats
    joules: Floats
    stretch: Rows
    """Number of the gapless stretch that each reading belongs to."""


def attribute(
    start_s: Floats,
    end_s: Floats,
    joules: Floats,
    windows: Floats,
    *,
    alignment_s: float = 0.0,
    resolution_j: float = 0.0,
) -> tuple[Floats, Floats]:
    """Joules of each rail in each window.

    Args:
        start_s: starts of readings, shape (n,), ascending, on the clock of `windows`.
        end_s: their ends, shape (n,); readings don't overlap.
        joules: their joules by rail, shape (n, rails); NaN where a rail was not measured.
        windows: (start, end) of each window, shape (m, 2).
        alignment_s: how far the readings may lie from where they are placed.
        resolution_j: step of the counter that the joules were read from.

    Returns:
        Joules and their bound, both of shape (m, rails): the truth lies within joules +- bound. NaN where a
        rail is missing from a reading that the window touches, or where readings don't cover the window.
    """
    if len(start_s) == 0:
        nothing = np.full((len(windows), joules.shape[1]), np.nan)
        return nothing, nothing.copy()
    stretch = np.concatenate([[0], np.cumsum(start_s[1:] - end_s[:-1] > GAP_S)])
    readings = _Readings(start_s, end_s, joules, stretch)
    first = np.clip(np.searchsorted(end_s, windows[:, 0], side="right"), 0, len(end_s) - 1)
    last = np.clip(np.searchsorted(end_s, windows[:, 1], side="left"), 0, len(end_s) - 1)
    sums, absences = _sums(joules)
    opening_j, opening_bound_j = _clip(readings, first, windows[:, 0], alignment_s)
    closing_j, closing_bound_j = _clip(readings, last, windows[:, 1], alignment_s)
    total_j = sums[last] + closing_j - sums[first] - opening_j
    bound_j = opening_bound_j + closing_bound_j + resolution_j * (last - first + 1)[:, None]
    known = _covered(readings, windows, first, last)[:, None]
    if absences is not None:
        known = known & (absences[last + 1] == absences[first])
    return np.where(known, total_j, np.nan), np.where(known, bound_j, np.nan)


def _sums(joules: Floats) -> tuple[Floats, Floats | None]:
    """Running sums of the joules, and of how often a rail is missing; None where none ever is."""
    sums = _running(joules)
    if not np.isnan(sums[-1]).any():
        return sums, None
    missing = np.isnan(joules)
    return _running(np.where(missing, 0.0, joules)), _running(missing)


def _running(values: NDArray[np.generic]) -> Floats:
    """Running sum with a leading zero, shape (n + 1, rails)."""
    sums = np.zeros((len(values) + 1, values.shape[1]))
    np.cumsum(values, axis=0, out=sums[1:])
    return sums


def _covered(readings: _Readings, windows: Floats, first: Rows, last: Rows) -> NDArray[np.bool_]:
    """Whether readings tile each window from its start to its end."""
    begins = windows[:, 0] >= readings.start_s[first] - GAP_S
    ends = windows[:, 1] <= readings.end_s[last] + GAP_S
    forward = windows[:, 1] >= windows[:, 0]
    covered: NDArray[np.bool_] = begins & ends & forward & (readings.stretch[last] == readings.stretch[first])
    return covered


def _clip(readings: _Readings, row: Rows, instant_s: Floats, alignment_s: float) -> tuple[Floats, Floats]:
    """Joules of each instant's reading that lie before the instant, and how far that may be off."""
    length_s = readings.end_s[row] - readings.start_s[row]
    head_s = np.clip(instant_s - readings.start_s[row], 0.0, length_s)[:, None]
    length_s = length_s[:, None]
    tail_s = length_s - head_s
    power_w = _power_around(readings, row)
    here_w = power_w[AROUND.index(0)]
    before_w, after_w = power_w[AROUND.index(-1)], power_w[AROUND.index(1)]
    alone = np.isnan(before_w) | np.isnan(after_w)
    before_w = np.where(alone, here_w, before_w)
    after_w = np.where(alone, here_w, after_w)
    lower_w, higher_w = np.minimum(before_w, after_w), np.maximum(before_w, after_w)
    stepped_w = np.clip(here_w, lower_w, higher_w)
    low_first_j = np.maximum(lower_w * head_s, stepped_w * length_s - higher_w * tail_s)
    high_first_j = np.minimum(higher_w * head_s, stepped_w * length_s - lower_w * tail_s)
    step_j = np.where(before_w <= after_w, low_first_j, high_first_j)
    head_j = step_j + (here_w - stepped_w) * head_s
    least_j = _lowest_power(readings) * head_s
    most_j = here_w * length_s - _lowest_power(readings) * tail_s
    spread_j = np.where((head_s > 0) & (tail_s > 0), np.maximum(head_j - least_j, most_j - head_j), 0.0)
    edge_w = np.maximum(here_w, higher_w)
    return head_j, spread_j + edge_w * alignment_s


def _power_around(readings: _Readings, row: Rows) -> Floats:
    """Power of a reading and its neighbours, shape (3, m, rails); NaN across gaps and beyond the ends."""
    powers = []
    for offset in AROUND:
        near = np.clip(row + offset, 0, len(readings.start_s) - 1)
        length_s = readings.end_s[near] - readings.start_s[near]
        there = (near == row + offset) & (readings.stretch[near] == readings.stretch[row])
        powers.append(np.where(there[:, None], readings.joules[near] / length_s[:, None], np.nan))
    return np.array(powers)


def _lowest_power(readings: _Readings) -> Floats:
    """Lowest power of each rail in any reading: idle, in a run."""
    lowest: Floats = np.fmin.reduce(readings.joules / (readings.end_s - readings.start_s)[:, None])
    return lowest
