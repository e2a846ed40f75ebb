"""What a Mac is doing besides the measurement: heat, indexing, backups, display.

Each fact is one program of macOS, called by its absolute path, and one pure function that reads what it
printed. What a program does not say, or says in words that are not known here, is None.
"""

from __future__ import annotations

import plistlib
import re
import sys
from dataclasses import dataclass

from bench.run.host import output
from bench.suite import libraries

_HEAT = ("nominal", "moderate", "heavy", "trapping", "sleeping")
"""kOSThermalPressureLevel of macOS, from 0; the words are those of powermetrics."""
_INDEXERS = ("mds", "mds_stores", "mdworker", "mdworker_shared")
_PROBE_S = 30.0
"""A first import of a library after an update takes many seconds."""


@dataclass(frozen=True, kw_only=True)
class MacState:
    """Everything None on another system."""

    thermal: str | None = None
    """`nominal`, `moderate`, `heavy`, `trapping` or `sleeping`."""
    indexing: bool | None = None
    """Whether Spotlight indexes the start volume at all."""
    indexing_percent: float | None = None
    """CPU of Spotlight's processes over the last minute; 100 is one core."""
    backing_up: bool | None = None
    brightness: float | None = None
    """Of the built-in display, 0 (off) to 1."""


def look() -> MacState:
    """Ask macOS; on another system nothing is known."""
    if sys.platform != "darwin":
        return MacState()
    return MacState(
        thermal=thermal(output(["/usr/bin/notifyutil", "-g", "com.apple.system.thermalpressurelevel"])),
        indexing=indexing(output(["/usr/bin/mdutil", "-s", "/"])),
        # ps and not psutil: times of processes of root are hidden from psutil
        indexing_percent=indexing_percent(output(["/bin/ps", "-Axo", "pcpu=,comm="])),
        backing_up=backing_up(output(["/usr/bin/tmutil", "status"])),
        brightness=brightness(output(["/usr/sbin/ioreg", "-a", "-r", "-d", "1", "-c", "AppleARMBacklight"])),
    )


def thermal(said: str | None) -> str | None:
    """Thermal pressure from `notifyutil -g`: `com.apple.system.thermalpressurelevel 0`."""
    printed = re.search(r"thermalpressurelevel\s+(\d+)\s*$", said or "")
    level = int(printed.group(1)) if printed else len(_HEAT)
    return _HEAT[level] if level < len(_HEAT) else None


def indexing(said: str | None) -> bool | None:
    """Whether Spotlight is on, from `mdutil -s /`: the volume, then a line in words."""
    text = (said or "").lower()
    if "indexing enabled" in text:
        return True
    return False if "indexing disabled" in text or "disabled." in text else None


def indexing_percent(said: str | None) -> float | None:
    """CPU of Spotlight from `ps -Axo pcpu=,comm=`; some languages write the number with a comma."""
    processes = re.findall(r"^\s*(\d+[.,]\d+)\s+(\S.*)$", said or "", flags=re.MULTILINE)
    if not processes:
        return None
    percents = [
        float(cpu.replace(",", ".")) for cpu, name in processes if name.rpartition("/")[2] in _INDEXERS
    ]
    return sum(percents) if percents else None


def backing_up(said: str | None) -> bool | None:
    """Whether Time Machine is at work, from `tmutil status`: `Running = 1;`."""
    running = re.search(r"^\s*Running\s*=\s*(\d+);", said or "", flags=re.MULTILINE)
    return running.group(1) != "0" if running else None


def brightness(said: str | None) -> float | None:
    """Brightness from `ioreg -a -r -d 1 -c AppleARMBacklight`, an XML property list."""
    try:
        entries = plistlib.loads((said or "").encode())
        levels = [entry["IODisplayParameters"]["brightness"] for entry in entries]
        shares = [(one["value"] - one["min"]) / (one["max"] - one["min"]) for one in levels]
    except (ValueError, KeyError, TypeError, ZeroDivisionError, plistlib.InvalidFileException, SyntaxError):
        return None
    return max(shares, default=None)


def gpu_answers(backend: str) -> bool | None:
    """Whether a backend reaches the GPU, asked in a child process: importing a library takes seconds."""
    said = output(libraries.command(backend, "gpu_works"), timeout_s=_PROBE_S) or ""
    return {"True": True, "False": False}.get(said.rpartition("\n")[2])
