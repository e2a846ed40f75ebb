"""A command of the user, run once: it has the terminal, and its end is waited for in the kernel.

It is started as it would be without bench: same folder, same standard output and error. Its environment has
one name more, `BENCH_EXEC`, by which whatever it leaves running is found afterwards. What a terminal sends
(Ctrl-C) it gets from the terminal; what is sent to bench alone is handed on to it.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from types import FrameType

import psutil

from bench.errors import UserError

MARK = "BENCH_EXEC"
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@dataclass(frozen=True, kw_only=True)
class ChildRun:
    """One run of a command, from just before it was started until its main process had ended."""

    start_s: float
    end_s: float
    exit_code: int
    """As a shell gives it: 128 + the signal that ended it."""
    cpu_s: float
    """Of its processes that were waited for."""
    stopped_by: int | None = None
    """The signal that bench got meanwhile, which asks for an end."""


def check(argv: Sequence[str]) -> None:
    """Raise `UserError` if there is no such program."""
    if not argv:
        raise UserError("no command", fix='name one: bench exec -- CMD ARGS, or --baseline "CMD ARGS"')
    if shutil.which(argv[0]) is None:
        raise UserError(
            f"{argv[0]}: no such program",
            fix="give its path, or a name that `which` finds (no shell is used)",
        )


def new_mark() -> str:
    """A mark that nothing has yet."""
    return secrets.token_hex(8)


def run_once(argv: Sequence[str], *, mark: str, has_stdin: bool = True) -> ChildRun:
    """Run a command to its end.

    Args:
        argv: program and arguments; no shell sees them.
        mark: what `left_running` finds its processes by.
        has_stdin: let it read what bench could read; else it reads nothing.

    Raises:
        UserError: it can't be started.
    """
    stdin = None if has_stdin else subprocess.DEVNULL
    with _handed_on() as told:
        start_s = time.perf_counter()
        try:
            process = subprocess.Popen(list(argv), stdin=stdin, env={**os.environ, MARK: mark})
        except OSError as error:
            raise UserError(f"{argv[0]} can't be started: {error.strerror}") from None
        told.process = process
        for number in told.signals:  # came while it was being started
            _send(process.pid, number)
        _, status, usage = os.wait4(process.pid, 0)
        end_s = time.perf_counter()
        told.process = None
        process.returncode = os.waitstatus_to_exitcode(status)
    code = process.returncode
    return ChildRun(
        start_s=start_s,
        end_s=end_s,
        exit_code=code if code >= 0 else 128 - code,
        cpu_s=usage.ru_utime + usage.ru_stime,
        stopped_by=told.signals[0] if told.signals else None,
    )


def left_running(mark: str) -> tuple[str, ...]:
    """What commands with this mark started and did not wait for, such as `1234 ollama`."""
    left = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            if process.uids().real == os.getuid() and process.environ().get(MARK) == mark:
                left.append(f"{process.pid} {process.name()}")
    return tuple(left)


class _Told:
    """What signals came, and to whom they are handed on."""

    def __init__(self) -> None:
        self.process: subprocess.Popen[bytes] | None = None
        self.signals: list[int] = []

    def __call__(self, number: int, frame: FrameType | None) -> None:
        """Hand a signal on, unless the terminal gave it to the command too; the second in any case."""
        is_first = not self.signals
        self.signals.append(number)
        if self.process is not None and not (is_first and number == signal.SIGINT and _is_foreground()):
            _send(self.process.pid, number)


@contextlib.contextmanager
def _handed_on() -> Iterator[_Told]:
    """For as long as this lasts no signal ends bench; the handlers before are then put back."""
    told = _Told()
    heard = [number for number in _SIGNALS if signal.getsignal(number) is not signal.SIG_IGN]
    before = {number: signal.signal(number, told) for number in heard}
    try:
        yield told
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _send(pid: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)


def _is_foreground() -> bool:
    """Whether what is typed at the terminal reaches this process group, of which the command is one."""
    try:
        terminal = os.open("/dev/tty", os.O_RDONLY | os.O_NOCTTY)
    except OSError:
        return False
    try:
        return os.tcgetpgrp(terminal) == os.getpgrp()
    except OSError:
        return False
    finally:
        os.close(terminal)
