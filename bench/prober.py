"""A worker that answers questions about models instead of measuring requests.

    python -P -m bench.prober BACKEND CHANNEL LIFELINE

It is a worker (`bench.worker`) with other commands: hidden states of prompts, and timed steps.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
from dataclasses import asdict
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from backends.base import BackendError
from backends.cut import Cut
from bench.errors import BenchError
from bench.isolate_steps import Cell
from bench.isolate_window import Plan, as_message
from bench.spectral import ids_of, point_of
from bench.spectral_prompts import SpectralPrompt
from bench.worker import Worker


class Prober(Worker):
    """Loaded models of one backend."""

    def points(self, message: dict[str, Any]) -> dict[str, Any]:
        """Points of a spectral study, with their token ids; null for a prompt that has none."""
        model = self.models[message["model"]]
        prompts = [SpectralPrompt(**prompt) for prompt in message["prompts"]]
        ids = [ids_of(model, prompt) for prompt in prompts]
        points = [
            point_of(model, prompt, one, model=message["name"])
            for prompt, one in zip(prompts, ids, strict=True)
        ]
        return {"ids": ids, "points": [asdict(point) if point else None for point in points]}

    def isolate_open(self, message: dict[str, Any]) -> dict[str, Any]:
        """Set up the isolation tests of one loaded model; says which are not available, and why."""
        self.cell = Cell(
            model=self.models["full"],
            folder=Path(message["folder"]),
            cut=Cut.model_validate(message["cut"]),
            plan=Plan(**message["plan"]),
            tiny=self.models.get("tiny"),
        )
        self.cell.open()
        return {"missing": self.cell.missing}

    def isolate_round(self, message: dict[str, Any]) -> dict[str, Any]:
        """One window of every test."""
        return {"windows": as_message(self.cell.round(message["number"]))}

    def obey(self, message: dict[str, Any]) -> dict[str, Any]:
        """Run one message; an error that a user can act on becomes a reply."""
        commands = (self.load, self.encode, self.points, self.isolate_open, self.isolate_round)
        command = {c.__name__: c for c in commands}[message["command"]]
        try:
            return command(message)
        except (BenchError, BackendError) as error:
            return {"error": str(error), "kind": type(error).__name__}


def main() -> None:
    """Serve until the conductor closes the channel."""
    backend, channel, lifeline = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the conductor to act on
    threading.Thread(target=_end_with_the_conductor, args=(lifeline,), daemon=True).start()
    connection = Connection(channel)
    prober = Prober(backend)
    while True:
        try:
            message = json.loads(connection.recv_bytes())
        except EOFError:
            return
        connection.send_bytes(json.dumps(prober.obey(message)).encode())


def _end_with_the_conductor(lifeline: int) -> None:
    os.read(lifeline, 1)  # blocks, without spinning, until the other end is closed
    os._exit(1)


if __name__ == "__main__":
    main()
