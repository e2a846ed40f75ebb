"""Of a bundle: how the meters of this machine behave."""

from __future__ import annotations

import os
import subprocess
import tempfile
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import psutil

from bench.cli.doctor.mac_state import gpu_answers
from bench.errors import RunFailed
from bench.run import sources, workloads
from bench.suite import libraries, plugins
from energy import preflight
from energy.base import EnergySource, SourceUnavailable, Trace
from energy.packing import RAW
from energy.selftest import find_lag, outcome, run_self_test

POWERMETRICS = "/usr/bin/powermetrics"
SELF_TESTS, LOAD_S = 5, 2.0
IDLES, IDLE_S = 4, 8.0
SETTLE_S = 2.0
"""Until a meter whose pipe is closed must be gone."""
_ASK_S = 10.0


def helps() -> dict[str, Any]:
    """What `powermetrics -h` says and how it ends, without root and with it."""
    if not Path(POWERMETRICS).exists():
        raise RunFailed(f"there is no {POWERMETRICS}")
    commands = {"as_user": [POWERMETRICS, "-h"], "as_root": [preflight.SUDO, "-n", POWERMETRICS, "-h"]}
    return {who: _ended(command) for who, command in commands.items()}


def _ended(command: list[str]) -> dict[str, Any]:
    try:
        done = subprocess.run(
            command,
            capture_output=True,
            timeout=_ASK_S,
            check=False,
            stdin=subprocess.DEVNULL,
            user=os.geteuid(),  # under sudo no child but the meter may take root back
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return {"not_measured": str(error)}
    text = (done.stdout + done.stderr).decode(errors="replace")
    return {"exit": done.returncode, "lines": text.splitlines()[:200]}


def meter(*, idle_s: float = IDLE_S, load_s: float = LOAD_S) -> dict[str, Any]:
    """The best real meter that runs here: its cadence, idle noise, lag and self-test, and how it ends."""
    refused = {}
    for name in sources.real_meters():
        try:
            chosen = sources.choose(name, {})
        except SourceUnavailable as error:
            refused[name] = f"{error.what}; {error.fix}"
            continue
        with tempfile.TemporaryDirectory(prefix="joulebench-") as scratch:
            return watched(chosen, Path(scratch), idle_s=idle_s, load_s=load_s)
    raise RunFailed("no meter can be read: " + "; ".join(f"{name}: {why}" for name, why in refused.items()))


def watched(chosen: sources.ChosenMeter, folder: Path, *, idle_s: float, load_s: float) -> dict[str, Any]:
    """What a meter does from its start to its end; its stream goes to `folder`."""
    before = _named(chosen.source.info.name)
    with sources.started(chosen, folder) as source:
        loads = workloads.commands(source.info.kind)
        found: dict[str, Any] = {
            "source": source.info.name,
            "rails": list(source.info.rails),
            "idle_w": [_idle_w(source, idle_s) for _ in range(IDLES)],
            "lag": _told(find_lag(source, loads["cpu spin"])),
            "self_tests": [_self_test(source, load_s) for _ in range(SELF_TESTS)],
            **_cadence(source.trace()),
            "has_root": 0 in (os.getuid(), os.geteuid()),
            "gpu_works_beside_it": _gpu(),
        }
    time.sleep(SETTLE_S)
    left = _named(source.info.name) - before
    return {**found, "ends_on_closed_pipe": not left, "nul": _nul_place(folder / RAW)}


def ioreport(*, watch_s: float = 20.0) -> dict[str, Any]:
    """At which cadence IOReport's counters move here, and which of them stay at zero."""
    source: EnergySource = plugins.create("energy", "ioreport", {})
    with tempfile.TemporaryDirectory(prefix="joulebench-") as scratch:
        source.start(Path(scratch))
        try:
            time.sleep(watch_s)
            return {"details": dict(source.info.details), **_cadence(source.trace())}
        finally:
            source.stop()


def _cadence(trace: Trace) -> dict[str, Any]:
    """Seconds of the readings, what is not sure of their place, and the mean power of every rail."""
    length_s = trace.end_s - trace.start_s
    if not len(length_s):
        raise RunFailed("the meter gave no reading")
    quantiles = np.quantile(length_s, (0.0, 0.05, 0.5, 0.95, 1.0))
    watts = {
        rail: None if np.isnan(joules).all() else float(np.nansum(joules) / length_s.sum())
        for rail, joules in zip(trace.rails, trace.joules.T, strict=True)
    }
    return {
        "readings": len(length_s),
        "reading_s": dict(zip(("least", "p5", "median", "p95", "most"), quantiles.tolist(), strict=True)),
        "alignment_s": trace.alignment_s,
        "mean_w": watts,
        "zero": [rail for rail, mean in watts.items() if mean == 0],
        "faults": sorted({fault.kind for fault in trace.faults}),
    }


def _idle_w(source: EnergySource, seconds: float) -> float | None:
    start_s = time.perf_counter()
    time.sleep(seconds)
    end_s = time.perf_counter()
    source.wait(end_s, timeout_s=10.0)
    trace = source.trace()
    inside = (trace.start_s >= start_s) & (trace.end_s <= end_s)
    if not inside.any():
        return None
    rails = [trace.rails.index(rail) for rail in source.info.rails if rail in trace.rails]
    lasted_s = float((trace.end_s - trace.start_s)[inside].sum())
    joules = float(trace.joules[inside][:, rails].sum())
    return None if np.isnan(joules) else joules / lasted_s


def _self_test(source: EnergySource, seconds: float) -> dict[str, Any]:
    findings = run_self_test(source, workloads.commands(source.info.kind), seconds=seconds)
    tested = outcome(findings, source.info.rails)
    return {"outcome": tested.word, "reason": tested.reason, "findings": [asdict(one) for one in findings]}


def _told(lag: Any) -> dict[str, Any] | None:
    return None if lag is None else asdict(lag)


def _gpu() -> bool | None:
    backend = libraries.gpu_backend()
    return None if backend is None else gpu_answers(backend)


def _named(name: str) -> set[int]:
    """Processes of that name."""
    return {process.pid for process in psutil.process_iter(["name"]) if process.info["name"] == name}


def _nul_place(raw: Path) -> dict[str, int] | None:
    """How often a NUL stands right behind a document, and right before the next; None without a stream."""
    if not raw.exists():
        return None
    stream = raw.read_bytes()
    return {
        "documents": stream.count(b"</plist>"),
        "before_next": stream.count(b"\x00<?xml"),
        "at_end_of_file": int(stream.endswith(b"\x00")),
    }
