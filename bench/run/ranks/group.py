"""The worker of a backend whose models are split: rank 0, which the others follow.

As under `mlx.launch` every rank is asked the same and does its part; rank 0 answers for all. What the others
answer is held against it, and they close each window on their own clock, right after the same barrier.
"""

from __future__ import annotations

import json
import socket
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from multiprocessing.connection import wait
from pathlib import Path
from typing import Any, TypeVar

from bench.errors import RunFailed
from bench.run.observed import Answered, RankWindow
from bench.run.ranks.host import WORKER
from bench.run.ranks.messages import AskJoules, End, StartMeter, TimeBarriers
from bench.run.workers.messages import Load, Message, Ready, Synchronized
from bench.run.workers.process import WorkerLost, WorkerProcess, WorkerRefused
from bench.suite.config import Suite
from energy.base import SourceInfo

A = TypeVar("A")

BARRIERS = 200
"""Passed before the first slot, to know how far apart they let the ranks go."""
_METER_DEADLINE_S = 60.0
_GRACE_S = 5.0
"""How long the other ranks may take once one has refused, or is gone."""


@dataclass(frozen=True, kw_only=True)
class RankMeter:
    """The energy source of every rank but the first."""

    source: str
    options: dict[str, Any] = field(default_factory=dict)


def meter_of_ranks(suite: Suite, energy: SourceInfo) -> RankMeter | None:
    """What every other rank on this machine is measured with; None where the machine's own meter sees it.

    A real meter sees the whole machine, so a second one would count it twice. What goes by the processes
    below it stands for a machine of its own.
    """
    if energy.kind not in ("simulated", "modelled"):
        return None
    asked = suite.energy
    return RankMeter(source=energy.name, options=asked.options if asked.source == energy.name else {})


def agree(answers: Sequence[Any]) -> bool:
    """Whether all ranks say the same tokens, where they answer a request: each holds all logits."""
    return len({tuple(one.tokens) for one in answers if isinstance(one, Answered)}) <= 1


class RankProcess(WorkerProcess):
    """A rank other than the first, with its meter beside it (`bench.run.ranks.host`)."""

    def __init__(self, backend: str, *, rank: int, log: Path, env: dict[str, str]) -> None:
        self.rank, self._worker_log = rank, log
        super().__init__(backend, log=log, env=env)

    def _command(self, alive: int, channel: int) -> list[str]:
        arguments = (str(alive), str(channel), self.backend, str(self._worker_log))
        return [sys.executable, "-P", "-m", "bench.run.ranks.host", *arguments]

    def stop(self) -> None:
        """Let it end by itself, or end it."""
        with suppress(WorkerLost, WorkerRefused):
            self.ask(End(), deadline_s=_GRACE_S)
        self.kill()

    def kill(self) -> None:
        """End it now: it does when nobody holds its lifeline."""
        self._process.wait()
        self._close()

    def _lost(self, command: str) -> WorkerLost:
        self.kill()
        said = f"rank {self.rank} of {self.backend} is gone during {command!r}"
        return WorkerLost(f"{said}{self._last_words()}", backend=self.backend, fix=f"see {self._log.name}")


class RankedWorker(WorkerProcess):
    """Rank 0 of a backend, and through it all ranks.

    Args:
        backend: name.
        ranks: how many, this one included.
        folder: of the session.
        meter: of every other rank; None where this machine's one meter sees them all.
    """

    def __init__(self, backend: str, *, ranks: int, folder: Path, meter: RankMeter | None) -> None:
        file = _fresh(folder, f"{backend}-hosts", ".json")
        file.write_text(json.dumps([[f"127.0.0.1:{port}"] for port in _free_ports(ranks)]))
        env = {"MLX_HOSTFILE": str(file.resolve())}
        log = folder / f"worker-{backend}.log"
        super().__init__(backend, log=log, module=WORKER, env=env | {"MLX_RANK": "0"})
        self._folder, self._meter, self._skew_s = folder, meter, 0.0
        self._meters: dict[int, str] = {}
        self._others = [self._other(rank, env) for rank in range(1, ranks)]

    def _other(self, rank: int, env: dict[str, str]) -> RankProcess:
        log = self._log.with_stem(f"{self._log.stem}-rank{rank}")
        return RankProcess(self.backend, rank=rank, log=log, env=env | {"MLX_RANK": str(rank)})

    def send(self, message: Message[Any]) -> None:
        """Send a message to every rank; the meters run before the models are loaded."""
        if isinstance(message, Load) and self._meter is not None:
            self._start_meters(self._meter)
        super().send(message)
        for other in self._others:
            other.send(message)

    def receive(self, message: Message[A], *, deadline_s: float) -> A:
        """Wait for the replies of all ranks, and return that of rank 0.

        Raises:
            WorkerLost: one is gone, gave no answer, or answered otherwise; all have been ended.
            WorkerRefused: they can't do what they were asked.
        """
        first, *others = answers = self._answers(message, deadline_s=deadline_s)
        if isinstance(first, Synchronized):
            first = replace(first, others=[one.now_s for one in others if isinstance(one, Synchronized)])
        if not agree(answers):
            self.kill()
            raise WorkerLost(f"the ranks of {self.backend} gave different tokens", backend=self.backend)
        if isinstance(message, Ready):
            barriers = TimeBarriers(count=BARRIERS)
            super().send(barriers)
            for other in self._others:
                other.send(barriers)
            timed = self._answers(barriers, deadline_s=deadline_s)
            self._skew_s = max(one.longest_s for one in timed) / 2
        return first

    def elsewhere(self, start: Synchronized, end: Synchronized) -> list[RankWindow]:
        """The joules of every other rank between two barriers, each on its own clock.

        Raises:
            RunFailed: the meter of one gives no readings any more.
        """
        windows = []
        for other, start_s, end_s in zip(self._others, start.others, end.others, strict=True):
            if other.rank not in self._meters:
                continue
            try:
                joules = other.ask(AskJoules(start_s=start_s, end_s=end_s), deadline_s=_METER_DEADLINE_S)
            except WorkerRefused as error:
                raise RunFailed(f"rank {other.rank} of {self.backend}: {error.what}") from None
            window = RankWindow(
                rank=other.rank,
                start_s=start_s,
                end_s=end_s,
                skew_s=self._skew_s,
                meter=self._meters[other.rank],
                joules=joules,
            )
            windows.append(window)
        return windows

    def stop(self) -> None:
        """Let all end by themselves, or end them."""
        for other in self._others:
            other.stop()
        super().stop()

    def kill(self) -> None:
        """End all now."""
        for other in self._others:
            other.kill()
        super().kill()

    def _start_meters(self, meter: RankMeter) -> None:
        for other in self._others:
            folder = _fresh(self._folder, f"{self.backend}-rank{other.rank}")
            self._meters[other.rank] = folder.name
            asked = StartMeter(source=meter.source, folder=folder.resolve(), options=meter.options)
            try:
                other.ask(asked, deadline_s=_METER_DEADLINE_S)
            except WorkerRefused as error:
                raise WorkerRefused(f"the meter of rank {other.rank}: {error.what}", fix=error.fix) from None

    def _answers(self, message: Message[A], *, deadline_s: float) -> list[A]:
        """Of all ranks, in their order. Once one has failed, the rest have little time."""
        waiting: dict[Any, tuple[int, Callable[..., A]]] = {self.connection: (0, super().receive)}
        waiting |= {other.connection: (other.rank, other.receive) for other in self._others}
        answers: dict[int, A] = {}
        failed: list[WorkerLost | WorkerRefused] = []
        until_s = time.perf_counter() + deadline_s
        while waiting:
            left_s = until_s - time.perf_counter()
            ready = wait(list(waiting), timeout=max(0.0, left_s))
            if not ready:
                break
            for connection in ready:
                rank, receive = waiting.pop(connection)
                try:
                    answers[rank] = receive(message, deadline_s=deadline_s)
                except (WorkerLost, WorkerRefused) as error:
                    failed.append(error)
                    until_s = min(until_s, time.perf_counter() + _GRACE_S)
        lost = [str(error) for error in failed if isinstance(error, WorkerLost)]
        if waiting or lost:  # one that is gone takes others with it, and is not always seen first
            self.kill()
            silent = ", ".join(str(rank) for rank, _ in waiting.values())
            said = f"rank {silent} of {self.backend} gave no answer to {message.command!r}"
            raise WorkerLost("; ".join(lost) or said, backend=self.backend)
        if failed:
            raise failed[0]
        return [answers[rank] for rank in sorted(answers)]


def _free_ports(count: int) -> list[int]:
    """Ports of this machine that nobody listens on."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


def _fresh(folder: Path, name: str, suffix: str = "") -> Path:
    """A path in a folder that is not taken: a worker that was lost has left its own."""
    taken = sum(1 for _ in folder.glob(f"{name}*{suffix}"))
    return folder / (f"{name}-{taken + 1}{suffix}" if taken else f"{name}{suffix}")
