"""Is this machine fit to measure? Findings, each with what to type when something is missing."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from backends.about import About
from backends.installing import pip
from bench.cli.doctor.findings import CheckResult, unknown
from bench.cli.doctor.mac_state import gpu_answers, look
from bench.cli.doctor.machine import around, chip
from bench.errors import UserError
from bench.run import host, sources
from bench.suite import libraries, plugins
from bench.suite.models import locate
from energy import machine as this
from energy.base import SourceUnavailable
from energy.user_cache import user_cache

_NEEDED_BYTES = 2 * 1024**3


@dataclass(frozen=True, kw_only=True)
class Reach:
    """The best grade that joules can have here as things stand."""

    grade: int
    name: str
    source: str
    better: str
    """How to get a higher one."""


@dataclass(frozen=True, kw_only=True)
class Diagnosis:
    """All findings, and what they come to."""

    findings: list[CheckResult]
    best: Reach

    @property
    def is_fit(self) -> bool:
        """Whether joules can be measured here; modelled joules can be had anywhere."""
        return self.best.grade > 0 and all(finding.state != "bad" for finding in self.findings)


def examine() -> Diagnosis:
    """Look at everything that decides what this machine can measure."""
    machine, mac = host.machine(), look()
    meters = {name: _refusal(name) for name in sources.real_meters()}
    findings = [
        chip(machine, mac),
        _power(machine),
        _power_mode(machine),
        *around(mac),
        _load(machine),
        *[_backend(name, said) for name, said in libraries.every().items() if said.needs],
        *[_meter(name, refusal) for name, refusal in meters.items()],
        _model(),
        _disk(),
    ]
    usable = [name for name, refusal in meters.items() if refusal is None and not mac.virtual]
    return Diagnosis(findings=findings, best=reach(usable, is_mac=this.is_mac()))


def reach(usable: Sequence[str], *, is_mac: bool) -> Reach:
    """The best grade from these meters, best first, and how to get a better one."""
    wall = "for grade 4 log an external meter beside it: bench report RUN --wall meter.csv"
    if not usable:
        on_mac = "for grade 2 type: sudo -v, or install the line of: bench doctor --sudoers"
        elsewhere = "for grade 2 let a meter be read (below), or use a Mac"
        better = f"{on_mac if is_mac else elsewhere}; {wall}"
        return Reach(grade=0, name="modelled", source="modelled", better=better)
    if len(usable) == 1:
        better = wall
        if is_mac:
            better = (
                f"for grade 3 make a second meter readable and name it in the suite's cross_check; {wall}"
            )
        return Reach(grade=2, name="metered", source=usable[0], better=better)
    source = f'{usable[0]}, with cross_check = ["{usable[1]}"] in the [energy] table of the suite'
    return Reach(grade=3, name="cross-checked", source=source, better=wall)


def sudoers_line(user: str, command: Sequence[str]) -> str:
    """The line that lets one user run exactly one command as root without a password.

    In a sudoers file commas, colons, equals signs and backslashes in arguments are escaped.
    """
    escaped = [re.sub(r"([,:=\\])", r"\\\1", word) for word in command]
    return f"{user} ALL=(root) NOPASSWD: {' '.join(escaped)}"


def _power(machine: dict[str, Any]) -> CheckResult:
    source = machine["power_source"]
    if source in (None, "ac"):
        return (
            CheckResult(what="power source", state="good", found="mains")
            if source
            else unknown("power source")
        )
    fix = "plug in the charger" if source == "battery" else "wait until the mains are back"
    return CheckResult(what="power source", state="note", found=source, fix=fix)


def _power_mode(machine: dict[str, Any]) -> CheckResult:
    mode = machine["power_mode"]
    if mode is None:
        return unknown("power mode")
    if mode == "low":
        fix = "set the energy mode to Automatic in System Settings"
        return CheckResult(what="power mode", state="note", found="low: the chip is slowed down", fix=fix)
    return CheckResult(what="power mode", state="good", found=mode)


def _load(machine: dict[str, Any]) -> CheckResult:
    load = machine["load_1min"]
    busy = load > 0.5 * machine["cpu_cores"]
    fix = "quit other programs and wait a minute" if busy else None
    load_words = f"{load} over the last minute, {machine['cpu_cores']} cores"
    return CheckResult(what="load", state="note" if busy else "good", found=load_words, fix=fix)


def _backend(name: str, said: About) -> CheckResult:
    what = f"backend {name}"
    if said.missing:
        fix = pip("install", said.install)
        return CheckResult(
            what=what, state="note", found=f"{' and '.join(said.missing)} not installed", fix=fix
        )
    versions = [f"{package} {version}" for package, version in said.versions().items()]
    version, gpu = versions[0] if versions else "installed", said.gpu
    if gpu is None:
        return CheckResult(what=what, state="good", found=version)
    if not this.is_mac():
        build = "CPU build" if any("cpu" in one for one in versions) else f"no {gpu}"
        return CheckResult(what=what, state="good", found=f"{version}, {build}")
    answers = gpu_answers(name)
    if answers is None:
        return CheckResult(what=what, state="unknown", found=f"{version}, whether {gpu} works is unknown")
    if answers:
        return CheckResult(what=what, state="good", found=f"{version}, {gpu} works")
    upgrade = pip("install", "--upgrade", (*said.packages, said.install)[0])
    fix = f"needs macOS 14 or newer; then: {upgrade}"
    return CheckResult(what=what, state="note", found=f"{version}, no {gpu}: runs on the CPU", fix=fix)


def _refusal(name: str) -> SourceUnavailable | UserError | None:
    """Why a meter can't be read here; None if it can."""
    try:
        plugins.create("energy", name, {}).check()
    except (SourceUnavailable, UserError) as error:
        return error
    return None


def _meter(name: str, refusal: SourceUnavailable | UserError | None) -> CheckResult:
    if refusal is None:
        return CheckResult(what=f"meter {name}", state="good", found="can be read")
    return CheckResult(what=f"meter {name}", state="note", found=refusal.what, fix=refusal.fix)


def _model() -> CheckResult:
    model = locate("smollm2-135m")
    if model is None:
        fix = "bench models fetch smollm2-135m"
        return CheckResult(
            what="embedded model", state="note", found="not fetched yet (90 MB, once)", fix=fix
        )
    return CheckResult(what="embedded model", state="good", found=str(model.folder))


def _disk() -> CheckResult:
    folder = user_cache()
    while not folder.exists():
        folder = folder.parent
    free = shutil.disk_usage(folder).free
    room = f"{free / 2**30:.0f} GiB free for models in {user_cache()}"
    if not os.access(folder, os.W_OK):
        fix = "export JOULEBENCH_CACHE=~/some/folder"
        return CheckResult(what="disk", state="bad", found=f"{user_cache()} can't be written", fix=fix)
    if free < _NEEDED_BYTES:
        fix = "make 2 GiB free, or: export JOULEBENCH_CACHE=/another/disk"
        return CheckResult(what="disk", state="bad", found=room, fix=fix)
    return CheckResult(what="disk", state="good", found=room)
