"""Facts about the machine that can change the numbers. What can't be found out is None."""

from __future__ import annotations

import json
import os
import platform
from importlib import metadata
from pathlib import Path
from typing import Any

import psutil

from bench.run.power import Power, of_pmset
from bench.suite import libraries
from bench.suite.header import Git, Host
from energy import machine as this

_ENVIRONMENT = ("MLX_", "PYTORCH_", "MTL_", "METAL_", "OMP_", "MKL_", "OPENBLAS_", "VECLIB_")


def facts() -> dict[str, Any]:
    """Host, package and git facts: fields of `bench.suite.header.RunHeader`."""
    return {
        "host": Host(**machine()),
        "packages": {name: version(name) for name in packages()},
        "python": platform.python_version(),
        "environment": {k: v for k, v in sorted(os.environ.items()) if k.startswith(_ENVIRONMENT)},
        "git": git_state(),
    }


def machine() -> dict[str, Any]:
    """Chip, GPU cores, memory, operating system, power."""
    common = {
        "system": "Darwin" if this.is_mac() else platform.system(),
        "machine": this.here().machine,
        "cpu_cores": psutil.cpu_count(logical=True),
        "memory_bytes": psutil.virtual_memory().total,
        "load_1min": round(os.getloadavg()[0], 2),
    }
    now = power()
    supply = {"power_source": now.source, "power_mode": now.mode}
    return {**common, **supply, **(_mac() if this.is_mac() else _linux())}


def power() -> Power:
    """What feeds the machine now, and how hard it may run; quick enough to be asked at every slot."""
    if this.is_mac():
        return of_pmset(this.ask("pmset", "-g") or "", this.ask("pmset", "-g", "batt") or "")
    battery = psutil.sensors_battery() if hasattr(psutil, "sensors_battery") else None
    return Power(source=None if battery is None else "ac" if battery.power_plugged else "battery")


def packages() -> tuple[str, ...]:
    """Distributions whose versions are recorded: this one, numpy, and what each backend names."""
    return tuple(dict.fromkeys(["joulebench", "numpy", *libraries.packages()]))


def version(package: str) -> str | None:
    """Installed version of a package."""
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def git_state() -> Git | None:
    """Commit of the checkout that this program runs from; None for an installed wheel."""
    root = Path(__file__).resolve().parents[2]
    if not (root / ".git").exists():
        return None
    commit = this.output(["git", "-C", str(root), "rev-parse", "HEAD"])
    changed = this.output(
        ["git", "--no-optional-locks", "-C", str(root), "status", "--porcelain", "--untracked-files=no"]
    )
    return Git(commit=commit, dirty=None if changed is None else bool(changed))


def _linux() -> dict[str, Any]:
    return {
        "chip": _first_value(Path("/proc/cpuinfo"), "model name"),
        "gpu_cores": None,
        "os_version": platform.release(),
        "os_build": None,
    }


def _mac() -> dict[str, Any]:
    return {
        "chip": this.ask("sysctl", "-n", "machdep.cpu.brand_string"),
        "hw_model": this.ask("sysctl", "-n", "hw.model"),
        "gpu_cores": _gpu_cores(this.ask("system_profiler", "SPDisplaysDataType", "-json")),
        "os_version": this.ask("sw_vers", "-productVersion"),
        "os_build": this.ask("sw_vers", "-buildVersion"),
    }


def _gpu_cores(profile: str | None) -> int | None:
    """Number of GPU cores from system_profiler's JSON."""
    try:
        displays = json.loads(profile or "")["SPDisplaysDataType"]
        return next(int(d["sppci_cores"]) for d in displays if "sppci_cores" in d)
    except (ValueError, KeyError, StopIteration):
        return None


def _first_value(file: Path, key: str) -> str | None:
    try:
        lines = file.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return None
    return next((line.partition(":")[2].strip() for line in lines if line.startswith(key)), None)
