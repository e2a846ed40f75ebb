"""The seam between the harness and a power meter.

A source is started before the models are loaded and stopped at the end of a run. While it runs it
keeps raw bytes and arrival stamps and nothing else; readings are decoded when somebody asks, which is
after a window has closed. All instants are seconds of `time.perf_counter()`, the harness clock.

    EnergyError
    ├── SourceUnavailable   this source can't run here; says why and what would make it run
    └── DocumentError       bytes that are not a reading
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Protocol

if TYPE_CHECKING:  # the command line imports the errors, and must start in a blink
    import numpy as np
    from numpy.typing import NDArray

Kind = Literal["measured", "modelled", "replayed", "simulated"]
Boundary = Literal["soc_cpu_gpu_ane", "soc_plus_dram", "package", "system_dc", "wall", "modelled"]


class EnergyError(Exception):
    """An energy source could not do what it was asked."""

    def __init__(self, what: str, *, fix: str | None = None) -> None:
        """`what` happened, with the value; `fix` is what to type next."""
        super().__init__(what if fix is None else f"{what}; {fix}")
        self.what = what
        self.fix = fix


class SourceUnavailable(EnergyError):
    """The source can't run on this machine as things stand."""


class DocumentError(EnergyError):
    """Bytes from a meter that can't be read as a reading."""


def is_nominal(thermal: str) -> bool:
    """Whether the machine ran as fast as when it is cool, as a meter words its thermal pressure."""
    return thermal.lower() in ("nominal", "none")


@dataclass(frozen=True, kw_only=True)
class SourceInfo:
    """What a source's joules are. Stored in `run.json` and shown beside every figure."""

    name: str
    """Plugin name, such as `powermetrics`."""
    kind: Kind
    rails: tuple[str, ...]
    """Rails that add up to the boundary's total, in the order of `Trace.joules`' columns."""
    boundary: Boundary
    interval_s: float
    """Nominal seconds between readings."""
    resolution_j: float
    """Smallest step of a reading's joules (0.001 for integer millijoules)."""
    stamp_s: float = 0.0
    """How far a reading may lie from its stamp, for sources that stamp their own readings."""
    details: dict[str, str] = field(default_factory=dict)
    """Whatever explains the figures: command line, model coefficients, file that is replayed."""


@dataclass(frozen=True, kw_only=True)
class RailFault:
    """What one document says of a rail that can't be true; the rail is None in its reading."""

    kind: str
    rail: str
    detail: str


@dataclass(frozen=True, kw_only=True)
class Reading:
    """What one document of a meter says, in SI units; what it does not say is absent or None."""

    elapsed_s: float
    joules: dict[str, float | None]
    """By rail. None: the meter printed a value that can't be true (a dead rail)."""
    is_delta: bool = True
    """False for the first block of some meters, which holds activity since boot."""
    timestamp_s: float | None = None
    """The document's own label as a POSIX time, in whole seconds."""
    thermal_pressure: str | None = None
    active_s: dict[str, float] = field(default_factory=dict)
    """Core-seconds (or device-seconds) in which a rail's part was not idle; the witness of a dead rail."""
    host: dict[str, str] = field(default_factory=dict)
    faults: tuple[RailFault, ...] = ()
    other: dict[str, object] = field(default_factory=dict)
    """Scalars of the document that nothing here interprets, kept under their own names."""


@dataclass(frozen=True)
class Trace:
    """Readings on the harness clock, as columns. Not measured is NaN here and None in every record.

    `start_s`, `end_s` have shape (n,), ascending and not overlapping; `joules` has shape (n, rails).
    `alignment_s` bounds how far the ends may lie from where they are placed. `thermal` holds the instants
    at which the thermal pressure was first seen to be what it then stayed, where the meter tells it.
    """

    rails: tuple[str, ...]
    start_s: NDArray[np.float64]
    end_s: NDArray[np.float64]
    joules: NDArray[np.float64]
    alignment_s: float
    faults: tuple[Fault, ...] = ()
    thermal: tuple[tuple[float, str], ...] = ()


@dataclass(frozen=True, kw_only=True)
class Fault:
    """Something went wrong in the stream between two instants; windows that touch it are void."""

    kind: str
    start_s: float
    end_s: float
    detail: str
    rail: str | None = None
    """The one rail that it concerns, whose joules are NaN then; None when it concerns them all."""


class EnergySource(Protocol):
    """A running meter."""

    @property
    def info(self) -> SourceInfo:
        """What the joules are. Known before `start`, except for rails that only the stream can tell."""

    def check(self) -> None:
        """See a first reading and leave nothing behind; raise `SourceUnavailable` if there is none."""

    def start(self, folder: Path) -> None:
        """Begin. Raw bytes go to `folder/power.raw`, arrivals to `power.index`, noise to `stderr.log`.

        Raises:
            SourceUnavailable: it can't run here; nothing is left behind.
        """

    def wait(self, until_s: float, *, timeout_s: float) -> bool:
        """Sleep until `until_s` can be attributed: a reading covers it and the one after it is in too.

        False when `timeout_s` passes or the source is dead.
        """

    def trace(self) -> Trace:
        """All readings so far."""

    def stop(self) -> None:
        """End; no process or thread is left. Calling it twice is harmless."""
