"""powermetrics documents of our own making, in the shapes that real chips and releases print."""

from __future__ import annotations

import plistlib
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any


def apple_silicon(
    *,
    elapsed_ns: int,
    timestamp_s: float,
    energies_mj: Mapping[str, int],
    active_cores: float = 0.0,
    cores: int = 8,
    gpu_active: float = 0.0,
) -> bytes:
    """A document of macOS 13 or later on Apple silicon, ending as the tool ends it.

    Args:
        elapsed_ns: length of the interval.
        timestamp_s: POSIX time of its end; the document keeps the whole second.
        energies_mj: whole millijoules by rail.
        active_cores: mean number of cores that were not idle.
        cores: cores of the chip.
        gpu_active: share of the time in which the GPU was not idle.
    """
    idle_ratio = 1.0 - min(1.0, active_cores / cores)
    cluster = {"name": "P0-Cluster", "cpus": [{"cpu": n, "idle_ratio": idle_ratio} for n in range(cores)]}
    processor: dict[str, Any] = {"clusters": [cluster]}
    for rail, energy_mj in energies_mj.items():
        processor[f"{rail}_energy"] = energy_mj
        processor[f"{rail}_power"] = energy_mj / elapsed_ns * 1e9
    processor["combined_power"] = sum(energies_mj.values()) / elapsed_ns * 1e9
    return plistlib.dumps(
        {
            "is_delta": True,
            "elapsed_ns": elapsed_ns,
            "hw_model": "Simulated1,1",
            "kern_osversion": "25A1",
            "timestamp": datetime.fromtimestamp(int(timestamp_s), UTC).replace(tzinfo=None),
            "processor": processor,
            "thermal_pressure": "Nominal",
            "gpu": {"idle_ratio": 1.0 - gpu_active, "gpu_energy": energies_mj.get("gpu", 0)},
        },
        sort_keys=False,
    )
