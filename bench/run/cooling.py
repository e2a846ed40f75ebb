"""The gate before each slot: the machine is cool and quiet again, or the record says that it was not."""

from __future__ import annotations

import time

import numpy as np
from numpy.typing import NDArray

from energy.base import EnergySource, Trace, is_nominal
from energy.boundary import total_j
from energy.cadence import LEAST_READINGS, REST_READINGS

_LOOK_READINGS = 2
"""Between two looks."""
_BAND = 0.25
_BAND_W = 0.25
"""Power is back at idle within a quarter of it, or a quarter of a watt where that is more."""


def cool_down(source: EnergySource, *, rest_s: float, idle_w: float | None, limit_s: float) -> str | None:
    """Rest, then wait until thermal pressure is nominal and power is back at idle.

    Args:
        source: the running meter.
        rest_s: shortest rest.
        idle_w: idle power of this run; None if it is not known, and then power is not looked at.
        limit_s: longest wait beyond the rest.

    Returns:
        What was still wrong when time was up; None when the machine is ready.
    """
    began_s = time.perf_counter()
    time.sleep(rest_s)
    deadline_s = time.perf_counter() + limit_s
    while (problem := what_is_hot(source.trace(), source.info.rails, idle_w, since_s=began_s)) is not None:
        if time.perf_counter() >= deadline_s:
            return problem
        time.sleep(_LOOK_READINGS * source.info.interval_s)
    return None


def what_is_hot(trace: Trace, rails: tuple[str, ...], idle_w: float | None, *, since_s: float) -> str | None:
    """What keeps the machine from being measured; None if nothing does.

    Power is that of the last ten readings, and of those that began after `since_s`: before it there was work.
    """
    if trace.thermal and not is_nominal(trace.thermal[-1][1]):
        return f"thermal pressure is {trace.thermal[-1][1]}"
    if idle_w is None or not set(rails) <= set(trace.rails):
        return None
    counted = trace.start_s >= since_s
    if counted.sum() < REST_READINGS:
        return f"fewer than {REST_READINGS} readings since the work ended"
    power_w = _recent_w(trace, rails, counted)
    if power_w is None:
        return None
    allowed_w = idle_w + max(_BAND * idle_w, _BAND_W)
    return None if power_w <= allowed_w else f"power is {power_w:.2f} W, idle was {idle_w:.2f} W"


def _recent_w(trace: Trace, rails: tuple[str, ...], counted: NDArray[np.bool_]) -> float | None:
    """Mean power of the last readings that count; None if a rail is missing."""
    recent = np.flatnonzero(counted)[-LEAST_READINGS:]
    seconds_s = float((trace.end_s - trace.start_s)[recent].sum())
    watts = float(total_j(trace, rails)[recent].sum()) / seconds_s
    return None if np.isnan(watts) else watts
