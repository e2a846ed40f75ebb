"""Power over time for the page's own chart: small enough to embed, whatever the length of the run.

A bin holds one reading, or as many neighbours as are needed to stay below `MOST_BINS`, with their lowest,
mean and highest power. Power is stored in 65,535ths of the highest; `UNKNOWN` stands where nothing was
measured. Sessions have clocks of their own, so they are put side by side, not at their true distance.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.report.figures.arms import looks_of
from bench.report.names import arm_label
from bench.report.readback import Readback
from bench.run.joules import Readings
from bench.run.records import IdleRecord, SlotRecord
from bench.show.plots import on_dark
from bench.show.safe_text import visible
from bench.show.words import kind_label
from energy.boundary import total_w

Floats = NDArray[np.float64]

MOST_BINS = 40_000
MOST_REQUESTS = 40_000
"""Phases of more requests are left out: they could not be told apart, and would fill the file."""
UNKNOWN = 65_535
_FULL_SCALE = 65_534
SESSION_GAP_S = 5.0


@dataclass(frozen=True, kw_only=True)
class Bins:
    """Power in neighbouring bins; NaN where nothing was measured."""

    start_s: Floats
    low_w: Floats
    mean_w: Floats
    high_w: Floats
    end_s: float


def power_data(readback: Readback) -> dict[str, Any] | None:
    """What the chart draws, ready for JSON; None without a reading."""
    traces = {number: power_of(sources.lead) for number, sources in readback.sources.items()}
    shifts = _shifts(traces)
    known = [_shifted(traces[number], shift) for number, shift in shifts.items()]
    if not known:
        return None
    return {
        **_curve(known),
        "label": kind_label([sources.lead.info.kind for sources in readback.sources.values()]),
        "arms": [
            {"label": visible(arm_label(arm)), "colour": look.colour, "on_dark": on_dark(look.colour)}
            for arm, look in looks_of(readback.arms).items()
        ],
        "slots": _slots(readback, shifts),
        "idle": _idle(readback, shifts),
        "phases": _phases(readback, shifts),
        "starts_s": [round(float(bins.start_s[0]), 3) for bins in known],
    }


def power_of(readings: Readings) -> Bins:
    """Total power of the boundary's rails, by reading; a hole between readings is a bin that is unknown."""
    trace, info = readings.trace, readings.info
    power_w = total_w(trace, info.rails)
    holes = np.flatnonzero(trace.start_s[1:] - trace.end_s[:-1] > 0.5 * info.interval_s) + 1
    start_s = np.insert(trace.start_s, holes, trace.end_s[holes - 1])
    power_w = np.insert(power_w, holes, np.nan)
    end_s = float(trace.end_s[-1]) if len(trace.end_s) else 0.0
    return Bins(start_s=start_s, low_w=power_w, mean_w=power_w, high_w=power_w, end_s=end_s)


def thinned(bins: Bins, *, most: int) -> Bins:
    """At most so many bins. One that holds anything unknown is unknown, so that no hole is painted over."""
    size = -(-len(bins.start_s) // most)
    if size <= 1:
        return bins
    begins = np.arange(0, len(bins.start_s), size)
    widths_s = np.diff(bins.start_s, append=bins.end_s)
    return Bins(
        start_s=bins.start_s[begins],
        low_w=np.minimum.reduceat(bins.low_w, begins),
        mean_w=np.add.reduceat(bins.mean_w * widths_s, begins) / np.add.reduceat(widths_s, begins),
        high_w=np.maximum.reduceat(bins.high_w, begins),
        end_s=bins.end_s,
    )


def _shifts(traces: dict[int, Bins]) -> dict[int, float]:
    """By session that has readings: what to add to its clock."""
    shifts, at_s = {}, 0.0
    for number, bins in traces.items():
        if len(bins.start_s):
            shifts[number] = at_s - float(bins.start_s[0])
            at_s = bins.end_s + shifts[number] + SESSION_GAP_S
    return shifts


def _shifted(bins: Bins, shift_s: float) -> Bins:
    return Bins(
        start_s=bins.start_s + shift_s,
        low_w=bins.low_w,
        mean_w=bins.mean_w,
        high_w=bins.high_w,
        end_s=bins.end_s + shift_s,
    )


def _curve(sessions: list[Bins]) -> dict[str, Any]:
    thin = [thinned(bins, most=max(1, MOST_BINS // len(sessions))) for bins in sessions]
    high_w = np.concatenate([bins.high_w for bins in thin])
    scale_w = float(np.nanmax(high_w, initial=0.0)) or 1.0
    unknown = [np.nan]  # closes each session: what follows it was not measured

    def column(name: str) -> str:
        values = np.concatenate([np.append(getattr(bins, name), unknown) for bins in thin])
        stored = np.where(np.isnan(values), UNKNOWN, np.rint(values / scale_w * _FULL_SCALE).clip(0))
        return _base64(stored.astype("<u2"))

    start_s = np.concatenate([np.append(bins.start_s, bins.end_s) for bins in thin])
    readings = sum(len(bins.start_s) for bins in sessions)
    return {
        "start": _base64(start_s.astype("<f4")),
        **{name: column(f"{name}_w") for name in ("low", "mean", "high")},
        "scale_w": scale_w,
        "end_s": round(float(start_s[-1]), 3),
        "readings_a_bin": -(-readings // max(1, len(high_w))),
    }


def _slots(readback: Readback, shifts: dict[int, float]) -> list[list[float]]:
    """[start, end, number of the arm, block], in seconds of the chart."""
    places = {arm: number for number, arm in enumerate(readback.arms)}
    return [
        [*_span(slot, shifts), places[slot.arm], slot.block]
        for slot in (row.record for row in readback.slots)
        if slot.session in shifts
    ]


def _idle(readback: Readback, shifts: dict[int, float]) -> list[list[float]]:
    return [_span(idle, shifts) for idle in readback.run.of(IdleRecord) if idle.session in shifts]


def _span(window: SlotRecord | IdleRecord, shifts: dict[int, float]) -> list[float]:
    shift_s = shifts[window.session]
    return [round(window.start_s + shift_s, 3), round(window.end_s + shift_s, 3)]


def _phases(readback: Readback, shifts: dict[int, float]) -> dict[str, Any] | None:
    """Per request its start and the lengths of gate, prefill and decode; None if there are too many."""
    stamps = [
        [at_s + shifts[slot.record.session] for at_s in (r.start_s, r.gated_s, r.prefilled_s, r.end_s)]
        for slot in readback.slots
        if slot.record.session in shifts
        for r in slot.answers
    ]
    if not stamps or len(stamps) > MOST_REQUESTS:
        return None
    instants_s = np.asarray(stamps)
    lengths_s = np.diff(instants_s, axis=1)
    unit_s = max(0.0001, float(lengths_s.max()) / _FULL_SCALE)
    return {
        "start": _base64(instants_s[:, 0].astype("<f4")),
        "lengths": _base64(np.rint(lengths_s / unit_s).astype("<u2")),
        "unit_s": unit_s,
    }


def _base64(values: NDArray[Any]) -> str:
    return base64.b64encode(values.tobytes()).decode("ascii")
