"""What can be wrong with an external meter's samples, told by the machine's own meter beside it.

    gap              no sample for longer than two and a half usual intervals: nothing is filled in
    zero             0 W while the machine runs: the meter was offline
    stuck            the very same figure again and again, while the chip's power changed
    below the chip   less than the chip alone draws; a laptop's battery may have given the rest
    implausible      more than any such machine can draw
    other load       a lasting step that no rail of the chip explains: a battery that charges, a lamp

A wall can't draw less than the chip, whatever the losses between them, so that also tells a wrong unit.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from energy.attribute import attribute
from energy.base import EnergyError, Fault, Trace
from energy.chip import MACHINE_W
from energy.faults import runs
from energy.wall_file import WallMeter

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]

GAP_INTERVALS = 2.5
STUCK_S = 30.0
STUCK_SAMPLES = 10
CHANGED_W = 2.0
"""A chip whose power moved by more than this over a stuck stretch would have moved the wall meter."""

COMPARED_OVER_S = 10.0
TOLERANCE = 0.03
TOLERANCE_W = 0.5

STEP_OVER_S = 30.0
STEP_W = 5.0
STEP_SHARE = 0.15
"""A step of what the chip does not explain counts above 5 W and a seventh of the mean."""


def judged(start_s: Floats, end_s: Floats, watts: Floats, own: Trace) -> tuple[Floats, list[Fault]]:
    """Joules of each sample, shape (n,), NaN where it can't be true, and why.

    Args:
        start_s: since when each sample is the mean, shape (n,), harness clock.
        end_s: until when.
        watts: the samples.
        own: readings of the machine's own meter.

    Raises:
        EnergyError: the samples as a whole can't be watts of this machine.
    """
    own_w = _own_watts(start_s, end_s, own)
    chip_w = np.where(np.isnan(own_w).all(axis=1), np.nan, np.nansum(own_w, axis=1))
    _check_unit(watts, chip_w)
    width = max(1, round(COMPARED_OVER_S / float(np.median(end_s - start_s))))
    low = _smooth(watts, width) < (1 - TOLERANCE) * _smooth(chip_w, width) - TOLERANCE_W
    masks = {
        "zero": (watts == 0, "the wall meter says 0 W while the machine runs: it was offline"),
        "implausible": (watts > MACHINE_W, f"more than the {MACHINE_W:.0f} W that such a machine can draw"),
        "stuck": (
            _stuck(end_s - start_s, watts, chip_w),
            "one figure again and again while power changed",
        ),
        "below the chip": (low, "the wall meter shows less than the chip alone draws"),
    }
    wrong = np.any([mask for mask, _ in masks.values()], axis=0)
    masks["other load"] = (
        _other_load(end_s - start_s, np.where(wrong, np.nan, watts), own_w),
        "the wall draws more than the chip explains: the battery charged, or something else was switched on",
    )
    faults = [
        Fault(kind=kind, start_s=float(start_s[first]), end_s=float(end_s[last]), detail=detail)
        for kind, (mask, detail) in masks.items()
        for first, last in runs(mask)
    ]
    wrong |= masks["other load"][0]
    return np.where(wrong, np.nan, watts * (end_s - start_s)), [*faults, *_gaps(start_s, end_s)]


def _own_watts(start_s: Floats, end_s: Floats, own: Trace) -> Floats:
    """Power of the chip's rails over each sample, shape (n, rails); NaN where they were not measured."""
    windows = np.column_stack([start_s, end_s])
    joules, _ = attribute(own.start_s, own.end_s, own.joules, windows)
    watts: Floats = joules / (end_s - start_s)[:, None]
    return watts


def _check_unit(watts: Floats, chip_w: Floats) -> None:
    """Refuse samples that as a whole are less than the chip, or more than any machine."""
    both = ~np.isnan(chip_w) & (watts > 0)
    if not both.any():
        return
    wall_w, own_w = float(np.median(watts[both])), float(np.median(chip_w[both]))
    mean_w, mean_own_w = float(watts[both].mean()), float(chip_w[both].mean())
    if mean_w < (1 - TOLERANCE) * mean_own_w - TOLERANCE_W:
        raise EnergyError(
            f"the wall meter shows {mean_w:.3g} W where the chip alone drew {mean_own_w:.3g} W: "
            "a wall can't draw less, so these are no watts",
            fix="say which column is power with --wall-column NAME, and its unit in its heading",
        )
    if wall_w > MACHINE_W:
        raise EnergyError(
            f"the wall meter shows {wall_w:.3g} W where the chip drew {own_w:.3g} W, and "
            f"{MACHINE_W:.0f} W is the most: these are no watts",
            fix="say the unit in the heading of the column, such as mW",
        )


def _gaps(start_s: Floats, end_s: Floats) -> list[Fault]:
    """Time between samples that none of them covers."""
    return [
        Fault(
            kind="gap",
            start_s=float(end_s[row]),
            end_s=float(start_s[row + 1]),
            detail=f"{start_s[row + 1] - end_s[row]:.3g} s without a sample of the wall meter",
        )
        for row in np.flatnonzero(start_s[1:] > end_s[:-1])
    ]


def covered_since(time_s: Floats) -> Floats:
    """Since when each sample but the first is the mean: the one before, unless that is too long ago."""
    length_s = np.diff(time_s)
    usual_s = float(np.median(length_s))
    since_s: Floats = time_s[1:] - np.where(length_s > GAP_INTERVALS * usual_s, usual_s, length_s)
    return since_s


def undisturbed(meter: WallMeter) -> Floats:
    """The samples for finding out where they lie, with the mean for those that plainly tell nothing."""
    length_s = np.diff(meter.time_s, prepend=meter.time_s[0])
    plainly = (meter.watts == 0) | (length_s > GAP_INTERVALS * float(np.median(length_s)))
    if plainly.all():
        return meter.watts
    return np.where(plainly, meter.watts[~plainly].mean(), meter.watts)


def _stuck(length_s: Floats, watts: Floats, chip_w: Floats) -> Mask:
    """Samples that repeat one figure for long while the chip's power changed."""
    stuck = np.zeros(len(watts), dtype=np.bool_)
    same = np.concatenate([[False], watts[1:] == watts[:-1]])
    for first, last in runs(same):
        rows = slice(first - 1, last + 1)  # the first of equal figures repeats none
        moved_w = chip_w[rows][~np.isnan(chip_w[rows])]
        enough = last + 2 - first >= STUCK_SAMPLES and length_s[rows].sum() >= STUCK_S
        if enough and moved_w.size and np.ptp(moved_w) > CHANGED_W:
            stuck[rows] = True
    return stuck


def _smooth(values: Floats, width: int) -> Floats:
    """Mean of the known neighbours within `width` samples, or all of them; NaN where none is known."""
    known = ~np.isnan(values)
    kernel = np.ones(min(width, len(values)))  # convolve answers with the longer of the two
    counts = np.convolve(known, kernel, "same")
    sums = np.convolve(np.where(known, values, 0.0), kernel, "same")
    means: Floats = np.divide(sums, counts, out=np.full(len(values), np.nan), where=(counts > 0.5) & known)
    return means


def _other_load(length_s: Floats, watts: Floats, own_w: Floats) -> Mask:
    """Samples in which the wall draws lastingly more than the chip's rails explain.

    The rails explain what least squares gives them, each with a loss of its own on the way from the wall.
    """
    known = ~np.isnan(watts) & ~np.isnan(own_w).all(axis=1)
    if length_s[known].sum() < 2 * STEP_OVER_S:
        return np.zeros(len(watts), dtype=np.bool_)
    rails = np.nan_to_num(own_w[known])
    design = np.column_stack([np.ones(len(rails)), rails])
    solution = np.linalg.lstsq(design, watts[known], rcond=None)[0]
    unexplained_w = np.full(len(watts), np.nan)
    unexplained_w[known] = watts[known] - design @ solution
    level_w = _smooth(unexplained_w, max(1, round(STEP_OVER_S / float(np.median(length_s)))))
    lowest_w, highest_w = np.nanmin(level_w), np.nanmax(level_w)
    least_w = max(STEP_W, STEP_SHARE * float(watts[known].mean()))
    if highest_w - lowest_w < least_w:
        return np.zeros(len(watts), dtype=np.bool_)
    return np.asarray(level_w > (lowest_w + highest_w) / 2, dtype=np.bool_)
