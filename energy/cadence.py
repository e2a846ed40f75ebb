"""How long a thing must last for a meter of some cadence: every such rule counts readings, not seconds.

Asked for a reading every 100 ms, most builds of macOS give one every 103 to 131 ms; macOS 26.6 gives one
every 240 to 249, now and then 471. So 1.5 s of idle are thirteen readings on one machine and six on another.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from energy.base import EnergySource, Trace

USUALLY_LATER = 1.3
"""A reading comes after so many of the intervals asked for, at most, on most machines."""

USUAL_S = USUALLY_LATER * 0.1
"""Between readings where 100 ms are asked for: what lengths in seconds are written for."""

LEAST_READINGS = 10
"""A window with fewer is mostly edge: its joules are withheld."""

REST_READINGS = 3
"""Fewer say little about the power at rest."""

REQUEST_READINGS = 5
"""A request that is shorter is priced with its neighbours' joules."""

PHASE_READINGS = 30
"""Fewer don't tell the phases of a slot apart."""

SETTLED_READINGS = 100
"""Of so many the two that a window's edges cut are 2 %, as much as its bound may be for grade 2."""

SEEN_READINGS = 5
"""So many tell the cadence; the first is often shorter."""

WORTH = 1.05
"""A length that misses its readings by less is left alone."""


@dataclass(frozen=True, kw_only=True)
class Need:
    """Readings that something takes."""

    least: int
    """With fewer it is of no use."""
    enough: int
    """More of them are a choice of whoever wrote the seconds, and not lengthened for a slow meter."""


WINDOW = Need(least=LEAST_READINGS + 2, enough=SETTLED_READINGS)
"""Two more than joules need: two of them may last twice as long as the others."""
IDLE = Need(least=LEAST_READINGS + 2, enough=20)
SELF_TEST = Need(least=LEAST_READINGS + 2, enough=LEAST_READINGS + 2)
REST = Need(least=0, enough=REST_READINGS)
STEP = Need(least=LEAST_READINGS, enough=LEAST_READINGS)
"""Of many windows of one step, of which some may go without joules."""


def cadence_of(trace: Trace) -> float | None:
    """Median seconds of a reading; None without readings."""
    import numpy as np  # not needed to know the rules

    return float(np.median(trace.end_s - trace.start_s)) if len(trace.end_s) else None


def seen_cadence(source: EnergySource, *, began_s: float = 0.0) -> float:
    """Seconds between the readings so far; as promised where there are none.

    Args:
        source: that has been started.
        began_s: when; the first few readings after it are waited for.
    """
    promised_s = source.info.interval_s
    source.wait(began_s + SEEN_READINGS * promised_s, timeout_s=SEEN_READINGS * promised_s + 3)
    return cadence_of(source.trace()) or promised_s


def lasting(seconds_s: float, need: Need, *, cadence_s: float, written_for_s: float = USUAL_S) -> float:
    """The seconds that hold as many readings of this cadence as were meant, in steps of 0.1 s.

    Args:
        seconds_s: as stated; under one reading it is not a length (0 is off), and stays.
        need: of what is to last so long.
        cadence_s: seconds between readings, as seen.
        written_for_s: seconds between readings for which `seconds_s` was stated.

    Returns:
        No less than `seconds_s`, which stays where it misses them by a twentieth or less.
    """
    if seconds_s < written_for_s:
        return seconds_s
    readings = min(max(seconds_s / written_for_s, need.least), need.enough)
    needed_s = readings * cadence_s
    return seconds_s if needed_s <= WORTH * seconds_s else math.ceil(round(10 * needed_s, 6)) / 10
