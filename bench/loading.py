"""Workers with their models loaded, prompts encoded and warmed up, ready for the first slot."""

from __future__ import annotations

import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from bench.crew import WorkerProcess
from bench.errors import UserError
from bench.prepare import Prepared, make_gates

_STILL_FASTER = 0.97
"""A request that takes less than this share of the best so far shows that warming up goes on."""


class Loader:
    """Starts workers, and remembers what they loaded."""

    def __init__(self, prepared: Prepared, *, folder: Path) -> None:
        self.prepared = prepared
        self.folder = folder
        self.loaded: dict[str, dict[str, Any]] = {}
        """BackendInfo by `backend/model key`."""
        self.ids: dict[str, dict[str, dict[str, list[int]]]] = {}
        """Token ids by backend, model key and prompt id."""
        self._started: list[WorkerProcess] = []

    def start(self, backends: Iterable[str]) -> dict[str, WorkerProcess]:
        """Start a worker per backend; they load at the same time.

        Raises:
            WorkerLost, WorkerRefused: one could not load.
            UserError: a prompt does not fit a model's context.
        """
        workers = {}
        for backend in backends:
            workers[backend] = WorkerProcess(backend, log=self.folder / f"worker-{backend}.log")
            self._started.append(workers[backend])
            workers[backend].send("load", **self._what_to_load(backend))
        deadline_s = self.prepared.suite.protocol.load_deadline_s
        for backend, worker in workers.items():
            reply = worker.receive("load", deadline_s=deadline_s)
            self.loaded |= {f"{backend}/{key}": info for key, info in reply["loaded"].items()}
            prompts = [{"id": p.id, "text": p.text} for p in self.prepared.prompts.prompts]
            self.ids[backend] = worker.ask("encode", deadline_s=deadline_s, prompts=prompts)["ids"]
            self._check_lengths(backend)
        return workers

    def alive(self) -> list[WorkerProcess]:
        """Every worker that was ever started; stopping one that is gone is harmless."""
        return self._started

    def is_stand_in(self, backend: str) -> bool:
        """Whether a backend runs no model."""
        return any(info["stand_in"] for key, info in self.loaded.items() if key.startswith(f"{backend}/"))

    def prompt_tokens(self) -> dict[str, dict[str, int]]:
        """Tokens of each prompt by model key; the same for all backends, or the run was refused."""
        first = next(iter(self.ids.values()))
        return {key: {prompt: len(ids) for prompt, ids in prompts.items()} for key, prompts in first.items()}

    def warm_up(self, worker: WorkerProcess) -> None:
        """Repeat a request with every model until it stops getting faster, or for `warm_up_s`."""
        limit_s = self.prepared.suite.protocol.warm_up_s
        for key in self.prepared.models:
            self._warm_up_model(worker, key, until_s=time.perf_counter() + limit_s)

    def _warm_up_model(self, worker: WorkerProcess, key: str, *, until_s: float) -> None:
        prompt = self.prepared.prompts.prompts[0].id
        best_s, improving = float("inf"), True
        while improving and time.perf_counter() < until_s:
            deadline_s = self.prepared.suite.protocol.request_deadline_s
            reply = worker.ask("warm", deadline_s=deadline_s, model=key, prompt_id=prompt)
            improving = reply["seconds_s"] < _STILL_FASTER * best_s
            best_s = min(best_s, reply["seconds_s"])

    def _what_to_load(self, backend: str) -> dict[str, Any]:
        suite = self.prepared.suite
        models = {}
        for key, model in self.prepared.models.items():
            found = self.prepared.locate(model)
            if found is None:
                raise UserError(f"the model {model.name!r} is not here; run: bench models fetch {model.name}")
            folder = str(found.folder) if found.folder else None
            models[key] = {"folder": folder, "dtype": model.dtype, "layers": model.layers}
            models[key] |= suite.backend_options.get(backend, {})
        return {
            "models": models,
            "gates": {label: {"plugin": g.plugin, "options": g.options} for label, g in suite.gates.items()},
            "max_new_tokens": suite.generation.max_new_tokens,
            "ignore_eos": suite.generation.ignore_eos,
        }

    def _check_lengths(self, backend: str) -> None:
        """Every prompt must leave room for what it may generate, in every model it may be sent to."""
        suite = self.prepared.suite
        budgets = {budget for gate in make_gates(suite).values() for budget in gate.budgets}
        for budget in budgets:
            context = self.loaded[f"{backend}/{budget.model}"]["context"]
            new_tokens = budget.max_new_tokens or suite.generation.max_new_tokens
            for prompt, ids in self.ids[backend][budget.model].items():
                if context is not None and len(ids) + new_tokens > context:
                    raise UserError(
                        f"prompt {prompt!r} has {len(ids)} tokens; with {new_tokens} new ones it exceeds the "
                        f"context of {budget.model!r}, {context}: shorten it or lower max_new_tokens"
                    )
