"""Several sources at once: one leads, the others check it.

Each measures the same windows on its own; a figure is only ever the leader's. The others agree where their
joules, rail by rail for the rails that both measure, lie within the two bounds together. Only another
instrument can make a figure truer: powermetrics and IOReport show the same counters, so their agreement says
that both tools read them well, and no more.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from energy.base import EnergySource, SourceInfo, Trace

COUNTERS = {"powermetrics": "Apple's energy counters", "ioreport": "Apple's energy counters"}
"""Sources that read one instrument; any other source is an instrument of its own."""

METERS_DIFFER = 0.03
"""Share of the joules by which two honest looks at one rail differ: powermetrics' two own figures for the
GPU differ by 1-3 %."""


@dataclass(frozen=True, kw_only=True)
class Agreement:
    """What one source says of another's joules in a window."""

    agrees: bool | None
    """None: they have no measured rail in common."""
    reason: str


def cross_check(
    lead: Mapping[str, tuple[float, float]], other: Mapping[str, tuple[float, float]]
) -> Agreement:
    """Compare two sources over one window.

    Args:
        lead: (joules, bound) by rail, from the source whose figure is reported.
        other: the same from the source that checks it. NaN is not measured.
    """
    common = [
        rail
        for rail in lead
        if rail in other and not math.isnan(lead[rail][0]) and not math.isnan(other[rail][0])
    ]
    difference_j = {rail: other[rail][0] - lead[rail][0] for rail in common}
    if not common:
        return Agreement(agrees=None, reason="the two sources share no measured rail")
    apart = [
        f"{rail} by {difference_j[rail]:+.3g} J where {allowed_j:.3g} J is allowed"
        for rail in common
        if abs(difference_j[rail]) > (allowed_j := _allowed_j(lead[rail], other[rail]))
    ]
    reason = "differs in " + "; ".join(apart) if apart else f"agrees in {', '.join(common)}"
    return Agreement(agrees=not apart, reason=reason)


def same_instrument(one: SourceInfo, other: SourceInfo) -> bool:
    """Whether two sources show the same counters."""
    names = [info.details.get("replays", info.name) for info in (one, other)]
    return COUNTERS.get(names[0], names[0]) == COUNTERS.get(names[1], names[1])


def _allowed_j(lead: tuple[float, float], other: tuple[float, float]) -> float:
    return lead[1] + other[1] + METERS_DIFFER * max(abs(lead[0]), abs(other[0]))


class Together:
    """A leading source and others that run beside it. As a source it is its leader."""

    def __init__(self, lead: EnergySource, others: Sequence[EnergySource]) -> None:
        self._lead, self._others = lead, list(others)

    @property
    def info(self) -> SourceInfo:
        """What the leader's joules are."""
        return self._lead.info

    @property
    def other_infos(self) -> list[SourceInfo]:
        """What the joules of the others are."""
        return [other.info for other in self._others]

    def check(self) -> None:
        """Check every source.

        Raises:
            SourceUnavailable: one of them can't run here.
        """
        for source in (self._lead, *self._others):
            source.check()

    def start(self, folder: Path) -> None:
        """Start them all; those that check write to folders of their own, named after them.

        Raises:
            SourceUnavailable: one of them can't run here; none is left running.
        """
        with contextlib.ExitStack() as started:
            self._lead.start(folder)
            started.callback(self._lead.stop)
            for other in self._others:
                own_folder = folder / other.info.name
                own_folder.mkdir(exist_ok=True)
                other.start(own_folder)
                started.callback(other.stop)
            started.pop_all()

    def wait(self, until_s: float, *, timeout_s: float) -> bool:
        """Wait for all; what counts is whether the leader has its readings."""
        led = self._lead.wait(until_s, timeout_s=timeout_s)
        for other in self._others:
            other.wait(until_s, timeout_s=max(1.0, 3 * other.info.interval_s))
        return led

    def trace(self) -> Trace:
        """The leader's readings."""
        return self._lead.trace()

    def other_traces(self) -> list[Trace]:
        """The readings of those that check, in the order of `other_infos`."""
        return [other.trace() for other in self._others]

    def stop(self) -> None:
        """End them all."""
        for source in (*self._others, self._lead):
            source.stop()
