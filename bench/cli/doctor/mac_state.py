"""What a Mac is doing besides the measurement: heat, indexing, backups, display, sleep.

Each fact is one program of macOS, called by its absolute path, and one pure function that reads what it
printed. What a program does not say, or says in words that are not known here, is None.
"""

from __future__ import annotations

import plistlib
import re
from dataclasses import dataclass
from xml.parsers.expat import ExpatError

from bench.suite import libraries
from energy import machine
from energy.machine import ask

_HEAT = ("nominal", "moderate", "heavy", "trapping", "sleeping")
"""kOSThermalPressureLevel of macOS, from 0; the words are those of powermetrics."""
_INDEXERS = ("mds", "mds_stores", "mdworker", "mdworker_shared", "corespotlightd")
_HELPERS = (
    *("mediaanalysisd", "photoanalysisd", "XProtect", "syspolicyd", "ReportCrash", "backupd"),
    *("softwareupdated", "photolibraryd", "cloudd", "bird"),
)
"""Beginnings of the names of helpers that now and then take whole cores for minutes."""
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
    helpers: dict[str, float] | None = None
    """CPU of other helpers that were seen, by name, over the last minute; 100 is one core."""
    display_sleep_min: int | None = None
    """Minutes after which the display goes dark; 0 is never."""
    lid_closed: bool | None = None
    app_nap: bool | None = None
    virtual: bool = False
    """Whether this is a virtual machine."""
    translated: bool = False
    """Whether this Python is one for Intel, on Apple silicon."""


def look() -> MacState:
    """Ask macOS; on another system nothing is known."""
    if not machine.is_mac():
        return MacState()
    # ps and not psutil: times of processes of root are hidden from psutil
    processes = ask("ps", "-Axo", "pcpu=,comm=")
    settings = ask("pmset", "-g")
    return MacState(
        thermal=thermal(ask("notifyutil", "-g", "com.apple.system.thermalpressurelevel")),
        indexing=indexing(ask("mdutil", "-s", "/System/Volumes/Data")),
        indexing_percent=indexing_percent(processes),
        helpers=helpers(processes),
        backing_up=backing_up(ask("tmutil", "status")),
        brightness=brightness(ask("ioreg", "-a", "-r", "-d", "1", "-c", "AppleARMBacklight")),
        display_sleep_min=display_sleep_min(settings),
        lid_closed=lid_closed(ask("ioreg", "-r", "-d", "1", "-k", "AppleClamshellState")),
        app_nap=ask("defaults", "read", "-g", "NSAppSleepDisabled") not in ("1", "YES"),
        virtual=is_virtual(ask("sysctl", "-n", "hw.model")),
        translated=ask("sysctl", "-n", "sysctl.proc_translated") == "1",
    )


def thermal(said: str | None) -> str | None:
    """Thermal pressure from `notifyutil -g`: `com.apple.system.thermalpressurelevel 0`."""
    printed = re.search(r"thermalpressurelevel\s+(\d+)\s*$", said or "")
    level = int(printed.group(1)) if printed else len(_HEAT)
    return _HEAT[level] if level < len(_HEAT) else None


def indexing(said: str | None) -> bool | None:
    """Whether Spotlight is on, from `mdutil -s /System/Volumes/Data`: the volume, then a line in words."""
    text = (said or "").lower()
    if "indexing enabled" in text or "scan in progress" in text:
        return True
    return False if "indexing disabled" in text or "disabled." in text else None


def indexing_percent(said: str | None) -> float | None:
    """CPU of Spotlight from `ps -Axo pcpu=,comm=`."""
    percents = [percent for name, percent in _processes(said) if name in _INDEXERS]
    return sum(percents) if percents else None


def helpers(said: str | None) -> dict[str, float] | None:
    """CPU of other helpers from `ps -Axo pcpu=,comm=`, by name; None if it names no process at all."""
    processes = _processes(said)
    found: dict[str, float] = {}
    for name, percent in processes:
        for helper in filter(name.startswith, _HELPERS):
            found[helper] = found.get(helper, 0.0) + percent
    return found if processes else None


def _processes(said: str | None) -> list[tuple[str, float]]:
    """Name and CPU of every process; some languages write the number with a comma."""
    lines = re.findall(r"^\s*(\d+[.,]\d+)\s+(\S.*)$", said or "", flags=re.MULTILINE)
    return [(name.rpartition("/")[2], float(cpu.replace(",", "."))) for cpu, name in lines]


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
    except (ValueError, KeyError, TypeError, ZeroDivisionError, AttributeError, ExpatError):
        return None
    return max(shares, default=None)


def display_sleep_min(said: str | None) -> int | None:
    """Minutes from `pmset -g`: ` displaysleep         10`, perhaps with a remark behind it."""
    printed = re.search(r"^\s*displaysleep\s+(\d+)", said or "", flags=re.MULTILINE)
    return int(printed.group(1)) if printed else None


def lid_closed(said: str | None) -> bool | None:
    """Whether the lid is closed, from `ioreg -r -k AppleClamshellState`; None on a Mac without one."""
    printed = re.search(r'"AppleClamshellState"\s*=\s*(Yes|No)', said or "")
    return printed.group(1) == "Yes" if printed else None


def is_virtual(model: str | None) -> bool:
    """Whether `hw.model` is that of a virtual machine: `VirtualMac2,1`."""
    return (model or "").startswith("VirtualMac")


def gpu_answers(backend: str) -> bool | None:
    """Whether a backend reaches the GPU, asked in a child process: importing a library takes seconds."""
    said = machine.output(libraries.command(backend, "gpu_works"), timeout_s=_PROBE_S) or ""
    return {"True": True, "False": False}.get(said.rpartition("\n")[2])
