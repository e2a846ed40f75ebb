"""Readings and windows -> joules, with a bound. Pure and vectorised.

A window never begins and ends where readings do. Readings inside it count whole, by the running sum of
joules, whatever the number of windows. The two at its edges are clipped, and how matters: a window opens
and closes where work begins and ends, so its edge readings are the very ones that hold a step of power.
Clipping them in proportion to time gives each a share of the idle beside it and is short by a third of an
interval of power, on average, in every window. Here an edge reading whose power lies between its
neighbours' is taken as the one step from the first to the second that holds its joules; one that does not
is clipped in proportion.

The bound covers what clipping can't know:

    edges       how power was spread inside an edge reading: anywhere that its neighbours' powers allow
    alignment   power at the edges times how far the readings may be misplaced
    counters    each printed figure is cut to a whole step of the counter
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Rows = NDArray[np.intp]

GAP_S = 1e-6
"""Readings closer than this tile time; a float of the harness clock resolves less."""


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
    nothing = np.full((len(windows), joules.shape[1]), np.nan)
    if len(start_s) == 0:
        return nothing, nothing
    first = np.clip(np.searchsorted(end_s, windows[:, 0], side="right"), 0, len(end_s) - 1)
    last = np.clip(np.searchsorted(end_s, windows[:, 1], side="left"), 0, len(end_s) - 1)
    missing = np.isnan(joules)
    sums = _running(np.where(missing, 0.0, joules))
    gaps = _running(missing)
    opening_j, opening_bound_j = _clip(windows[:, 0], first, start_s, end_s, joules, alignment_s)
    closing_j, closing_bound_j = _clip(windows[:, 1], last, start_s, end_s, joules, alignment_s)
    total_j = sums[last] + closing_j - sums[first] - opening_j
    bound_j = opening_bound_j + closing_bound_j + resolution_j * (last - first + 1)[:, None]
    known = _covered(start_s, end_s, windows, first, last)[:, None] & (gaps[last + 1] == gaps[first])
    return np.where(known, total_j, np.nan), np.where(known, bound_j, np.nan)


def _running(values: NDArray[np.generic]) -> Floats:
    """Running sum with a leading zero, shape (n + 1, rails)."""
    sums = np.zeros((len(values) + 1, values.shape[1]))
    np.cumsum(values, axis=0, out=sums[1:])
    return sums


def _covered(start_s: Floats, end_s: Floats, windows: Floats, first: Rows, last: Rows) -> NDArray[np.bool_]:
    """Whether readings tile each window from its start to its end."""
    breaks = np.concatenate([[0], np.cumsum(start_s[1:] - end_s[:-1] > GAP_S)])
    inside = (windows[:, 0] >= start_s[first] - GAP_S) & (windows[:, 1] <= end_s[last] + GAP_S)
    forward = windows[:, 1] >= windows[:, 0]
    covered: NDArray[np.bool_] = inside & forward & (breaks[last] == breaks[first])
    return covered


def _clip(
    instant_s: Floats, row: Rows, start_s: Floats, end_s: Floats, joules: Floats, alignment_s: float
) -> tuple[Floats, Floats]:
    """Joules of each instant's reading that lie before the instant, and how far that may be off."""
    length_s = (end_s[row] - start_s[row])[:, None]
    head_s = np.clip(instant_s[:, None] - start_s[row][:, None], 0.0, length_s)
    tail_s = length_s - head_s
    energy_j = joules[row]
    here_w = energy_j / length_s
    before_w, after_w = _neighbours_w(row, start_s, end_s, joules)
    rises = (before_w <= here_w) & (here_w <= after_w)
    falls = (before_w >= here_w) & (here_w >= after_w)
    between = rises | falls
    lowest_w = np.where(between, np.minimum(before_w, after_w), least_w)
    highest_w = np.where(between, np.maximum(before_w, after_w), most_w)
    least_j = np.maximum(lowest_w * head_s, energy_j - highest_w * tail_s)
    most_j = np.minimum(highest_w * head_s, energy_j - lowest_w * tail_s)
    clipped_j = np.where(rises, least_j, np.where(falls, most_j, here_w * head_s))
    spread_j = np.maximum(most_j - clipped_j, clipped_j - least_j)
    return clipped_j, spread_j + highest_w * alignment_s


def _neighbours_w(
    row: Rows, start_s: Floats, end_s: Floats, joules: Floats, here_w: Floats
) -> tuple[Floats, Floats]:
    """Power of the readings before and after; the reading's own where it has no neighbour."""
    last = len(start_s) - 1
    powers = []
    for neighbour in (np.maximum(row - 1, 0), np.minimum(row + 1, last)):
        apart_s = np.maximum(start_s[row], start_s[neighbour]) - np.minimum(end_s[row], end_s[neighbour])
        power_w = joules[neighbour] / (end_s[neighbour] - start_s[neighbour])[:, None]
        absent = np.isnan(power_w) | ((apart_s > GAP_S) | (neighbour == row))[:, None]
        powers.append(np.where(absent, here_w, power_w))
    return powers[0], powers[1]
