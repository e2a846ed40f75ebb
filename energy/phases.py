"""Power of phases that are shorter than a reading.

The prefill of a short prompt lasts 60 ms and a reading 110, so no reading is prefill. But a slot repeats its
phases many times, and each reading holds them in another mixture:

    joules of a reading = sum over phases of (seconds of the phase in it) * (watts of the phase)

Non-negative least squares solves that for the watts. Where readings lie is known to a few milliseconds,
which for a phase of 60 ms is a matter of per cents; and on real Macs edges of power appear up to 33 ms from
where they were commanded, which no alignment of clocks sees (`energy.lag`). Within both, the offset with
the smallest residual is taken: a search of 2 ms would put prefill 4 to 9 % too low beside a lag of 27.
Intervals come from a bootstrap of whole repeats, because neighbouring readings are alike. One reading is
never sliced by hand.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from energy.cadence import PHASE_READINGS

Floats = NDArray[np.float64]

GAP = "gap"
WIDEST = 0.20
"""A phase whose 95 % interval is wider than this share of its power is withheld."""

OFFSET_STEP_S = 0.004
NEAR = 2
"""Steps of the offset, on either side of the best, that a resampled slot may prefer."""
RESAMPLES = 300


@dataclass(frozen=True, kw_only=True)
class PhasePower:
    """Power of one phase over a slot; None where it is withheld, with the reason."""

    watts: float | None
    low_w: float | None
    high_w: float | None
    """Ends of the 95 % interval."""
    seconds: float
    """Time spent in the phase."""
    withheld: str | None = None

    @property
    def joules(self) -> float | None:
        """Joules spent in the phase."""
        return None if self.watts is None else self.watts * self.seconds


def phase_power(
    start_s: Floats,
    end_s: Floats,
    joules: Floats,
    phases: Mapping[str, Floats],
    window: tuple[float, float],
    *,
    alignment_s: float = 0.0,
    seed: int = 0,
) -> dict[str, PhasePower]:
    """Watts of each phase within a window.

    Args:
        start_s: starts of readings, shape (n,), on the harness clock.
        end_s: their ends, shape (n,).
        joules: their joules, shape (n,); readings of NaN are left out.
        phases: (start, end) of every time each phase ran, shape (times, 2). The rest is the phase `gap`.
        window: start and end of the slot.
        alignment_s: how far readings may lie from where they are placed, the lag of the meter included.
        seed: of the bootstrap.

    Returns:
        By phase, `gap` included.
    """
    inside = (start_s >= window[0]) & (end_s <= window[1]) & ~np.isnan(joules)
    start_s, end_s, joules = start_s[inside], end_s[inside], joules[inside]
    seconds = {name: float(np.sum(spans[:, 1] - spans[:, 0])) for name, spans in phases.items()}
    seconds[GAP] = window[1] - window[0] - sum(seconds.values())
    if len(joules) < PHASE_READINGS:
        reason = f"{len(joules)} readings in the window, {PHASE_READINGS} are needed"
        return {name: _withheld(spent_s, reason) for name, spent_s in seconds.items()}
    offsets_s = _offsets(alignment_s)
    designs = [_seconds_in(start_s + offset_s, end_s + offset_s, phases) for offset_s in offsets_s]
    best, watts = _best_fit(designs, joules)
    repeats = max((len(spans) for spans in phases.values()), default=1)
    near = designs[max(0, best - NEAR) : best + NEAR + 1]
    resampled = _bootstrap(near, joules, repeats, np.random.default_rng(seed))
    low_w, high_w = np.quantile(resampled, [0.025, 0.975], axis=0)
    fits = zip(seconds, watts.tolist(), low_w.tolist(), high_w.tolist(), strict=True)
    return {name: _judged(fit_w, least_w, most_w, seconds[name]) for name, fit_w, least_w, most_w in fits}


def _offsets(reach_s: float) -> Floats:
    """By how much readings may be moved, in steps of about `OFFSET_STEP_S` on either side of 0."""
    return np.linspace(-reach_s, reach_s, 2 * round(reach_s / OFFSET_STEP_S) + 1)


def _seconds_in(start_s: Floats, end_s: Floats, phases: Mapping[str, Floats]) -> Floats:
    """Seconds of each phase in each reading, shape (n, phases + 1); the last column is the gap."""
    columns = [_time_until(end_s, spans) - _time_until(start_s, spans) for spans in phases.values()]
    table = np.array([*columns, end_s - start_s]).T
    table[:, -1] -= table[:, :-1].sum(axis=1)
    return table


def _time_until(instants_s: Floats, spans: Floats) -> Floats:
    """Seconds spent in a phase before each instant."""
    if len(spans) == 0:
        return np.zeros(len(instants_s))
    spent_s = np.concatenate([[0.0], np.cumsum(spans[:, 1] - spans[:, 0])])
    edges_s = spans.reshape(-1)
    until_s: Floats = np.interp(instants_s, edges_s, np.repeat(spent_s, 2)[1:-1])
    return until_s


def _best_fit(designs: list[Floats], joules: Floats) -> tuple[int, Floats]:
    """Number of the offset that leaves the smallest residual, and the watts there."""
    from scipy.optimize import nnls

    fits = [nnls(design, joules) for design in designs]
    best = min(range(len(fits)), key=lambda number: float(fits[number][1]))
    return best, fits[best][0]


def _bootstrap(designs: list[Floats], joules: Floats, repeats: int, chance: np.random.Generator) -> Floats:
    """Watts of resampled slots, shape (resamples, phases); resampled in runs as long as a repeat."""
    count = len(joules)
    length = int(np.clip(count // max(repeats, 1), 1, count // 5))
    resampled = []
    for _ in range(RESAMPLES):
        begins = chance.integers(0, count, -(-count // length))
        rows = ((begins[:, None] + np.arange(length)) % count).reshape(-1)[:count]
        resampled.append(_best_fit([design[rows] for design in designs], joules[rows])[1])
    return np.array(resampled)


def _judged(watts: float, low_w: float, high_w: float, seconds: float) -> PhasePower:
    if watts <= 0 or high_w - low_w > WIDEST * watts:
        return _withheld(seconds, f"its interval is {low_w:.3g} to {high_w:.3g} W; repeat the phase oftener")
    return PhasePower(watts=watts, low_w=low_w, high_w=high_w, seconds=seconds)


def _withheld(seconds: float, reason: str) -> PhasePower:
    return PhasePower(watts=None, low_w=None, high_w=None, seconds=seconds, withheld=reason)
