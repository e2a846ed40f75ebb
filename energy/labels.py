"""Streams without arrival times, as other tools save them: the whole-second labels are their only clock.

An interval's end lies within the second of its label. Ends are the running sum of the lengths, shifted by an
offset that is the same for all intervals between which no time was lost; so each label bounds the offset
from both sides, and where two bounds contradict each other, time was lost or told twice between them. A
hole that is shorter than the slack of the labels, up to a second, can't be seen this way.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from energy.align import MAX_DRIFT
from energy.decode import Columns
from energy.faults import Place

Floats = NDArray[np.float64]

SECOND_S = 1.0


def on_their_own_clock(columns: Columns) -> Columns:
    """The documents with the latest instants at which they can have ended for arrivals, from 0 at the start.

    Documents without a label follow the one before them at the end of their interval.
    """
    labelled = ~np.isnan(columns.label_s)
    first_s = float(columns.label_s[labelled][0]) if labelled.any() else 0.0
    sums_s = np.cumsum(np.nan_to_num(columns.elapsed_s))
    rows = np.arange(len(sums_s))
    anchor = np.maximum.accumulate(np.where(labelled, rows, -1))
    latest_s = columns.label_s[anchor] - first_s + SECOND_S + sums_s - sums_s[anchor]
    at_s = np.where(anchor >= 0, latest_s, sums_s)
    return replace(columns, arrival_s=at_s, wall_s=at_s + first_s, sleepless_s=at_s, has_arrivals=False)


def breaks(elapsed_s: Floats, label_s: Floats) -> list[Place]:
    """Where readings don't tile time, told from labels; as `faults.gaps` tells it from arrivals.

    Args:
        elapsed_s: lengths of consecutive intervals, shape (n,).
        label_s: the whole seconds in which they ended; NaN where there is none.
    """
    lowest_s = label_s - np.cumsum(elapsed_s)
    places: list[Place] = []
    low_s, high_s = -np.inf, np.inf
    for row in np.flatnonzero(~np.isnan(label_s)).tolist():
        slack_s = MAX_DRIFT * elapsed_s[row]
        low_s, high_s = low_s - slack_s, high_s + slack_s
        if lowest_s[row] >= high_s or lowest_s[row] + SECOND_S <= low_s:
            kind = "gap" if lowest_s[row] >= high_s else "overlap"
            places.append(Place(kind, _earliest(lowest_s, row, places[-1].next_row if places else 0), row))
            low_s, high_s = -np.inf, np.inf
        low_s, high_s = max(low_s, lowest_s[row]), min(high_s, lowest_s[row] + SECOND_S)
    return places


def _earliest(lowest_s: Floats, row: int, begin: int) -> int:
    """First row that may already lie behind the break that shows at `row`."""
    low_s, high_s = lowest_s[row], lowest_s[row] + SECOND_S
    while row - 1 > begin:
        before_s = lowest_s[row - 1]
        if not np.isnan(before_s):
            low_s, high_s = max(low_s, before_s), min(high_s, before_s + SECOND_S)
            if low_s >= high_s:
                break
        row -= 1
    return row
