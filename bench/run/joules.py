"""Windows and the readings of a run's sources -> joules with bound and grade, or why there are none."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bench.run.observed import Joules
from energy.attribute import attribute
from energy.base import EnergySource, Fault, SourceInfo, Trace, is_nominal
from energy.boundary import total_j
from energy.cadence import LEAST_READINGS
from energy.grade import Facts, SelfTest, grade
from energy.lag import Lag, placed
from energy.recording import INDEX
from energy.replay import load
from energy.selftest import without_silent
from energy.together import Together, cross_check, same_instrument

Window = tuple[float, float]


@dataclass(frozen=True)
class Readings:
    """What one source has read."""

    trace: Trace
    info: SourceInfo


@dataclass(frozen=True)
class Sources:
    """The readings of the source that leads and of those that check it."""

    lead: Readings
    others: tuple[Readings, ...] = ()

    @classmethod
    def running(cls, source: EnergySource) -> Sources:
        """All readings so far of a source that runs."""
        others: tuple[Readings, ...] = ()
        if isinstance(source, Together):
            others = tuple(map(Readings, source.other_traces(), source.other_infos))
        return cls(Readings(source.trace(), source.info), others)

    @classmethod
    def stored(cls, folder: Path) -> Sources:
        """The readings that a session left in its folder.

        Raises:
            EnergyError: they can't be read.
        """
        folders = sorted(index.parent for index in folder.glob(f"*/{INDEX}") if index.parent.name.isalpha())
        others = tuple(Readings(*load(other)) for other in folders)
        return cls(Readings(*load(folder)), others)

    def without(self, silent: Mapping[str, str]) -> Sources:
        """The same with rails that did not answer the self-test as not measured, whoever asks for them.

        Args:
            silent: rail -> why, see `energy.selftest.Outcome`.
        """
        return replace(self, lead=replace(self.lead, trace=without_silent(self.lead.trace, silent)))

    def placed(self, lag: Lag | None) -> Sources:
        """The same with the lead's readings where power was commanded, and their bounds as wide as the lag's.

        Args:
            lag: what pulses told in this session; None where they told nothing. A model shows nothing late.
        """
        if self.lead.info.kind == "modelled":
            return self
        return replace(self, lead=replace(self.lead, trace=placed(self.lead.trace, lag)))


@dataclass(frozen=True, kw_only=True)
class MeterTrust:
    """What is known of the meter beside its readings."""

    self_test: SelfTest = "not run"
    idle_stable: bool | None = None
    """None: not known yet."""


def joules_of(windows: Sequence[Window], sources: Sources, trust: MeterTrust) -> list[Joules]:
    """Energy of each window [start_s, end_s].

    The bound of a total is the sum of its rails' bounds: their errors share the same edges.
    """
    lead = _attributed(windows, sources.lead)
    others = [_attributed(windows, other) for other in sources.others]
    return [
        _figure(
            window, lead[i], sources, _checks(lead[i], [other[i] for other in others], sources), trust=trust
        )
        for i, window in enumerate(windows)
    ]


def _thermal(window: Window, sources: Sources) -> str | None:
    """Thermal pressure within a window: the first that was not nominal, of the first source that says it."""
    for readings in (sources.lead, *sources.others):
        before = [state for at_s, state in readings.trace.thermal if at_s <= window[0]][-1:]
        states = before + [state for at_s, state in readings.trace.thermal if window[0] < at_s <= window[1]]
        if states:
            return next((state for state in states if not is_nominal(state)), states[0])
    return None


def energy_of(windows: Sequence[Window], readings: Readings) -> NDArray[np.float64]:
    """Joules of many windows over the rails of the boundary, shape (m,); NaN where a rail is missing."""
    trace = readings.trace
    whole_j = total_j(trace, readings.info.rails)[:, None]
    joules, _ = attribute(trace.start_s, trace.end_s, whole_j, _edges(windows))
    return joules[:, 0]


@dataclass(frozen=True, kw_only=True)
class JoulesSum:
    """Joules of many windows together; those that can't be known are counted, and not filled in."""

    joules_j: float
    bound_j: float
    """The sum of the bounds of the windows."""
    unknown: int
    """Windows without joules: a rail is missing, no reading covers them, or a fault touches them."""


def sum_of(windows: NDArray[np.float64], sources: Sources) -> JoulesSum:
    """Joules of many windows together, however short each is.

    Args:
        windows: (start, end) of each, shape (m, 2), whose readings are in.
        sources: the readings; the lead's are used.
    """
    trace, info = sources.lead.trace, sources.lead.info
    joules, bounds = attribute(
        trace.start_s,
        trace.end_s,
        trace.joules,
        windows,
        alignment_s=trace.alignment_s,
        resolution_j=info.resolution_j,
    )
    columns = [trace.rails.index(rail) for rail in info.rails if rail in trace.rails]
    whole_j, bound_j = joules[:, columns].sum(axis=1), bounds[:, columns].sum(axis=1)
    known = ~np.isnan(whole_j) & (len(columns) == len(info.rails))
    for fault in trace.faults:
        if fault.rail is None:
            known &= ~((windows[:, 1] > fault.start_s) & (windows[:, 0] < fault.end_s))
    return JoulesSum(
        joules_j=float(whole_j[known].sum()),
        bound_j=float(bound_j[known].sum()),
        unknown=int(np.count_nonzero(~known)),
    )


Rails = dict[str, tuple[float, float]]
"""(joules, bound) by rail; NaN where not measured."""


def _attributed(windows: Sequence[Window], readings: Readings) -> list[Rails]:
    trace = readings.trace
    joules, bounds = attribute(
        trace.start_s,
        trace.end_s,
        trace.joules,
        _edges(windows),
        alignment_s=trace.alignment_s,
        resolution_j=readings.info.resolution_j,
    )
    pairs = zip(joules.tolist(), bounds.tolist(), strict=True)
    return [dict(zip(trace.rails, zip(j, b, strict=True), strict=True)) for j, b in pairs]


def _edges(windows: Sequence[Window]) -> NDArray[np.float64]:
    return np.asarray(windows, dtype=np.float64).reshape(-1, 2)


@dataclass(frozen=True)
class _Checks:
    """Whether other sources agree in a window: other instruments, and other looks at the same counters."""

    cross_check: bool | None
    same_counters: bool | None


def _checks(lead: Rails, others: list[Rails], sources: Sources) -> _Checks:
    said: dict[bool, list[bool]] = {True: [], False: []}
    for rails, readings in zip(others, sources.others, strict=True):
        agrees = cross_check(lead, rails).agrees
        if agrees is not None:
            said[same_instrument(sources.lead.info, readings.info)].append(agrees)
    return _Checks(*(all(said[same]) if said[same] else None for same in (False, True)))


def _figure(window: Window, rails: Rails, sources: Sources, checks: _Checks, *, trust: MeterTrust) -> Joules:
    info, trace = sources.lead.info, sources.lead.trace
    count = int(np.count_nonzero((trace.end_s > window[0]) & (trace.start_s < window[1])))
    faults = [f for f in trace.faults if f.start_s < window[1] and f.end_s > window[0]]
    missing = tuple(rail for rail in info.rails if math.isnan(rails.get(rail, (math.nan, 0))[0]))
    withheld = _why_withheld(count, faults, missing)
    total_j = None if withheld else sum(rails[rail][0] for rail in info.rails)
    bound_j = None if withheld else sum(rails[rail][1] for rail in info.rails)
    graded = grade(
        Facts(
            kind=info.kind,
            boundary=info.boundary,
            missing_rails=missing,
            faults=tuple(dict.fromkeys(fault.kind for fault in faults)),
            readings=count,
            window_s=window[1] - window[0],
            placed_s=trace.alignment_s,
            joules=total_j,
            bound_j=bound_j,
            self_test=trust.self_test,
            idle_stable=trust.idle_stable,
            cross_check=checks.cross_check,
            same_counters=checks.same_counters,
        )
    )
    return Joules(
        total_j=total_j,
        bound_j=bound_j,
        rails_j={rail: None if math.isnan(joules) else joules for rail, (joules, _) in rails.items()},
        readings=count,
        kind=info.kind,
        boundary=info.boundary,
        grade=graded.level,
        grade_name=graded.name,
        grade_reasons=list(graded.reasons),
        thermal=_thermal(window, sources),
        withheld=withheld,
    )


def _why_withheld(count: int, faults: list[Fault], missing: tuple[str, ...]) -> str | None:
    whole = [fault for fault in faults if fault.rail is None]
    if whole:
        return f"{whole[0].kind}: {whole[0].detail}"
    if count < LEAST_READINGS:
        return f"{count} readings in the window, {LEAST_READINGS} are needed: make the window longer"
    if missing:
        why = next((f": {fault.detail}" for fault in faults if fault.rail in missing), "")
        return f"the rail {', '.join(missing)} is missing{why}"
    return None
