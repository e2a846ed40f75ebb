"""Apple's IOReport counters, without root, through the package zeus-apple-silicon.

Its traps, and what is done about each:

    constructing the monitor can crash the process where the channels are missing    tried in a child first
    on Ultra chips release 1.1.0 keeps only the last die's CPU and GPU                refused by name
    cluster totals are 1.5-2 times the per-core sums                                  cores are never summed
    on macOS 27 some chips publish millijoules only every 1.7-2.3 s                    the cadence is measured
    readings carry no time                                                            stamped when read

A reading lasts from one publication to the next; a window under ten of them has too few readings to count.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import json
import shlex
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from energy.base import EnergySource, SourceInfo, SourceUnavailable
from energy.chip import chip_name
from energy.polled import Counters, PolledSource

MODULE = "zeus_apple_silicon"
MIS_SUMS_ULTRA = {"1.0.0", "1.1.0"}
NO_WHEEL = (3, 14)
"""The first Python for which the library has none."""
MILLI = 1e-3
FIELDS = {"cpu": "cpu_total_mj", "gpu": "gpu_mj", "ane": "ane_mj", "dram": "dram_mj"}
"""`gpu_sram_mj` is left out: nothing says whether the GPU's figure holds it already."""

PROBE = f"""
import json, {MODULE}
energy = {MODULE}.AppleEnergyMonitor().get_cumulative_energy()
print(json.dumps({{name: getattr(energy, name, None) for name in {list(FIELDS.values())!r}}}))
"""
PROBE_S = 20.0
WATCH_S = 6.0
WATCH_STEP_S = 0.02


def ioreport(*, interval_ms: int = 100) -> EnergySource:
    """CPU, GPU, neural engine and DRAM energy of Apple silicon, without root.

    Args:
        interval_ms: milliseconds between looks at the counters, e.g. 100.
    """
    return IoReportSource(interval_s=interval_ms / 1000)


class IoReportSource(PolledSource):
    """The counters of IOReport; the cadence at which they move is measured at the start."""

    def __init__(self, *, interval_s: float) -> None:
        self._monitor: Any = None
        self._lead = "cpu"
        info = SourceInfo(
            name="ioreport",
            kind="measured",
            rails=("cpu", "gpu", "ane", "dram"),
            boundary="soc_plus_dram",
            interval_s=interval_s,
            resolution_j=MILLI,
            stamp_s=interval_s,
        )
        super().__init__(info, self._counters, self._published)

    def check(self) -> None:
        """Try the library in a child process, so that its crash is not ours.

        Raises:
            SourceUnavailable: not Apple silicon, an Ultra, no library, no channels; says what to do.
        """
        chip = apple_chip()
        version = library_version()
        if "Ultra" in chip and version in MIS_SUMS_ULTRA:
            raise SourceUnavailable(
                f"{chip}: {MODULE} {version} counts only one of its two dies", fix="use --energy powermetrics"
            )
        if not version:
            raise SourceUnavailable(
                "zeus-apple-silicon, which reads IOReport, is not installed", fix=_how_to_get()
            )
        codes = probe()
        rails = tuple(rail for rail, field in FIELDS.items() if codes.get(field) is not None)
        if not {"cpu", "gpu"} <= set(rails):
            raise SourceUnavailable(
                f"{chip} shows no CPU and GPU energy channels", fix="use --energy powermetrics"
            )
        boundary: Any = "soc_plus_dram" if "dram" in rails else "soc_cpu_gpu_ane"
        details = {"library": f"{MODULE} {version}", "chip": chip}
        self._info = replace(self._info, rails=rails, boundary=boundary, details=details)
        self._monitor = importlib.import_module(MODULE).AppleEnergyMonitor()
        cadence_s = self._measured_cadence_s()
        details = {**self._info.details, "publishes_every_s": f"{cadence_s:.3f}"}
        interval_s = max(self._poll_s, cadence_s)
        self._info = replace(self._info, interval_s=interval_s, details=details)

    def start(self, folder: Path) -> None:
        """Begin.

        Raises:
            SourceUnavailable: as `check`.
        """
        self.check()
        super().start(folder)

    def _counters(self) -> Counters:
        energy = self._monitor.get_cumulative_energy()
        values = {rail: getattr(energy, FIELDS[rail], None) for rail in self._info.rails}
        return {rail: None if value is None else value * MILLI for rail, value in values.items()}

    def _published(self, before: Counters, after: Counters) -> bool:
        return before[self._lead] != after[self._lead]

    def _measured_cadence_s(self) -> float:
        """Median time between movements of the CPU's counter, which is never idle for long."""
        moves: list[float] = []
        began_s = time.perf_counter()
        before = self._counters()[self._lead]
        while time.perf_counter() - began_s < WATCH_S and len(moves) < 20:
            time.sleep(WATCH_STEP_S)
            after = self._counters()[self._lead]
            if after != before:
                moves.append(time.perf_counter())
                before = after
        if len(moves) < 2:
            raise SourceUnavailable(
                f"the CPU's energy counter moved {len(moves)} times in {WATCH_S:.0f} s",
                fix="use --energy powermetrics",
            )
        return float(np.median(np.diff(moves)))


def probe() -> dict[str, int | None]:
    """What the library reads in a child process.

    Raises:
        SourceUnavailable: it is not there, or it fails.
    """
    try:
        child = subprocess.run(
            [sys.executable, "-c", PROBE], capture_output=True, timeout=PROBE_S, check=False, text=True
        )
    except subprocess.TimeoutExpired as error:
        raise SourceUnavailable(
            f"{MODULE} does not answer within {PROBE_S:.0f} s", fix="use --energy powermetrics"
        ) from error
    if child.returncode < 0:
        raise SourceUnavailable(
            f"{MODULE} crashes here (signal {-child.returncode}): the energy channels are missing, as in a "
            "virtual machine",
            fix="use --energy modelled",
        )
    if child.returncode > 0:
        said = child.stderr.strip().splitlines()[-1:] or ["nothing"]
        raise SourceUnavailable(f"{MODULE} can't be used: {said[0]}", fix=_how_to_get())
    codes: dict[str, int | None] = json.loads(child.stdout)
    return codes


def _how_to_get() -> str:
    if sys.version_info >= NO_WHEEL:
        return "it has no wheel for this Python: make clean, then make run PYTHON=python3.13"
    return f"type: {shlex.quote(sys.executable)} -m pip install zeus-apple-silicon"


def apple_chip() -> str:
    """Name of the chip, such as `Apple M2 Ultra`.

    Raises:
        SourceUnavailable: this is not a Mac with Apple silicon.
    """
    name = chip_name()
    if not name:
        raise SourceUnavailable("ioreport needs a Mac with Apple silicon", fix="use --energy modelled")
    if not name.startswith("Apple"):
        raise SourceUnavailable(
            f"ioreport needs Apple silicon, this is {name}", fix="use --energy powermetrics"
        )
    return name


def library_version() -> str:
    """Installed release of the library; empty if it is not installed."""
    try:
        return importlib.metadata.version("zeus-apple-silicon")
    except importlib.metadata.PackageNotFoundError:
        return ""
