"""What can go wrong in a meter's stream, told from the columns of its documents. Pure; judges, never mends.

    unreadable document   cut or mangled                          its bytes can't be read
    lifetime block        activity since boot                     it says `is_delta` false
    duplicated reading    one interval told twice                 equal to the nanosecond and the millijoule
    out of order          an older interval arrives late          its label is older than its predecessor's
    gap                   time that no reading covers             arrivals fall behind the sum for good
    overlap               time that is counted twice              a document comes before its interval ends
    stall                 the meter fell silent                   no document for ten intervals
    meter died            its process ended                       the recording says so
    machine slept         the harness clock stood still           the sleepless clock ran ahead
    clock jump            the wall clock was set                  it left the sleepless clock
    dead rail             zero joules from a part that worked     residency above zero, energy zero
    missing rail          a rail is no longer printed             its column ends
    frozen rail           a counter stands still                  it moved before, and nothing says why
    implausible           more than any such chip can draw        watts above the limit of `energy.chip`
    impossible figure     joules below zero, or not finite        so printed, or so by difference of counters
    self-contradiction    energy and power of one rail differ     they are one figure in two units
    invalid               the meter does not believe itself       it says `invalid`

A document that merely comes late, alone or in a burst, is no fault: it says itself which interval it covers.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]

CLOCK_STEP_S = 0.05
"""Clocks that part by more than this between two documents were set, or slept through it."""

STALL_INTERVALS = 10
SHORTEST_STALL_S = 1.0

CONFIRMED_AFTER = 10
"""So many documents in a row that are late by the same amount are not late: time is missing before them."""

STEP_S = 0.002
"""Rises of lateness below this are noise, or drift."""

PROMPT_S = 0.005
"""Documents this close to the quickest are not late."""

WORKED_S = 0.2
PLAINLY_S = 0.025
"""Core-seconds of work after which a rail can't have read zero, counting readings that hold plainly more
than a step of the counter. The most frugal known core takes 85 mW and the most frugal GPU 217 mW when active:
one such reading is 2 mJ, the whole 17 mJ."""


FROZEN_S = 5.0
"""A counter that stood still for longer, although it had moved before, is taken for frozen. A part that is
really switched off for so long looks the same to a meter that does not tell how busy the part was."""


class Place(NamedTuple):
    """Where readings don't tile: somewhere before `next_row`, at `row` or after it.

    The readings from one to the other came so late that they may belong to either side.
    """

    kind: str
    row: int
    next_row: int


def duplicated(elapsed_s: Floats, label_s: Floats, joules: Floats) -> Mask:
    """Readings that tell the previous one again, shape (n,)."""
    columns = np.column_stack([elapsed_s, np.nan_to_num(label_s), np.nan_to_num(joules, nan=-1.0)])
    same = np.zeros(len(elapsed_s), dtype=np.bool_)
    same[1:] = (columns[1:] == columns[:-1]).all(axis=1)
    return same


def out_of_order(label_s: Floats, clock_set: Mask) -> Mask:
    """Readings whose label, on the harness clock, is older than one before, shape (n,).

    Labels have whole seconds, so a reading that is displaced within its second can't be told; neither can
    it matter beyond the second. Labels from before and after the wall clock was set are not compared.
    """
    late = np.zeros(len(label_s), dtype=np.bool_)
    known = np.where(np.isnan(label_s), -np.inf, label_s)
    for rows in np.split(np.arange(len(label_s)), np.flatnonzero(clock_set)):
        newest = np.maximum.accumulate(known[rows])
        late[rows[1:]] = known[rows[1:]] < newest[:-1] - 0.5
    return late & ~np.isnan(label_s)


def clock_steps(one_s: Floats, other_s: Floats) -> Mask:
    """Rows before which one of two clocks was set or stood still, shape (n,).

    Args:
        one_s: one clock's reading at each row.
        other_s: the other's. Both run at one pace, so their difference changes only then.
    """
    stepped = np.zeros(len(one_s), dtype=np.bool_)
    stepped[1:] = np.abs(np.diff(one_s - other_s)) > CLOCK_STEP_S
    return stepped


def stalls(arrival_s: Floats, interval_s: float) -> Mask:
    """Rows before which the meter was silent, shape (n,)."""
    silent = np.zeros(len(arrival_s), dtype=np.bool_)
    silent[1:] = np.diff(arrival_s) > max(SHORTEST_STALL_S, STALL_INTERVALS * interval_s)
    return silent


def gaps(elapsed_s: Floats, arrival_s: Floats) -> tuple[list[Place], int]:
    """Where readings don't tile time.

    How late documents are against the running sum goes up and down, but not below its lowest. When the
    lowest of all that follow rises by half an interval, that much time was lost. When it falls by as much
    below the lowest of all before, time was counted twice.

    Returns:
        The places, and how many readings are settled: of those after it, only the next documents will tell
        whether they are late or behind a gap.
    """
    lateness_s = arrival_s - np.cumsum(elapsed_s)
    half_s = float(np.median(elapsed_s)) / 2
    preceding_s = np.minimum.accumulate(lateness_s)
    falls = np.flatnonzero(preceding_s[:-1] - preceding_s[1:] > half_s) + 1
    places = [Place("overlap", row, row) for row in falls.tolist() if row >= CONFIRMED_AFTER]
    settled = len(elapsed_s)
    following_s = np.minimum.accumulate(lateness_s[::-1])[::-1]
    for first, last in _rises(following_s):
        if following_s[last] - following_s[first - 1] <= half_s:
            continue
        if last > len(elapsed_s) - CONFIRMED_AFTER:
            settled = first
            break
        prompt = np.flatnonzero(lateness_s[last:] < following_s[last] + PROMPT_S)
        places.append(Place("gap", first, last + int(prompt[0])))
    return sorted(places, key=lambda place: place.row), settled


def _rises(following_s: Floats) -> list[tuple[int, int]]:
    """(first, last) rows of each rise; a late document on the way makes several steps of one."""
    steps = np.flatnonzero(np.diff(following_s) > STEP_S) + 1
    if steps.size == 0:
        return []
    groups = np.split(steps, np.flatnonzero(np.diff(steps) > CONFIRMED_AFTER) + 1)
    return [(int(group[0]), int(group[-1])) for group in groups]


def dead(joules: Floats, active_s: Floats) -> Mask:
    """Readings of zero from a rail whose part was at work, shape (n,), given one rail's columns.

    A single reading may be below a counter's step, and so may many. A run of zeros during which the part
    plainly worked for longer than `WORKED_S` can't be.
    """
    plain_s = np.where(active_s >= PLAINLY_S, active_s, 0.0)
    zero = joules == 0.0
    begins = zero & ~np.concatenate([[False], zero[:-1]])
    run = np.cumsum(begins) * zero
    worked_s = np.bincount(run, weights=plain_s, minlength=1)
    worked_s[0] = 0.0
    silent: Mask = worked_s[run] > WORKED_S
    return silent


def frozen(joules: Floats, elapsed_s: Floats, active_s: Floats) -> Mask:
    """Readings of zero from a counter that stopped moving, shape (n,), given one rail's columns.

    Only where nothing tells how busy the part was; where something does, `dead` judges by it. A counter that
    never moved at all is left to the self-test: a part that nothing uses draws nothing.
    """
    still = np.zeros(len(joules), dtype=np.bool_)
    if not np.isnan(active_s).all() or not (joules > 0).any():
        return still
    for first, last in runs(joules == 0.0):
        if elapsed_s[first : last + 1].sum() > FROZEN_S:
            still[first : last + 1] = True
    return still


def runs(mask: Mask) -> list[tuple[int, int]]:
    """(first, last) of each run of true rows."""
    edges = np.diff(np.concatenate([[0], mask.astype(np.int8), [0]]))
    first, after = np.flatnonzero(edges == 1), np.flatnonzero(edges == -1)
    return list(zip(first.tolist(), (after - 1).tolist(), strict=True))
