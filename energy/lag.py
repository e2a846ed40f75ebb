"""How far from its command a meter shows a change of power.

A load is stopped and let go at known instants, with gaps that don't repeat. For an onset that appears `a`
late and an offset that appears `b` late, the time that the load was on inside each reading is

    on(a, b) = R(onsets + a) - R(offsets + b),    R(x) = seconds of the reading after x, summed over pulses

and joules = idle watts * seconds + load watts * on(a, b). The residual of that least-squares fit follows, for
every pair (a, b) of a grid at once, from the inner products of the columns R. The pair with the smallest
is the lag. Onset and offset need not be alike: a process takes time to wake, power to rise. Readings are
moved by the mean of the two. Half their difference, and twice the standard error of the mean from a
jackknife over pulses, is how far they may still be off.
"""

from __future__ import annotations

import math
import os
import signal
import time
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from energy.base import Trace

Floats = NDArray[np.float64]

PRIOR_S = 0.04
"""How far power may appear from where it was commanded where nobody has looked."""

GRID_S = np.arange(-60, 61) * 1e-3
EXPLAINED = 0.5
"""Share of the readings' variation that pulses must explain before they say anything."""

LEAST_PULSES = 6
SETTLED_PULSES = 12
"""At 100 ms; in proportion to the cadence above it, since longer readings tell less each."""
_GAPS = (0.6, 1.6)
"""Shortest and longest time on or off, in readings."""


@dataclass(frozen=True, kw_only=True)
class Lag:
    """When power appears after it was commanded, and how far that may be off."""

    onset_s: float
    offset_s: float
    spread_s: float
    """Half of what onset and offset differ by, and two standard errors of their mean."""
    pulses: int

    def __str__(self) -> str:
        """`onset +27 ms, offset -7 ms, known to 19 ms (12 pulses)`."""
        onset_ms, offset_ms, spread_ms = (1e3 * s for s in (self.onset_s, self.offset_s, self.spread_s))
        edges = f"onset {onset_ms:+.0f} ms, offset {offset_ms:+.0f} ms"
        return f"{edges}, known to {spread_ms:.0f} ms ({self.pulses} pulses)"

    @property
    def mean_s(self) -> float:
        """By how much readings lie late."""
        return (self.onset_s + self.offset_s) / 2


def lag_of(start_s: Floats, end_s: Floats, joules: Floats, pulses: Floats) -> Lag | None:
    """The lag that commanded pulses show; None where they show none.

    Args:
        start_s: starts of readings, shape (n,), on the harness clock.
        end_s: their ends, shape (n,).
        joules: their joules, shape (n,); readings of NaN are left out.
        pulses: (on, off) of each commanded pulse, shape (pulses, 2), ascending.
    """
    if len(pulses) < LEAST_PULSES:
        return None
    margin_s = float(GRID_S[-1])
    near = (end_s > pulses[0, 0] - margin_s) & (start_s < pulses[-1, 1] + margin_s) & ~np.isnan(joules)
    start_s, end_s, joules = start_s[near], end_s[near], joules[near]
    if len(joules) < LEAST_PULSES:
        return None
    length_s = end_s - start_s
    on, off = (_seconds_after(start_s, length_s, pulses[:, edge]) for edge in (0, 1))
    onset_s, offset_s, explained = _best(length_s, joules, on, off)
    if explained < EXPLAINED:
        return None
    of_pulse = np.clip(np.searchsorted(pulses[:, 0], (start_s + end_s) / 2) - 1, 0, len(pulses) - 1)
    means_s = []
    for number in range(len(pulses)):
        kept = of_pulse != number
        without = _best(length_s[kept], joules[kept], on[kept], off[kept])
        means_s.append((without[0] + without[1]) / 2)
    error_s = float(np.sqrt((len(pulses) - 1) * np.var(means_s)))
    spread_s = abs(onset_s - offset_s) / 2 + max(2 * error_s, float(GRID_S[1] - GRID_S[0]))
    if spread_s > PRIOR_S:
        return None
    return Lag(onset_s=onset_s, offset_s=offset_s, spread_s=spread_s, pulses=len(pulses))


def placed(trace: Trace, lag: Lag | None) -> Trace:
    """The readings moved to where power was commanded, and how far they may still be off.

    Without a lag they stay, and may be off by `PRIOR_S` more.
    """
    if lag is None:
        return replace(trace, alignment_s=trace.alignment_s + PRIOR_S)
    return replace(
        trace,
        start_s=trace.start_s - lag.mean_s,
        end_s=trace.end_s - lag.mean_s,
        alignment_s=trace.alignment_s + lag.spread_s,
    )


def joined(before: Lag | None, after: Lag | None) -> Lag | None:
    """The lag of a run, from pulses before it and after it; what moved between widens the spread."""
    if before is None or after is None:
        return before or after
    return Lag(
        onset_s=(before.onset_s + after.onset_s) / 2,
        offset_s=(before.offset_s + after.offset_s) / 2,
        spread_s=max(before.spread_s, after.spread_s) + abs(before.mean_s - after.mean_s) / 2,
        pulses=before.pulses + after.pulses,
    )


def plan(cadence_s: float, chance: np.random.Generator, *, most_s: float = math.inf) -> Floats:
    """Seconds (off, on) of each pulse to command, shape (pulses, 2), for readings of such a cadence.

    In less time than they take there are fewer, which tell the lag less well; too few tell nothing, and
    then there are none.
    """
    count = int(min(_count(cadence_s), most_s / (sum(_GAPS) * cadence_s)))
    return chance.uniform(*_GAPS, (count if count >= LEAST_PULSES else 0, 2)) * cadence_s


def pulses_s(cadence_s: float) -> float:
    """Seconds that the pulses for such a cadence take on average."""
    return _count(cadence_s) * sum(_GAPS) * cadence_s


def _count(cadence_s: float) -> int:
    return max(SETTLED_PULSES, round(SETTLED_PULSES * cadence_s / 0.1))


def command(pid: int, seconds: Floats) -> Floats:
    """Stop a process and let it go as planned; (on, off) of each pulse on the harness clock.

    The process runs on afterwards.

    Raises:
        ProcessLookupError: it has ended.
    """
    edges = []
    try:
        os.kill(pid, signal.SIGSTOP)
        for off_s, on_s in seconds.tolist():
            time.sleep(off_s)
            begin_s = time.perf_counter()
            os.kill(pid, signal.SIGCONT)
            time.sleep(on_s)
            end_s = time.perf_counter()
            os.kill(pid, signal.SIGSTOP)
            edges.append((begin_s, end_s))
        time.sleep(float(seconds[0, 0]))
    finally:
        os.kill(pid, signal.SIGCONT)  # a stopped process can't be ended
    return np.array(edges)


def _seconds_after(start_s: Floats, length_s: Floats, edges_s: Floats) -> Floats:
    """Seconds of each reading after the edges moved by each of the grid, summed, shape (n, grid)."""
    instants_s = edges_s[:, None] + GRID_S
    since_s = start_s[:, None, None] + length_s[:, None, None] - instants_s
    after: Floats = np.clip(since_s, 0.0, length_s[:, None, None]).sum(axis=1)
    return after


def _best(length_s: Floats, joules: Floats, on: Floats, off: Floats) -> tuple[float, float, float]:
    """Onset and offset with the smallest residual, and the share of the variation that they explain."""
    unit = length_s / np.sqrt(length_s @ length_s)
    rest_j = joules - unit * (unit @ joules)
    on, off = (columns - np.outer(unit, unit @ columns) for columns in (on, off))
    along = (rest_j @ on)[:, None] - (rest_j @ off)[None, :]
    size = (on**2).sum(axis=0)[:, None] + (off**2).sum(axis=0)[None, :] - 2 * on.T @ off
    gain = np.where(along > 0, along**2 / np.maximum(size, 1e-12), 0.0)
    row, column = np.unravel_index(int(np.argmax(gain)), gain.shape)
    total = float(rest_j @ rest_j)
    explained = float(gain[row, column]) / total if total > 0 else 0.0
    return float(GRID_S[row]), float(GRID_S[column]), explained
