"""Which chip this is, and how much power no chip of its class can draw.

The limits are about twice what such chips were ever seen to draw (base 45 W, Pro 75 W, Max 140 W, Ultra
270 W, an Intel Mac 250 W, one socket of a server 500 W), so a reading beyond one is no reading.
"""

from __future__ import annotations

from energy import machine
from energy.base import SourceInfo

CLASSES_W = {"Ultra": 600.0, "Max": 300.0, "Pro": 150.0}
BASE_W = 100.0
UNKNOWN_W = 600.0
"""Apple silicon whose class the source does not tell, as in a bare stream."""
PACKAGE_W = 1000.0
"""One package of Intel's or AMD's."""
MACHINE_W = 1500.0
"""Anything with a GPU of Apple's, behind a wall socket."""


def chip_name() -> str:
    """Name of this Mac's chip, such as `Apple M2 Ultra`; empty where no macOS tells it."""
    return machine.ask("sysctl", "-n", "machdep.cpu.brand_string") or ""


def limit_w(source: SourceInfo) -> float | None:
    """Watts that no rail of a source can draw; None where there is no chip, as in a model."""
    if source.boundary == "modelled":
        return None
    if source.boundary in ("wall", "system_dc"):
        return MACHINE_W
    if source.boundary == "package" or source.rails[:1] == ("package",):
        return PACKAGE_W * max(1, source.details.get("zones", "").count("intel-rapl:"))
    words = source.details.get("chip", "").split()
    named = [limit for name, limit in CLASSES_W.items() if name in words]
    if named:
        return named[0]
    return BASE_W if words[:1] == ["Apple"] and "(Virtual)" not in words else UNKNOWN_W
