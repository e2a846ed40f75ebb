"""One command on hostile input, in this process, and what became of it."""

from __future__ import annotations

import io
import os
import resource
import signal
import sys
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any
from unittest.mock import patch

from bench.cli.entry import main

LIMIT_S = 5.0
"""CPU seconds after which a command hangs: the longest honest one here takes two."""
EXIT_CODES = (0, 1, 2)


class Hung(BaseException):
    """The command took too long; not an Exception, so that no handler of the program takes it."""


@dataclass(frozen=True)
class Outcome:
    """What became of a command."""

    kind: str
    """done, refused, failed, traceback, hang, or reached outside."""
    detail: str = ""
    seconds_s: float = 0.0

    @property
    def is_bad(self) -> bool:
        """Whether no input at all may lead to this."""
        return self.kind in ("traceback", "hang", "reached outside")


def attempt(arguments: list[str], *, cwd: Path, outside: Path, limit_s: float = LIMIT_S) -> Outcome:
    """Run `bench` with these arguments.

    Args:
        arguments: of the command line.
        cwd: the folder that it stands in.
        outside: a folder of which nothing may be opened.
        limit_s: CPU seconds after which it hangs.
    """
    out, err = io.StringIO(), io.StringIO()
    began_s = time.process_time()
    kind, detail = "done", ""
    reached: list[str] = []
    with _watched(outside, reached), patch.object(sys, "argv", ["bench", *arguments]), _standing_in(cwd):
        try:
            with redirect_stdout(out), redirect_stderr(err), limited(limit_s):
                kind = _kind(_exit_code())
        except Hung:
            kind, detail = "hang", f"more than {limit_s:g} s"
        except BaseException as error:
            kind, detail = "traceback", place_of(error)
    if "Traceback" in err.getvalue():
        kind, detail = "traceback", err.getvalue()
    if kind in ("refused", "failed"):
        detail = err.getvalue().strip()
    if reached:
        kind, detail = "reached outside", ", ".join(sorted(set(reached)))
    return Outcome(kind, detail, time.process_time() - began_s)


def place_of(error: BaseException) -> str:
    """Where in the program it was, and what it was."""
    root = str(Path(__file__).resolve().parents[2])
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename.startswith(root)]
    places = [f"{Path(frame.filename).relative_to(root)}:{frame.lineno}" for frame in frames[-2:]]
    said = str(error).partition("\n")[0][:60]
    return f"{' > '.join(places)}: {type(error).__name__}: {said}"


def peak_mib() -> float:
    """Most memory that this process has held."""
    size = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return size / 2**20 if sys.platform == "darwin" else size / 2**10


def _exit_code() -> int:
    try:
        main()
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else 0 if end.code is None else 1
    return 0


def _kind(code: int) -> str:
    assert code in EXIT_CODES, f"exit code {code}"
    return ("done", "failed", "refused")[code]


@contextmanager
def _standing_in(folder: Path) -> Iterator[None]:
    before = Path.cwd()
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)


@contextmanager
def limited(limit_s: float = LIMIT_S) -> Iterator[None]:
    """Raise `Hung` in what takes too long.

    CPU time is limited for a loop, and time by the clock, six times as much, for a wait.
    """

    def stop(number: int, frame: FrameType | None) -> None:
        raise Hung

    for number in (signal.SIGVTALRM, signal.SIGALRM):
        signal.signal(number, stop)
    signal.setitimer(signal.ITIMER_VIRTUAL, limit_s)
    signal.setitimer(signal.ITIMER_REAL, 6 * limit_s)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.setitimer(signal.ITIMER_REAL, 0)


_OUTSIDE: list[tuple[str, list[str]]] = []
"""The folder that is watched, and where to note what was opened of it; empty while nothing is."""


def _hook(event: str, arguments: tuple[Any, ...]) -> None:
    if event != "open" or not _OUTSIDE or not isinstance(arguments[0], str | bytes):
        return
    folder, reached = _OUTSIDE[0]
    path = os.path.realpath(os.fsdecode(arguments[0]))
    if path.startswith(folder + os.sep):
        reached.append(path)


sys.addaudithook(_hook)


@contextmanager
def _watched(folder: Path, reached: list[str]) -> Iterator[None]:
    _OUTSIDE.append((os.path.realpath(folder), reached))
    try:
        yield
    finally:
        _OUTSIDE.clear()
