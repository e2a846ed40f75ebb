"""The conductor's side of the workers: start, ask, replace.

Messages are JSON over a socket pair, so nothing is unpickled. Waiting for a reply blocks in the kernel
with a deadline; a worker that dies or hangs is an exception here and never a hung conductor.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
from collections.abc import Mapping
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any, TypeVar

from bench import lifeline
from bench.errors import BenchError
from bench.run import privilege
from bench.run.observed import RankWindow
from bench.run.workers.messages import Message, Refused, Synchronized
from bench.typed import from_json, to_json

A = TypeVar("A")


class WorkerLost(BenchError):
    """A worker died or hung; it has to be replaced."""

    def __init__(self, what: str, *, backend: str, fix: str | None = None) -> None:
        """`backend` is whose worker it was."""
        super().__init__(what, fix=fix)
        self.backend = backend


class WorkerRefused(BenchError):
    """A worker is fine and says that it can't do what it was asked."""


class WorkerProcess:
    """One running worker."""

    def __init__(
        self,
        backend: str,
        *,
        log: Path,
        module: str = "bench.run.workers.worker",
        env: Mapping[str, str] | None = None,
    ) -> None:
        """Start it; what its libraries print goes to the file `log`, and `env` is added to its environment.

        Every model is loaded by a worker, so here root is given up for good, if it has not been before.

        Raises:
            RunFailed: root could not be given up; nothing was started.
        """
        privilege.give_up()
        self.backend, self._module = backend, module
        ours, theirs = socket.socketpair()
        theirs_alive, self._lifeline = os.pipe()
        command = self._command(theirs_alive, theirs.fileno())
        with log.open("ab") as noise:
            self._process = subprocess.Popen(
                command,
                pass_fds=(theirs.fileno(), theirs_alive),
                stdin=subprocess.DEVNULL,
                stdout=noise,
                stderr=noise,
                process_group=0,  # Ctrl-C in the terminal reaches the conductor alone
                env={**os.environ, **_QUIET, **(env or {})},
            )
        theirs.close()
        os.close(theirs_alive)
        self.connection = Connection(ours.detach())
        self._log = log

    @property
    def pid(self) -> int:
        """Process id."""
        return self._process.pid

    def _command(self, alive: int, channel: int) -> list[str]:
        return lifeline.command(alive, self._module, self.backend, str(channel))

    def ask(self, message: Message[A], *, deadline_s: float) -> A:
        """Send a message and wait for its reply.

        Raises:
            WorkerLost: no reply came; the worker has been ended.
            WorkerRefused: the reply is an error.
        """
        self.send(message)
        return self.receive(message, deadline_s=deadline_s)

    def send(self, message: Message[Any]) -> None:
        """Send a message; `receive` must follow."""
        self._send(json.dumps({"command": message.command, **to_json(message)}).encode(), message.command)

    def receive(self, message: Message[A], *, deadline_s: float) -> A:
        """Wait for the reply to `message`."""
        command = message.command
        try:
            if not wait([self.connection], timeout=deadline_s):
                self.kill()
                raise WorkerLost(
                    f"the {self.backend} worker gave no answer to {command!r} in {deadline_s:g} s",
                    backend=self.backend,
                )
            reply = json.loads(self.connection.recv_bytes())
        except (EOFError, ConnectionError):
            raise self._lost(command) from None
        refusal = from_json(Refused, reply).error
        if refusal is not None:
            raise WorkerRefused(refusal.what, fix=refusal.fix)
        return from_json(message.answer(), reply)

    def exchange(self, message: bytes, *, command: str) -> bytes:
        """Pass on a message as it came, and wait for the reply as it comes, however long it takes.

        Raises:
            WorkerLost: no reply came.
        """
        self._send(message, command)
        try:
            return self.connection.recv_bytes()
        except (EOFError, ConnectionError):
            raise self._lost(command) from None

    def elsewhere(self, start: Synchronized, end: Synchronized) -> list[RankWindow]:
        """Joules that this machine's meter did not see, of other ranks: of one worker, none."""
        return []

    def stop(self) -> None:
        """Let it end by itself, or end it."""
        self._close()
        try:
            self._process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            self.kill()

    def kill(self) -> None:
        """End it now."""
        self._process.kill()
        self._process.wait()
        self._close()

    def _send(self, message: bytes, command: str) -> None:
        try:
            self.connection.send_bytes(message)
        except OSError:
            raise self._lost(command) from None

    def _close(self) -> None:
        if not self.connection.closed:
            self.connection.close()
            os.close(self._lifeline)

    def _lost(self, command: str) -> WorkerLost:
        self._close()
        code = self._process.wait()
        how = f"signal {-code}" if code < 0 else f"exit code {code}"
        died = f"the {self.backend} worker died ({how}) during {command!r}"
        return WorkerLost(f"{died}{self._last_words()}", backend=self.backend, fix=f"see {self._log.name}")

    def _last_words(self) -> str:
        lines = self._log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
        return f": {lines[-1][:200]}" if lines else ""


_QUIET = {
    "HF_HUB_OFFLINE": "1",  # every model is a local folder by now
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "TRANSFORMERS_VERBOSITY": "error",
    "TOKENIZERS_PARALLELISM": "false",
    "PYTHONIOENCODING": "utf-8:backslashreplace",  # of what its libraries print into its log
}
