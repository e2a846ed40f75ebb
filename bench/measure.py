"""Windows and a source's readings -> joules, or the reason why there are none."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from bench.records import Joules
from energy.attribute import attribute
from energy.base import SourceInfo, Trace

MIN_READINGS = 10
"""A window with fewer is mostly edge: its joules are withheld."""


def joules_of(windows: Sequence[tuple[float, float]], *, trace: Trace, info: SourceInfo) -> list[Joules]:
    """Energy of each window [start_s, end_s], from the readings of one source.

    The bound of a total is the sum of its rails' bounds: their errors share the same edges.
    """
    edges = np.asarray(windows, dtype=np.float64).reshape(-1, 2)
    joules, bounds = attribute(
        trace.start_s,
        trace.end_s,
        trace.joules,
        edges,
        alignment_s=trace.alignment_s,
        resolution_j=info.resolution_j,
    )
    return [
        _summarise(window, joules[i].tolist(), bounds[i].tolist(), trace=trace, info=info)
        for i, window in enumerate(windows)
    ]


def _summarise(
    window: tuple[float, float], joules: list[float], bounds: list[float], *, trace: Trace, info: SourceInfo
) -> Joules:
    start_s, end_s = window
    readings = int(np.count_nonzero((trace.end_s > start_s) & (trace.start_s < end_s)))
    rails = {rail: _or_none(value) for rail, value in zip(trace.rails, joules, strict=True)}
    withheld = _why_withheld(window, rails, readings=readings, trace=trace, info=info)
    return Joules(
        total_j=None if withheld else sum(joules[trace.rails.index(rail)] for rail in info.rails),
        bound_j=None if withheld else sum(bounds[trace.rails.index(rail)] for rail in info.rails),
        rails_j=rails,
        readings=readings,
        kind=info.kind,
        boundary=info.boundary,
        withheld=withheld,
    )


def _why_withheld(
    window: tuple[float, float],
    rails: dict[str, float | None],
    *,
    readings: int,
    trace: Trace,
    info: SourceInfo,
) -> str | None:
    touching = [f for f in trace.faults if f.start_s < window[1] and f.end_s > window[0]]
    if touching:
        return f"{touching[0].kind}: {touching[0].detail}"
    if readings < MIN_READINGS:
        return f"{readings} readings in the window, {MIN_READINGS} are needed: make the window longer"
    missing = [rail for rail in info.rails if rails.get(rail) is None]
    return f"the rail {', '.join(missing)} is missing" if missing else None


def _or_none(value: float) -> float | None:
    return None if math.isnan(value) else value
