"""An external meter between the machine and the socket, as a file of (time, watts).

Such a meter has a clock of its own, often set by hand, and averages over a second or so. It sees the same
work as the machine's own meter, though: the lag at which the two power curves fit best tells where its
clock stands. A calibration pulse, half a minute of work with idle on both sides, makes that fit sharp.
Lag and quality are stated with every figure, and a fit that could as well be elsewhere is refused.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from energy.base import EnergyError, SourceInfo, SourceUnavailable, Trace

Floats = NDArray[np.float64]

GRID_S = 0.1
LEAST_CORRELATION = 0.7
LEAST_MARGIN = 0.05
"""By how much the best lag must beat every lag that is not its neighbour."""

LEAST_SAMPLES = 20
EXPECTED = "a heading and two columns are needed: time, watts"


@dataclass(frozen=True)
class WallMeter:
    """Samples of an external meter, on its own clock; each is the mean since the one before."""

    time_s: Floats
    watts: Floats


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


def read_wall(file: Path) -> WallMeter:
    """Read a CSV with a heading and two columns: time, as ISO-8601 or in seconds, and watts.

    Raises:
        SourceUnavailable: names the line that can't be read, or says that there are too few.
    """
    times, watts = [], []
    try:
        with file.open(newline="", encoding="utf-8-sig") as lines:
            for row in list(csv.reader(lines))[1:]:
                times.append(_seconds(row[0]))
                watts.append(float(row[1]))
    except OSError as error:
        raise SourceUnavailable(f"{file} can't be read ({error.strerror})", fix=EXPECTED) from error
    except UnicodeDecodeError as error:
        raise SourceUnavailable(f"{file}: byte {error.start} is not UTF-8", fix=EXPECTED) from error
    except (ValueError, IndexError) as error:
        raise SourceUnavailable(
            f"{file}, line {len(watts) + 2}: not a time and watts ({error})", fix=EXPECTED
        ) from error
    meter = WallMeter(np.array(times), np.array(watts))
    if len(times) < LEAST_SAMPLES or not (np.diff(meter.time_s) > 0).all():
        raise SourceUnavailable(f"{file}: {LEAST_SAMPLES} samples in ascending order of time are needed")
    if not (np.isfinite(meter.watts) & (meter.watts >= 0)).all():
        raise SourceUnavailable(f"{file}: watts are not finite and positive throughout")
    return meter


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
    theirs_w = _held(meter.time_s, meter.watts, theirs_s)
    if len(theirs_w) < len(ours_w):
        raise EnergyError(
            f"the wall meter covers {len(theirs_w) * GRID_S:.0f} s, to be fitted are {end_s - begin_s:.0f} s"
        )
    correlations = _correlations(ours_w, theirs_w)
    best = int(np.argmax(correlations))
    margin = float(correlations[best] - _best_elsewhere(correlations, best))
    if correlations[best] < LEAST_CORRELATION or margin < LEAST_MARGIN:
        raise EnergyError(
            f"the wall meter's curve fits with a correlation of {correlations[best]:.2f}, "
            f"{margin:.2f} better than elsewhere, but {LEAST_CORRELATION} and {LEAST_MARGIN} are needed",
            fix="record a calibration pulse",
        )
    lag_s = float(theirs_s[0] + (best + _between(correlations, best)) * GRID_S - grid_s[0])
    return _placed(meter, lag_s, float(correlations[best]), margin)


def _seconds(text: str) -> float:
    """A time as seconds: a number, or ISO-8601, taken as UTC where it names no zone."""
    try:
        return float(text)
    except ValueError:
        moment = datetime.fromisoformat(text.strip())
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


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


def _placed(meter: WallMeter, lag_s: float, correlation: float, margin: float) -> WallFit:
    end_s = meter.time_s[1:] - lag_s
    start_s = meter.time_s[:-1] - lag_s
    joules = (meter.watts[1:] * (end_s - start_s))[:, None]
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
    trace = Trace(("system",), start_s, end_s, joules, alignment_s=GRID_S)
    return WallFit(trace=trace, info=info, lag_s=lag_s, correlation=correlation, margin=margin)
