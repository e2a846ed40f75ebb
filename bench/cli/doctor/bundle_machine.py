"""Of a bundle: what the machine is and how its power is set."""

from __future__ import annotations

import re
from dataclasses import asdict
from typing import Any

from bench.cli.doctor import checks, findings_table
from bench.errors import RunFailed
from bench.run import host
from energy import machine

_SLEEPS = re.compile(r"\s(Sleep|Wake|DarkWake|Maintenance)\s")
_ENTRIES = 40


def facts() -> dict[str, Any]:
    """Chip, cores, memory, system, versions."""
    return {
        **host.machine(),
        "packages": {name: host.version(name) for name in host.packages()},
        "translated": machine.ask("sysctl", "-n", "sysctl.proc_translated"),
    }


def findings() -> dict[str, Any]:
    """As `bench doctor --json`."""
    return findings_table.to_json(checks.examine())


def power() -> dict[str, Any]:
    """What pmset prints, and what was read of it."""
    return {
        "settings": _lines(_asked("pmset", "-g")),
        "supply": _lines(_asked("pmset", "-g", "batt")),
        "read": asdict(host.power()),
    }


def sleep_log() -> list[str]:
    """The last entries that tell of sleep: time and kind, without the names of processes."""
    entries = [line for line in _lines(_asked("pmset", "-g", "log")) if _SLEEPS.search(line)]
    return [line.split("\t")[0].strip()[:60] for line in entries[-_ENTRIES:]]


def _asked(program: str, *arguments: str) -> str:
    if not machine.is_mac():
        raise RunFailed(f"{program} is a program of macOS")
    said = machine.output([machine.PROGRAMS[program], *arguments], timeout_s=30.0)
    if said is None:
        raise RunFailed(f"{program} {' '.join(arguments)} failed, or said nothing in 30 s")
    return said


def _lines(text: str) -> list[str]:
    return text.splitlines()
