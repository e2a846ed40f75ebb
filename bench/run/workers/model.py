"""A model in a process of its own that answers questions instead of serving slots, until it is closed."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from backends.cut import Cut
from bench.errors import RunFailed, UserError
from bench.run.workers.logits import LogitComparison
from bench.run.workers.process import WorkerLost, WorkerProcess, WorkerRefused
from bench.suite import libraries
from bench.suite.models import LocalModel, locate
from bench.suite.prompt_forms import Prompt

LOAD_DEADLINE_S = 1800.0
ASK_DEADLINE_S = 1800.0
STUDY_WORKER = "bench.studies.worker"
"""A worker that knows about points of a spectral study and steps of an isolation."""
LOG = "worker.log"


@dataclass(frozen=True)
class ModelWorker:
    """A worker with loaded models."""

    process: WorkerProcess
    info: dict[str, Any]
    """BackendInfo by model key."""

    def ask(self, command: str, **message: Any) -> dict[str, Any]:
        """Send a message and wait for its reply.

        Raises:
            UserError: the model can't do what was asked.
            RunFailed: the process died or hung.
        """
        return _ask(self.process, command, deadline_s=ASK_DEADLINE_S, **message)

    def encode(self, prompts: Sequence[Prompt], *, model: str) -> dict[str, list[int]]:
        """Token ids by prompt id, by the tokenizer of `model`."""
        reply = self.ask("encode", prompts=[prompt.to_encode() for prompt in prompts])
        return dict(reply["ids"][model])

    def encode_text(self, text: str, *, model: str) -> list[int]:
        """Token ids of a text."""
        return self.encode([Prompt(id="text", text=text)], model=model)["text"]

    def compare(
        self, ids: list[int], cuts: Sequence[Cut], *, model: str, first: int
    ) -> list[LogitComparison]:
        """Logits under each cut beside those without, from position `first` on."""
        messages = [cut.model_dump(mode="json", exclude_defaults=True) for cut in cuts]
        reply = self.ask("compare", model=model, ids=ids, cuts=messages, first=first)
        return [LogitComparison(**one) for one in reply["comparisons"]]


@contextmanager
def model_worker(
    backend: str,
    models: dict[str, dict[str, Any]],
    *,
    gates: dict[str, dict[str, Any]] | None = None,
    max_new_tokens: int = 1,
    module: str = "bench.run.workers.worker",
) -> Iterator[ModelWorker]:
    """Start a worker and load models; no process is left afterwards.

    Args:
        backend: plugin name.
        models: key -> options of the backend's factory, `folder` among them.
        gates: label -> plugin and options, for requests.
        max_new_tokens: of a request.
        module: what the process runs.

    Raises:
        UserError: the backend can't load a model.
    """
    load = {"models": models, "gates": gates or {}, "max_new_tokens": max_new_tokens, "ignore_eos": False}
    with tempfile.TemporaryDirectory(prefix="joulebench-") as scratch:
        process = WorkerProcess(backend, log=Path(scratch) / LOG, module=module)
        try:
            yield ModelWorker(process, _ask(process, "load", deadline_s=LOAD_DEADLINE_S, **load)["loaded"])
        finally:
            process.stop()


def model_here(name: str, *, backend: str) -> LocalModel:
    """The model on this machine, in a form that a backend reads.

    Raises:
        UserError: it is not here.
    """
    found = locate(name, weight_files=libraries.weight_files([backend]))
    if found is None:
        raise UserError(f"the model {name!r} is not here", fix=f"run: bench models fetch {name}")
    return found


def _ask(process: WorkerProcess, command: str, *, deadline_s: float, **message: Any) -> dict[str, Any]:
    try:
        return process.ask(command, deadline_s=deadline_s, **message)
    except WorkerRefused as error:
        raise UserError(error.what, fix=error.fix) from None
    except WorkerLost as error:
        raise RunFailed(error.what) from None  # its log does not outlive the process
