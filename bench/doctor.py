"""Is this machine fit to measure? Findings, each with what to type when something is missing."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from bench import host, meter, plugins
from bench.errors import UserError
from bench.models import cache_folder, locate
from energy.base import SourceUnavailable

State = Literal["good", "note", "bad"]
_NEEDED_BYTES = 2 * 1024**3


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One thing that was looked at."""

    what: str
    state: State
    """`bad`: a measurement can't be made; `note`: it can, with a limit that is said."""
    found: str
    fix: str | None = None
    """The command that mends it."""


def examine() -> list[Finding]:
    """Look at everything that decides what this machine can measure."""
    machine = host.machine()
    return [
        _chip(machine),
        _power(machine),
        _load(machine),
        _backend("torch", "torch"),
        _backend("mlx", "mlx"),
        *[_source(name) for name in meter.REAL_METERS],
        _verdict(),
        _model(),
        _disk(),
    ]


def sudoers_line(user: str, command: Sequence[str]) -> str:
    """The line that lets one user run exactly one command as root without a password.

    In a sudoers file commas, colons, equals signs and backslashes in arguments are escaped.
    """
    escaped = [re.sub(r"([,:=\\])", r"\\\1", word) for word in command]
    return f"{user} ALL=(root) NOPASSWD: {' '.join(escaped)}"


def is_fit(findings: list[Finding]) -> bool:
    """Whether `bench run` can run here at all, be it with modelled joules."""
    return all(finding.state != "bad" for finding in findings)


def _chip(machine: dict[str, Any]) -> Finding:
    cores = f", {machine['gpu_cores']} GPU cores" if machine["gpu_cores"] else ""
    memory = f", {machine['memory_bytes'] / 2**30:.0f} GiB"
    found = (
        f"{machine['chip'] or machine['machine']}{cores}{memory}, {machine['system']} {machine['os_version']}"
    )
    is_apple = sys.platform == "darwin" and machine["machine"] == "arm64"
    return Finding(what="machine", state="good" if is_apple else "note", found=found)


def _power(machine: dict[str, Any]) -> Finding:
    source, low = machine["power_source"], machine["low_power_mode"]
    if source == "battery":
        return Finding(what="power", state="note", found="on battery", fix="plug in the charger")
    if low:
        fix = "sudo pmset -a lowpowermode 0"
        return Finding(what="power", state="note", found="low-power mode is on", fix=fix)
    return Finding(what="power", state="good", found={"ac": "mains"}.get(source, "no battery found"))


def _load(machine: dict[str, Any]) -> Finding:
    load = machine["load_1min"]
    busy = load > 0.5 * machine["cpu_cores"]
    fix = "quit other programs and wait a minute" if busy else None
    return Finding(
        what="load", state="note" if busy else "good", found=f"{load} over the last minute", fix=fix
    )


def _backend(name: str, package: str) -> Finding:
    if importlib.util.find_spec(package) is None:
        fix = "pip install --upgrade joulebench"
        return Finding(what=f"backend {name}", state="note", found=f"{package} is not installed", fix=fix)
    return Finding(what=f"backend {name}", state="good", found=f"{package} {host.version(package)}")


def _source(name: str) -> Finding:
    try:
        plugins.create("energy", name, {}).check()
    except (SourceUnavailable, UserError) as error:
        return Finding(what=f"meter {name}", state="note", found=str(error))
    return Finding(what=f"meter {name}", state="good", found="can be read")


def _verdict() -> Finding:
    chosen = meter.choose("auto", {})
    kind = chosen.source.info.kind
    state: State = "good" if kind == "measured" else "note"
    return Finding(what="joules", state=state, found=f"{kind}: {chosen.note}")


def _model() -> Finding:
    model = locate("smollm2-135m")
    if model is None:
        fix = "bench models fetch smollm2-135m"
        return Finding(what="embedded model", state="note", found="not fetched yet (90 MB, once)", fix=fix)
    return Finding(what="embedded model", state="good", found=str(model.folder))


def _disk() -> Finding:
    folder = cache_folder()
    while not folder.exists():
        folder = folder.parent
    free = shutil.disk_usage(folder).free
    found = f"{free / 2**30:.0f} GiB free for models in {cache_folder()}"
    if not os.access(folder, os.W_OK):
        fix = "export JOULEBENCH_CACHE=~/some/folder"
        return Finding(what="disk", state="bad", found=f"{cache_folder()} can't be written", fix=fix)
    if free < _NEEDED_BYTES:
        return Finding(what="disk", state="bad", found=found, fix="make 2 GiB free, or set JOULEBENCH_CACHE")
    return Finding(what="disk", state="good", found=found)
