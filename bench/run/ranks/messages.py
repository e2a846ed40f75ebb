"""What a conductor asks of a rank beside what it asks of every worker."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench.run.observed import Joules
from bench.run.workers.messages import Done, Message


@dataclass(frozen=True, kw_only=True)
class BarriersTimed:
    """Seconds of the longest."""

    longest_s: float


@dataclass(frozen=True, kw_only=True)
class TimeBarriers(Message[BarriersTimed]):
    """Pass so many barriers with nothing running."""

    count: int


@dataclass(frozen=True, kw_only=True)
class StartMeter(Message[Done]):
    """Measure the machine of a rank from now on."""

    source: str
    """Name of an energy source."""
    folder: Path
    """For its stream."""
    options: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class AskJoules(Message[Joules]):
    """The joules of a window on the clock of a rank's own machine."""

    start_s: float
    end_s: float


@dataclass(frozen=True, kw_only=True)
class End(Message[Done]):
    """End the meter and the worker."""
