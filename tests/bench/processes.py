"""Runs `bench` as a user does: in an empty folder, in this process or in one of its own."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import psutil
import pytest
import typer.main

from bench.cli.entry import main
from bench.suite import plugins
from tests.waiting import TIMEOUT_S

COMMAND = [sys.executable, "-P", "-c", "from bench.cli.entry import main; main()"]


BUILT = cache(typer.main.get_command)
"""The command line that typer makes of the functions: built once, as a process of `bench` builds it once."""

AS_ROOT = ["--allow-root"] if os.geteuid() == 0 else []


@dataclass(frozen=True)
class Done:
    """How a command ended and what it printed."""

    returncode: int
    stdout: str
    stderr: str


def bench(
    *arguments: str, cwd: Path, stdin: str = "", package: Path | None = None, **environment: str
) -> Done:
    """Run `bench` to its end in this process, by the function that the installed command calls.

    Processes that it starts itself are real: a worker, a meter. What it prints is captured. A `package` is
    a folder that is installed for as long as the command runs. What Python reads only when it starts,
    such as PYTHONHASHSEED, needs `bench_process`.
    """
    out, err = io.StringIO(), io.StringIO()
    with (
        pytest.MonkeyPatch.context() as patch,
        _installed(package, patch),
        warnings.catch_warnings(),
        redirect_stdout(out),
        redirect_stderr(err),
    ):
        warnings.simplefilter("ignore")  # pytest makes them errors; a user's Python does not
        patch.chdir(cwd)
        for name, value in environment.items():
            patch.setenv(name, value)
        patch.setattr(sys, "stdin", io.StringIO(stdin))
        patch.setattr(typer.main, "get_command", BUILT)
        patch.setattr(sys, "argv", ["bench", *_allowed(arguments)])
        code = _exit_code(main)
    return Done(code, out.getvalue(), err.getvalue())


@contextmanager
def _installed(package: Path | None, patch: pytest.MonkeyPatch) -> Iterator[None]:
    """The folder is on the path of this process and of its children; at the end its modules are forgotten."""
    if package is None:
        yield
        return
    patch.syspath_prepend(str(package))
    patch.setenv("PYTHONPATH", str(package))
    plugins.installed.cache_clear()  # the folder may have got another entry point since the last command
    known = set(sys.modules)
    yield
    for name in set(sys.modules) - known:
        if str(package) in str(getattr(sys.modules[name], "__file__", "")):
            del sys.modules[name]


def _exit_code(command: Callable[[], None]) -> int:
    """The exit code of a command; an error that escapes fails the test that ran it."""
    try:
        command()
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    return 0


def bench_process(*arguments: str, cwd: Path, **environment: str) -> Done:
    """Run `bench` to its end as a process of its own, as a shell does, with these variables set."""
    done = subprocess.run(
        [*COMMAND, *_allowed(arguments)],
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        env={**os.environ, **environment},
        check=False,
    )
    return Done(done.returncode, done.stdout, done.stderr)


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
