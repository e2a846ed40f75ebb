"""An external meter between the machine and the socket, as a file of (time, watts).

Such a meter has a clock of its own, often set by hand, and averages over a second or so. It sees the same
work as the machine's own meter, though: the lag at which the two power curves fit best tells where its
clock stands. A calibration pulse, half a minute of work with idle on both sides, makes that fit sharp.
Lag and quality are stated with every figure, and a fit that could as well be elsewhere is refused.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from energy.base import EnergyError, SourceInfo, Trace
from energy.wall_checks import covered_since, judged, undisturbed
from energy.wall_file import WallMeter

Floats = NDArray[np.float64]

GRID_S = 0.1
LEAST_CORRELATION = 0.7
LEAST_MARGIN = 0.05
"""By how much the best lag must beat every lag that is not its neighbour."""
DOUBTFUL_CORRELATION, PLAIN_MARGIN = 0.5, 0.3
"""So little is enough where the place is beyond doubt: what disturbs the curve there is named afterwards."""


@dataclass(frozen=True, kw_only=True)
class WallFit:
    """A wall meter's readings on the harness clock, and how well they sit there."""

    trace: Trace
    info: SourceInfo
    lag_s: float
    """Seconds that the meter's clock is ahead of the harness clock."""
    correlation: float
    """Of the two power curves at that lag."""
    margin: float
    """How much lower the best correlation elsewhere is."""


def fit_wall(meter: WallMeter, own: Trace, *, pulse: tuple[float, float] | None = None) -> WallFit:
    """Find where a wall meter's samples lie on the harness clock.

    Args:
        meter: the samples.
        own: readings of the machine's own meter over the same run.
        pulse: start and end of the calibration, harness clock; the whole run is compared without one.

    Raises:
        EnergyError: the curves don't fit well enough, or fit as well elsewhere; says how well they do.
    """
    begin_s, end_s = pulse or (float(own.start_s[0]), float(own.end_s[-1]))
    grid_s = np.arange(begin_s, end_s, GRID_S)
    ours_w = _held(own.end_s, np.nansum(own.joules, axis=1) / (own.end_s - own.start_s), grid_s)
    theirs_s = np.arange(meter.time_s[0], meter.time_s[-1], GRID_S)
    theirs_w = _held(meter.time_s, undisturbed(meter), theirs_s)
    if len(theirs_w) < len(ours_w):
        raise EnergyError(
            f"the wall meter covers {len(theirs_w) * GRID_S:.0f} s, to be fitted are {end_s - begin_s:.0f} s"
        )
    correlations = _correlations(ours_w, theirs_w)
    best = int(np.argmax(correlations))
    margin = float(correlations[best] - _best_elsewhere(correlations, best))
    needed = LEAST_CORRELATION if margin < PLAIN_MARGIN else DOUBTFUL_CORRELATION
    if correlations[best] < needed or margin < LEAST_MARGIN:
        raise EnergyError(
            f"the wall meter's curve fits with a correlation of {correlations[best]:.2f}, "
            f"{margin:.2f} better than elsewhere, but {needed} and {LEAST_MARGIN} are needed",
            fix="record a calibration pulse",
        )
    lag_s = float(theirs_s[0] + (best + _between(correlations, best)) * GRID_S - grid_s[0])
    return _placed(meter, own, lag_s, float(correlations[best]), margin)


def _held(until_s: Floats, watts: Floats, grid_s: Floats) -> Floats:
    """Power on a grid: a reading holds for the time up to its end."""
    row = np.clip(np.searchsorted(until_s, grid_s), 0, len(watts) - 1)
    return watts[row]


def _correlations(short: Floats, long: Floats) -> Floats:
    """Pearson's correlation of a curve with every stretch of a longer one."""
    from scipy.signal import fftconvolve

    count = len(short)
    shape = (short - short.mean()) / max(float(short.std()), 1e-12)
    together = fftconvolve(long, shape[::-1], "valid") / count
    sums, squares = (np.concatenate([[0.0], np.cumsum(x)]) for x in (long, long**2))
    mean = (sums[count:] - sums[:-count]) / count
    spread = np.sqrt(np.maximum((squares[count:] - squares[:-count]) / count - mean**2, 1e-12))
    correlations: Floats = together / spread
    return correlations


def _best_elsewhere(correlations: Floats, best: int) -> float:
    """Highest correlation beyond the peak around the best one."""
    low, high = best, best
    while low > 0 and correlations[low - 1] < correlations[low]:
        low -= 1
    while high < len(correlations) - 1 and correlations[high + 1] < correlations[high]:
        high += 1
    return float(np.concatenate([correlations[:low], correlations[high + 1 :], [-1.0]]).max())


def _between(correlations: Floats, best: int) -> float:
    """Where the peak lies between grid points: the vertex of the parabola through three of them."""
    if not 0 < best < len(correlations) - 1:
        return 0.0
    left, middle, right = correlations[best - 1 : best + 2]
    bend = left - 2 * middle + right
    return float((left - right) / (2 * bend)) if bend < 0 else 0.0


def _placed(meter: WallMeter, own: Trace, lag_s: float, correlation: float, margin: float) -> WallFit:
    start_s, end_s = covered_since(meter.time_s) - lag_s, meter.time_s[1:] - lag_s
    joules, faults = judged(start_s, end_s, meter.watts[1:], own)
    info = SourceInfo(
        name="wall",
        kind="measured",
        rails=("system",),
        boundary="wall",
        interval_s=float(np.median(end_s - start_s)),
        resolution_j=0.0,
        stamp_s=GRID_S,
        details={"lag_s": f"{lag_s:.2f}", "correlation": f"{correlation:.3f}", "margin": f"{margin:.3f}"},
    )
    trace = Trace(("system",), start_s, end_s, joules[:, None], alignment_s=GRID_S, faults=tuple(faults))
    return WallFit(trace=trace, info=info, lag_s=lag_s, correlation=correlation, margin=margin)
