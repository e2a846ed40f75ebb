"""Runs without what takes long to start or waits for the machine, for tests whose point is neither.

A worker obeys in this process, by the same JSON. The model of this machine has a reading for every interval
whenever somebody looks: no thread has to be woken for one, so a busy machine leaves none out. And a report
draws no figures.
"""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

import pytest

from bench.report.page import make
from bench.run.workers import group, model
from bench.run.workers.process import WorkerRefused
from bench.run.workers.worker import Worker
from bench.studies.question_worker import StudyWorker
from bench.typed import from_json, to_json
from energy import modelled as product
from energy.base import SourceInfo, Trace
from energy.modelled import ModelledSource
from energy.recording import Header, Recording, Stamp
from tests.bench.processes import Done, bench
from tests.bench.report.page.stubs import nothing

QUICK: dict[str, Any] = {
    "protocol__min_window_s": 0.06,
    "protocol__idle_s": 0.05,
    "protocol__warm_up_s": 0.02,
    "energy": {"source": "modelled", "interval_ms": 3},
}
"""Lengths for `write_suite` of which each holds two dozen readings."""


MOST_AT_ONCE = 60
"""Readings between two looks; where more intervals have passed, each is longer."""


class WorkerHere:
    """A worker that obeys in this process."""

    worked_s = 0.0
    """CPU seconds of this process within all of them."""

    def __init__(self, backend: str, *, log: Path, module: str = Worker.__module__) -> None:
        self.backend, self.pid = backend, os.getpid()
        self.worker = {Worker.__module__: Worker, StudyWorker.__module__: StudyWorker}[module](backend)
        self._reply: dict[str, Any] = {}

    @classmethod
    def count(cls, cpu_s: float) -> None:
        """Work that a stand-in would do."""
        cls.worked_s += cpu_s

    def ask(self, message: Any, *, deadline_s: float) -> Any:
        self.send(message)
        return self.receive(message, deadline_s=deadline_s)

    def send(self, message: Any) -> None:
        ReadWhenAsked.look_at_all()
        begin_s = time.process_time()
        sent = json.loads(json.dumps({"command": message.command, **to_json(message)}))
        self._reply = json.loads(json.dumps(self.worker.obey(sent)))
        WorkerHere.worked_s += time.process_time() - begin_s
        ReadWhenAsked.look_at_all()

    def receive(self, message: Any, *, deadline_s: float) -> Any:
        if error := self._reply.get("error"):
            raise WorkerRefused(error["what"], fix=error["fix"])
        return from_json(message.answer(), self._reply)

    def elsewhere(self, start: Any, end: Any) -> list[Any]:
        return []

    def stop(self) -> None:
        for loaded in self.worker.models.values():
            loaded.close()

    kill = stop


class ReadWhenAsked(ModelledSource):
    """Joules of the workers here, looked at before and after each of their answers, and when somebody asks.

    What they used between two looks is spread over the readings between them.
    """

    running: ClassVar[list[ReadWhenAsked]] = []

    def __init__(self, info: SourceInfo, *, idle_w: float, watts_per_core: float, most: int) -> None:
        def counter() -> dict[str, float | None]:
            return {"cpu": idle_w * time.perf_counter() + watts_per_core * WorkerHere.worked_s}

        super().__init__(info, counter, [])
        self._most, self._lock = most, threading.Lock()
        self._recording: Recording | None = None

    def start(self, folder: Path) -> None:
        from energy.decode import RecordingDecoder

        self._recording = Recording(folder, Header("readings", self.info))
        self._recording.event("started", "")
        self._decoder = RecordingDecoder(folder)
        self._last, self._at = self._read(), Stamp.now()
        self.running.append(self)

    def wait(self, until_s: float, *, timeout_s: float) -> bool:
        self._look()
        while self._before_s < until_s:
            time.sleep(self.info.interval_s)
            self._look()
        return True

    def trace(self) -> Trace:
        self._look()
        return super().trace()

    def stop(self) -> None:
        if self._recording is not None:
            self.running.remove(self)
            self._recording.event("stopped", "asked to")
            self._recording.close()
            self._recording = None

    @classmethod
    def look_at_all(cls) -> None:
        for source in cls.running:
            source._look()

    def _look(self) -> None:
        with self._lock:
            if self._recording is None:
                return
            at, last = Stamp.now(), self._read()
            count = min(int((at.harness_s - self._at.harness_s) / self.info.interval_s), self._most)
            for n in range(1, count + 1):
                end = Stamp(*(a + (b - a) * n / count for a, b in zip(self._at, at, strict=True)))
                joules = {rail: (last[rail] - self._last[rail]) / count for rail in last}
                self._recording.reading((at.harness_s - self._at.harness_s) / count, joules, end)
                self._before_s, self._read_s = self._read_s, end.harness_s
            if count:
                self._last, self._at = last, at


@contextmanager
def at_hand(*, most: int = MOST_AT_ONCE) -> Iterator[None]:
    """All of it, for as long as this is open."""

    def modelled(
        *, idle_w: float = 2.0, watts_per_core: float = 4.0, interval_ms: int = 100, own_process: bool = False
    ) -> ModelledSource:
        real = MODELLED(idle_w=idle_w, watts_per_core=watts_per_core, interval_ms=interval_ms)
        return ReadWhenAsked(real.info, idle_w=idle_w, watts_per_core=watts_per_core, most=most)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(product, "modelled", modelled)
        patch.setattr(make, "write_page", partial(make.write_page, drawings=nothing))
        for module in (group, model):
            patch.setattr(module, "WorkerProcess", WorkerHere)
        yield


MODELLED = product.modelled


def quick(*arguments: str, cwd: Path, **options: Any) -> Done:
    """`bench` with workers in this process; an energy source other than the model sees nothing of them."""
    with at_hand():
        return bench(*arguments, cwd=cwd, **options)
