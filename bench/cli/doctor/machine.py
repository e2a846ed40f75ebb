"""Findings about the machine itself and about what it is doing besides."""

from __future__ import annotations

from typing import Any

from bench.cli.doctor.findings import CheckResult, unknown
from bench.cli.doctor.mac_state import MacState
from energy import machine as this

_BUSY_PERCENT = 20.0
"""Helpers of macOS at rest stay far below a fifth of a core."""
_OLDEST_MACOS = 14
"""PyTorch and MLX have nothing for an older one."""


def chip(machine: dict[str, Any], mac: MacState) -> CheckResult:
    """Chip, memory and system; on a Mac also what keeps its chip from being reached."""
    cores = f", {machine['gpu_cores']} GPU cores" if machine["gpu_cores"] else ", GPU cores unknown"
    name = "macOS" if machine["system"] == "Darwin" else machine["system"]
    build = f" ({machine['os_build']})" if machine["os_build"] else ""
    system = f"{name} {machine['os_version'] or 'unknown'}{build}"
    memory = f"{machine['memory_bytes'] / 2**30:.0f} GiB"
    words = f"{machine['chip'] or machine['machine']}{cores}, {memory}, {system}"
    if mac.translated:
        fix = "make clean; make run PYTHON=/path/to/a/python for arm64, such as /opt/homebrew/bin/python3"
        return CheckResult(
            what="machine", state="bad", found=f"{words}; this Python is for Intel (Rosetta)", fix=fix
        )
    if mac.virtual:
        found = f"{words}; a virtual machine, whose meters see nothing of the chip"
        return CheckResult(what="machine", state="note", found=found, fix="measure on the Mac itself")
    if not this.runs_on_apple_silicon():
        return CheckResult(what="machine", state="note", found=f"{words}; not Apple silicon")
    if _is_too_old(machine["os_version"]):
        fix = "update macOS"
        found = f"{words}; PyTorch and MLX need macOS {_OLDEST_MACOS}"
        return CheckResult(what="machine", state="note", found=found, fix=fix)
    return CheckResult(what="machine", state="good", found=words)


def _is_too_old(version: str | None) -> bool:
    major = (version or "").split(".")[0]
    return major.isdigit() and int(major) < _OLDEST_MACOS


def around(mac: MacState) -> list[CheckResult]:
    """What else is going on: heat, indexing, backups, display, sleep."""
    return [
        _thermal(mac.thermal),
        _spotlight(mac),
        _time_machine(mac.backing_up),
        _helpers(mac.helpers),
        _display(mac),
        _sleep(mac),
        _lid(mac.lid_closed),
        _app_nap(mac.app_nap),
    ]


def _thermal(pressure: str | None) -> CheckResult:
    if pressure is None:
        return unknown("thermal state")
    fix = None if pressure == "nominal" else "let it cool down until this says nominal"
    return CheckResult(what="thermal state", state="note" if fix else "good", found=pressure, fix=fix)


def _spotlight(mac: MacState) -> CheckResult:
    busy = mac.indexing_percent is not None and mac.indexing_percent > _BUSY_PERCENT
    if busy:
        activity = f"indexing, {mac.indexing_percent:.0f} % of a core"
        fix = "wait until it is done, or: sudo mdutil -a -i off (afterwards: sudo mdutil -a -i on)"
        return CheckResult(what="Spotlight", state="note", found=activity, fix=fix)
    if mac.indexing is None and mac.indexing_percent is None:
        return unknown("Spotlight")
    return CheckResult(what="Spotlight", state="good", found="off" if mac.indexing is False else "at rest")


def _time_machine(is_running: bool | None) -> CheckResult:
    if is_running is None:
        return unknown("Time Machine")
    fix = "tmutil stopbackup" if is_running else None
    activity = "backing up" if is_running else "at rest"
    return CheckResult(what="Time Machine", state="note" if is_running else "good", found=activity, fix=fix)


def _helpers(percents: dict[str, float] | None) -> CheckResult:
    if percents is None:
        return unknown("helpers of macOS")
    busy = {name: percent for name, percent in percents.items() if percent > _BUSY_PERCENT}
    if not busy:
        return CheckResult(what="helpers of macOS", state="good", found="at rest")
    found = ", ".join(f"{name} {percent:.0f} % of a core" for name, percent in busy.items())
    fix = "wait until they are done: they work while the machine is on mains and nobody types"
    return CheckResult(what="helpers of macOS", state="note", found=found, fix=fix)


def _display(mac: MacState) -> CheckResult:
    if mac.brightness is None:
        return unknown("display")
    if mac.brightness == 0:
        return CheckResult(what="display", state="good", found="built-in display dark")
    words = (
        f"built-in display at {100 * mac.brightness:.0f} %; under an external meter first: "
        "pmset displaysleepnow"
    )
    return CheckResult(what="display", state="good", found=words)


def _sleep(mac: MacState) -> CheckResult:
    if mac.display_sleep_min is None:
        return unknown("sleep")
    display = "the display stays on"
    if mac.display_sleep_min:
        display = (
            f"the display goes dark after {mac.display_sleep_min} min, and power with it: caffeinate -d keeps"
            " it on"
        )
    return CheckResult(what="sleep", state="good", found=f"kept off while bench measures; {display}")


def _lid(is_closed: bool | None) -> CheckResult:
    if is_closed is None:
        return unknown("lid")
    if not is_closed:
        return CheckResult(what="lid", state="good", found="open; closing it lets the machine sleep")
    fix = "open it: without mains and a display the machine sleeps, and it cools less well"
    return CheckResult(what="lid", state="note", found="closed", fix=fix)


def _app_nap(is_on: bool | None) -> CheckResult:
    if is_on is None:
        return unknown("App Nap")
    found = "on: a terminal that is hidden may be slowed down, keep it in sight" if is_on else "off"
    return CheckResult(what="App Nap", state="good", found=found)
