"""Where readings lie on the harness clock.

A meter says how long each interval was, to the nanosecond, and when it ended, to the second. Intervals
tile time without gaps while the meter lives, so the running sum of their lengths places all of them up to
one offset. Two kinds of witness bound that offset:

    arrival   a document can't arrive before its interval ends:  end <= arrival
    label     each end must fall into the second that labels it:  label <= end < label + 1

Anchoring on the moment at which the meter was spawned, as is common, is wrong by up to 0.6 s.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

LATENCY_S = 0.1
"""Without labels: the most that the quickest document of a session is taken to need to arrive."""


@dataclass(frozen=True)
class Alignment:
    """Ends of intervals on the harness clock, shape (n,), and how far off they may be."""

    end_s: Floats
    uncertainty_s: float


def align(elapsed_s: Floats, arrival_s: Floats, label_s: Floats) -> Alignment:
    """Place tiling intervals on the harness clock.

    Args:
        elapsed_s: lengths of consecutive intervals, shape (n,), n > 0.
        arrival_s: when their documents had arrived, harness clock.
        label_s: the whole-second labels moved to the harness clock by each document's own pair of clock
            readings; NaN where there is none.
    """
    sums_s = np.cumsum(elapsed_s)
    ceiling_s = float(np.min(arrival_s - sums_s))
    floor_s = ceiling_s - LATENCY_S
    labelled = ~np.isnan(label_s)
    if labelled.any():
        margins_s = (label_s - sums_s)[labelled]
        if margins_s.max() <= min(ceiling_s, margins_s.min() + 1.0):
            floor_s = max(floor_s, float(margins_s.max()))
            ceiling_s = min(ceiling_s, float(margins_s.min()) + 1.0)
    return Alignment(sums_s + (floor_s + ceiling_s) / 2, (ceiling_s - floor_s) / 2)
