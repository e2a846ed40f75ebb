"""Where a rank other than the first runs: its worker, and the meter of its machine.

    python -P -m bench.run.ranks.host LIFELINE CHANNEL BACKEND LOG

It obeys JSON messages on the descriptor CHANNEL: what concerns the meter itself, everything else its worker.
On the conductor's own machine it is no child of the conductor, as it would be none elsewhere, so that a meter
which counts the processes below the conductor does not count it.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from bench import lifeline
from bench.errors import BenchError
from bench.run.meter import Meter
from bench.run.observed import Joules
from bench.run.ranks.messages import AskJoules, End, StartMeter
from bench.run.sources import ChosenMeter
from bench.run.workers.messages import Done, Message, Named, Refusal, Refused
from bench.run.workers.process import WorkerLost, WorkerProcess
from bench.suite import plugins
from bench.typed import from_json, to_json
from energy.base import EnergyError

WORKER = "bench.run.ranks.worker"


class RankHost:
    """A worker and a meter."""

    def __init__(self, backend: str, *, log: Path) -> None:
        self._worker = WorkerProcess(backend, log=log, module=WORKER)
        self._meter: Meter | None = None

    def obey(self, sent: bytes) -> bytes:
        """Do what is asked; what is wrong with the meter is a reply.

        Raises:
            WorkerLost: the worker is gone.
        """
        message = json.loads(sent)
        command = from_json(Named, message).command
        own: dict[type[Message[Any]], Any] = {
            StartMeter: self._start_meter,
            AskJoules: self._joules,
            End: self._end,
        }
        for kind, answer in own.items():
            if kind.command == command:
                try:
                    return _bytes(answer(from_json(kind, message)))
                except (BenchError, EnergyError) as error:
                    return _bytes(Refused(error=Refusal(what=error.what, fix=error.fix)))
        return self._worker.exchange(sent, command=command)

    def stop(self) -> None:
        """End both."""
        if self._meter is not None:
            self._meter.stop()
        self._worker.stop()

    def _start_meter(self, message: StartMeter) -> Done:
        source = plugins.create("energy", message.source, message.options)
        self._meter = Meter(ChosenMeter(source=source, note=f"{message.source}, as rank 0 has it"))
        self._meter.start(message.folder)
        return Done()

    def _joules(self, message: AskJoules) -> Joules:
        assert self._meter is not None, "it was not started"
        joules = self._meter.joules(message.start_s, message.end_s)
        self._meter.check_alive()
        return joules

    def _end(self, _: End) -> Done:
        self.stop()
        return Done()


def _bytes(answer: Any) -> bytes:
    return json.dumps(to_json(answer)).encode()


def _leave_parent() -> None:
    parent = os.getpid()
    if os.fork():
        os._exit(0)
    while os.getppid() == parent:  # Linux would end with it what asks to end with its parent
        time.sleep(0.001)


def _main() -> None:
    alive, channel, backend, log = sys.argv[1:]
    _leave_parent()
    lifeline.watch(int(alive))
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the conductor to act on
    connection, host = Connection(int(channel)), RankHost(backend, log=Path(log))
    while True:
        try:
            connection.send_bytes(host.obey(connection.recv_bytes()))
        except EOFError:
            return host.stop()
        except WorkerLost as error:
            print(error.what, file=sys.stderr)  # the last words of this process
            sys.exit(1)


if __name__ == "__main__":
    _main()
