"""The workers of one session: models loaded, prompts encoded, warmed up; replaced when one is lost."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from itertools import product
from pathlib import Path
from typing import Literal

import psutil

from backends.base import BackendInfo
from backends.guard import Verdict
from bench.errors import RunFailed, UserError
from bench.run.display.plain import Display
from bench.run.observed import NOT_SHOWN, SameLogits
from bench.run.ranks.group import RankedWorker, meter_of_ranks
from bench.run.workers import equal_work
from bench.run.workers.lengths import check_lengths
from bench.run.workers.loading import model_to_load
from bench.run.workers.messages import Encode, Guard, Load, Ready, Resize, Synchronize, Warm
from bench.run.workers.process import WorkerLost, WorkerProcess, WorkerRefused
from bench.suite import libraries
from bench.suite.libraries import about
from bench.suite.memory import check_fits
from bench.suite.prepare import Prepared, without
from energy.base import SourceInfo

_STILL_FASTER = 0.97
"""A request that takes less than this share of the best so far shows that warming up goes on."""


class Workers:
    """Starts the workers, and remembers what they loaded."""

    def __init__(self, prepared: Prepared, *, folder: Path, display: Display) -> None:
        self.prepared = prepared
        self.folder = folder
        self.display = display
        self._working: dict[str, WorkerProcess] = {}
        self._unfit: dict[str, str] = {}
        self.refused: dict[str, str] = {}
        """Why a backend can't do what the suite asks for, by backend; the others go on without it."""
        self.loaded: dict[str, BackendInfo] = {}
        """By `backend/model key`."""
        self.ids: dict[str, dict[str, dict[str, list[int]]]] = {}
        """Token ids by backend, model key and prompt id."""
        self._chat = prepared.chat
        self.chats: dict[str, dict[str, str]] = {}
        """SHA-256 of the chat template that wrote the prompts, by backend and model key."""
        self.gates: dict[str, Verdict] = {}
        """Whether each gate takes effect, by `backend/label`."""
        self._started: list[WorkerProcess] = []

    def start(self, energy: SourceInfo) -> list[SameLogits]:
        """Start a worker per backend, and check that they do equal work; returns how well they agree.

        A backend that can't load what the suite asks for is left out, unless it is the only one.

        Args:
            energy: what this machine is measured with.

        Raises:
            UserError: none can load what the suite asks for, or a prompt does not fit a model's context.
            WorkerLost: one died while it was loading.
            RunFailed: two backends disagree.
        """
        check_fits(self.prepared)
        self._energy = energy
        self.display.stage("loading " + ", ".join(self.prepared.backends), ticking=True)
        try:
            self._working = self._start(self.prepared.backends)
            if self.refused:
                self.prepared = without(self.prepared, self.refused)
            agreements = self._check_equal_work()
            for key in next(iter(self.chats.values())):
                self.display.note(f"{key}: prompts are chats by the model's template; plain text: --no-chat")
            for backend, worker in self._working.items():
                self.display.stage(f"warming up {backend}", ticking=True)
                self._warm_up(worker)
                self._guard(backend, worker)
            if self.prepared.as_published:
                self._start_afresh()
        except WorkerRefused as error:
            raise UserError(error.what, fix=error.fix) from None
        return agreements

    def of(self, backend: str) -> WorkerProcess:
        """The worker of a backend.

        Raises:
            WorkerRefused: it was lost and could not be replaced.
        """
        if backend in self._unfit:
            raise WorkerRefused(self._unfit[backend])
        return self._working[backend]

    def replace(self, backend: str) -> str | None:
        """Start a new worker for one that was lost; returns why there is none, if there is none.

        Raises:
            RunFailed: it was the last.
        """
        self.display.note(f"starting a new {backend} worker")
        try:
            self._working[backend] = self._start((backend,))[backend]
            self._warm_up(self._working[backend])
        except (WorkerLost, WorkerRefused) as error:
            self._unfit[backend] = f"{backend} could not be started again: {error}"
            del self._working[backend]
            if not self._working:
                raise RunFailed(f"no backend is left: {self._unfit[backend]}") from None
        return self._unfit.get(backend)

    def room(self) -> int | None:
        """New tokens for which every prompt leaves room in every model; None where no model has a limit."""
        room = [
            context - max(map(len, prompts.values()))
            for backend, models in self.ids.items()
            for key, prompts in models.items()
            if (context := self.loaded[f"{backend}/{key}"].context) is not None
        ]
        return min(room, default=None)

    def resize(self, prepared: Prepared) -> None:
        """Go on with another length of answers, those of workers that are started later included."""
        self.prepared = prepared
        suite = prepared.suite
        for worker in self._working.values():
            message = Resize(max_new_tokens=suite.generation.max_new_tokens)
            worker.ask(message, deadline_s=suite.protocol.request_deadline_s)

    def synchronize(self) -> None:
        """Wait until no worker has anything left to do."""
        for worker in self._working.values():
            worker.ask(Synchronize(), deadline_s=self.prepared.suite.protocol.request_deadline_s)

    def stop(self) -> None:
        """End every worker that was ever started."""
        for worker in self._started:
            worker.stop()

    def _check_equal_work(self) -> list[SameLogits]:
        """Compare the first backend that gives logits with every other, for every model."""
        if len({self._any("stand_in", backend) for backend in self._working}) > 1:
            raise UserError(
                "a stand-in such as echo can't be compared with a backend that runs a model",
                fix="use --backend",
            )
        shown = [backend for backend in self._working if not self._any("served", backend)]
        if len(shown) < len(self._working):
            self.display.note(f"served: {NOT_SHOWN}")
        first, *others = sorted(shown, key=lambda backend: "logits" in about(backend).lacks) or [""]
        agreements = []
        for key, other in product(self.prepared.models, others):
            pair = equal_work.Pair(
                workers=(self._working[first], self._working[other]),
                model=key,
                info=self.loaded[f"{first}/{key}"],
                config=equal_work.config_in(self.prepared.locate(self.prepared.models[key])),
            )
            ids = self.ids[first][key], self.ids[other][key]
            agreements.append(equal_work.check(pair, ids, free_bytes=psutil.virtual_memory().available))
            self.display.equal_work(agreements[-1])
        return agreements

    def _start(self, backends: Iterable[str]) -> dict[str, WorkerProcess]:
        """Start workers, which load at the same time; those that refuse are noted.

        Raises:
            WorkerRefused: all of them do.
        """
        loads = {backend: self._what_to_load(backend) for backend in backends}
        workers = {}
        for backend, load in loads.items():
            workers[backend] = self._new(backend)
            self._started.append(workers[backend])
            workers[backend].send(load)
        deadline_s = self.prepared.suite.protocol.load_deadline_s

        def loaded_and_encoded(backend: str, worker: WorkerProcess) -> None:
            loaded = worker.receive(loads[backend], deadline_s=deadline_s).loaded
            self.loaded |= {f"{backend}/{key}": info for key, info in loaded.items()}
            self._encode(backend, worker)

        def make_ready(backend: str, worker: WorkerProcess) -> None:
            check_lengths(self.prepared.suite, self.ids[backend], self._contexts(backend))
            worker.ask(Ready(gate_model=self.prepared.baseline_model), deadline_s=deadline_s)

        self._each(workers, loaded_and_encoded)
        self._write_alike(workers)
        self._each(workers, make_ready)
        return workers

    def _new(self, backend: str) -> WorkerProcess:
        suite = self.prepared.suite
        ranks = libraries.ranks(backend, suite.backend_options.get(backend, {}))
        if ranks == 1:
            return WorkerProcess(backend, log=self.folder / f"worker-{backend}.log")
        meter = meter_of_ranks(suite, self._energy)
        seen = "each with a meter" if meter else "all seen by this machine's one meter"
        self.display.note(f"{backend}: {ranks} ranks, {seen}")
        return RankedWorker(backend, ranks=ranks, folder=self.folder, meter=meter)

    def _contexts(self, backend: str) -> dict[str, int | None]:
        """Context of each model by key."""
        return {key: self.loaded[f"{backend}/{key}"].context for key in self.prepared.models}

    def _each(self, workers: dict[str, WorkerProcess], step: Callable[[str, WorkerProcess], None]) -> None:
        """Do a step with every worker; one that refuses is left out, unless it is the last."""
        for backend, worker in list(workers.items()):
            try:
                step(backend, worker)
            except WorkerRefused as error:
                worker.stop()
                del workers[backend]
                if not workers:
                    raise
                self._leave_out(backend, str(error))

    def _encode(self, backend: str, worker: WorkerProcess) -> None:
        asked = Encode(prompts=list(self.prepared.prompts.prompts), chat=self._chat)
        encoded = worker.ask(asked, deadline_s=self.prepared.suite.protocol.load_deadline_s)
        self.ids[backend], self.chats[backend] = encoded.ids, encoded.chats

    def _write_alike(self, workers: Mapping[str, WorkerProcess]) -> None:
        """Prompts are plain text for all backends where one of them can't write the chats of the others."""
        by_backend = {backend: set(self.chats[backend]) for backend in workers}
        can = set.union(*by_backend.values())
        lacking = [backend for backend, keys in by_backend.items() if keys != can]
        if lacking and self._chat is not None and not all(self._any("stand_in", b) for b in lacking):
            keys = ", ".join(sorted(can))
            self.display.note(f"prompts are plain text: {lacking[0]} writes no chats for {keys}")
            self._chat = None
            for backend, worker in workers.items():
                self._encode(backend, worker)

    def _leave_out(self, backend: str, why: str) -> None:
        """The others go on without a backend that can't do what the suite asks for."""
        self.refused[backend] = why
        self.loaded = {key: info for key, info in self.loaded.items() if not key.startswith(f"{backend}/")}
        self.ids.pop(backend, None)
        self.chats.pop(backend, None)

    def _start_afresh(self) -> None:
        """Workers that have answered nothing yet, in place of those that were checked."""
        for worker in self._working.values():
            worker.stop()
        self._working = self._start(self.prepared.backends)

    def _any(self, what: Literal["stand_in", "served"], backend: str) -> bool:
        return any(getattr(info, what) for key, info in self.loaded.items() if key.startswith(f"{backend}/"))

    def prompt_tokens(self) -> dict[str, dict[str, int]]:
        """Tokens of each prompt by model key; the same for all backends that give token ids."""
        first = next((ids for backend, ids in self.ids.items() if not self._any("served", backend)), {})
        return {key: {prompt: len(ids) for prompt, ids in prompts.items()} for key, prompts in first.items()}

    def _guard(self, backend: str, worker: WorkerProcess) -> None:
        """Find out whether the gates take effect, and say so of those that don't."""
        suite = self.prepared.suite
        asked, baseline = Guard(baseline=suite.baseline), suite.baseline
        for label, verdict in worker.ask(asked, deadline_s=suite.protocol.load_deadline_s).gates.items():
            self.gates[f"{backend}/{label}"] = verdict
            if label != baseline and not verdict.effective:
                self.display.note(f"{backend} {label}: {verdict.outcome}, {verdict.reason}")

    def _warm_up(self, worker: WorkerProcess) -> None:
        """Repeat a request with every model until it stops getting faster, or for its part of `warm_up_s`."""
        limit_s = self.prepared.suite.protocol.warm_up_s / len(self.prepared.models)
        for key in self.prepared.models:
            self._warm_up_model(worker, key, until_s=time.perf_counter() + limit_s)

    def _warm_up_model(self, worker: WorkerProcess, key: str, *, until_s: float) -> None:
        prompt = self.prepared.prompts.prompts[0].id
        best_s, improving = float("inf"), True
        while improving and time.perf_counter() < until_s:
            deadline_s = self.prepared.suite.protocol.request_deadline_s
            took_s = worker.ask(Warm(model=key, prompt_id=prompt), deadline_s=deadline_s).seconds_s
            improving = took_s < _STILL_FASTER * best_s
            best_s = min(best_s, took_s)

    def _what_to_load(self, backend: str) -> Load:
        suite = self.prepared.suite
        return Load(
            models={key: model_to_load(self.prepared, key, backend) for key in self.prepared.models},
            gates=dict(suite.gates),
            **suite.generation.model_dump(),
        )
