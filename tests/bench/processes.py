"""Runs `bench` as a user does: as a process, in an empty folder."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil

COMMAND = [sys.executable, "-P", "-c", "from bench.cli.app import main; main()"]


AS_ROOT = ["--allow-root"] if os.geteuid() == 0 else []


def bench(*arguments: str, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run to the end; output is captured."""
    return subprocess.run(
        [*COMMAND, *_allowed(arguments)],
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=240,
        env={**os.environ, **environment},
        check=False,
    )


def start(*arguments: str, cwd: Path, environment: dict[str, str] | None = None) -> subprocess.Popen[str]:
    """Start and return at once; with an `environment` of its own, exactly as typed."""
    return subprocess.Popen(
        [*COMMAND, *(arguments if environment else _allowed(arguments))],
        cwd=cwd,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
    )


def _allowed(arguments: tuple[str, ...]) -> list[str]:
    """Tests often run in a container as root, where `bench run` wants to be told so."""
    return [*arguments, *AS_ROOT] if arguments[:1] == ("run",) else list(arguments)


def wait_for(what: Callable[[], Any], *, timeout_s: float = 60.0) -> Any:
    """Poll until `what()` is true, and return it."""
    deadline_s = time.perf_counter() + timeout_s
    while not (found := what()):
        assert time.perf_counter() < deadline_s, "timed out"
        time.sleep(0.02)
    return found


def records(out: Path) -> list[dict[str, Any]]:
    """Whole lines of the only run under `out`."""
    files = list(out.glob("*/records.jsonl"))
    if not files:
        return []
    *lines, _ = files[0].read_bytes().split(b"\n")
    return [json.loads(line) for line in lines]


def of_type(out: Path, kind: str) -> list[dict[str, Any]]:
    """Records of one type."""
    return [record for record in records(out) if record["type"] == kind]


def children_of(process: subprocess.Popen[str]) -> list[psutil.Process]:
    """All processes below a running one."""
    return psutil.Process(process.pid).children(recursive=True)


def are_gone(processes: list[psutil.Process]) -> bool:
    """Whether every process has ended."""
    return not [p for p in processes if p.is_running() and p.status() != psutil.STATUS_ZOMBIE]
