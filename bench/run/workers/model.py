"""A model in a process of its own that answers questions instead of serving slots, until it is closed."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from backends.base import BackendInfo
from backends.cut import Cut
from bench.errors import RunFailed, UserError
from bench.run.workers.logits import LogitComparison
from bench.run.workers.messages import CompareLogits, Encode, Load, Message
from bench.run.workers.process import WorkerLost, WorkerProcess, WorkerRefused
from bench.suite import libraries
from bench.suite.models import LocalModel, locate
from bench.suite.prompt_forms import Chat, Prompt

A = TypeVar("A")

LOAD_DEADLINE_S = 1800.0
ASK_DEADLINE_S = 1800.0
STUDY_WORKER = "bench.studies.question_worker"
"""A worker that knows about points of a spectral study and steps of an isolation."""
LOG = "worker.log"


@dataclass(frozen=True)
class ModelWorker:
    """A worker with loaded models."""

    process: WorkerProcess
    info: dict[str, BackendInfo]
    """By model key."""

    def ask(self, message: Message[A]) -> A:
        """Send a message and wait for its reply.

        Raises:
            UserError: the model can't do what was asked.
            RunFailed: the process died or hung.
        """
        return _ask(self.process, message, deadline_s=ASK_DEADLINE_S)

    def encode(
        self, prompts: Sequence[Prompt], *, model: str, chat: Chat | None = None
    ) -> dict[str, list[int]]:
        """Token ids by prompt id, by the tokenizer of `model`; None: plain text."""
        return self.ask(Encode(prompts=list(prompts), chat=chat)).ids[model]

    def encode_text(self, text: str, *, model: str) -> list[int]:
        """Token ids of a text."""
        return self.encode([Prompt(id="text", text=text)], model=model)["text"]

    def compare(
        self, ids: list[int], cuts: Sequence[Cut], *, model: str, first: int
    ) -> list[LogitComparison]:
        """Logits under each cut beside those without, from position `first` on."""
        return self.ask(CompareLogits(model=model, ids=ids, cuts=list(cuts), first=first)).comparisons


@contextmanager
def model_worker(
    backend: str, load: Load, *, module: str = "bench.run.workers.worker"
) -> Iterator[ModelWorker]:
    """Start a worker and load models; no process is left afterwards.

    Args:
        backend: plugin name.
        load: models, and gates for requests.
        module: what the process runs.

    Raises:
        UserError: the backend can't load a model.
    """
    with tempfile.TemporaryDirectory(prefix="joulebench-") as scratch:
        process = WorkerProcess(backend, log=Path(scratch) / LOG, module=module)
        try:
            yield ModelWorker(process, _ask(process, load, deadline_s=LOAD_DEADLINE_S).loaded)
        finally:
            process.stop()


def model_here(name: str, *, backend: str) -> LocalModel:
    """The model on this machine, in a form that a backend reads.

    Raises:
        UserError: it is not here.
    """
    here = locate(name, weight_files=libraries.weight_files([backend]))
    if here is None:
        raise UserError(f"the model {name!r} is not here", fix=f"run: bench models fetch {name}")
    return here


def _ask(process: WorkerProcess, message: Message[A], *, deadline_s: float) -> A:
    try:
        return process.ask(message, deadline_s=deadline_s)
    except WorkerRefused as error:
        raise UserError(error.what, fix=error.fix) from None
    except WorkerLost as error:
        raise RunFailed(error.what) from None  # its log does not outlive the process
