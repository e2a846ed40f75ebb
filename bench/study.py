"""Questions to a loaded model that need no clock: logits with and without a cut, and redundancy.

The model runs in a worker of its own, which is asked until it is closed. What is big stays there: the
logits of a window of 1024 tokens are 200 MB, what is made of them fits in a line.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from backends.base import Backend
from backends.cut import Cut
from backends.loop import log_probabilities
from bench.crew import WorkerLost, WorkerProcess, WorkerRefused
from bench.errors import RunFailed, UserError

LOAD_DEADLINE_S = 1800.0
ASK_DEADLINE_S = 1800.0
ROWS_AT_ONCE = 64
"""Positions that are compared at a time, in float64 over the whole vocabulary."""


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """Teacher-forced logits under a cut beside those without it, over the same positions."""

    log_probabilities: list[float]
    """Natural log-probability of each following token."""
    ungated: list[float]
    """The same without the cut."""
    kl: float
    """Mean of KL(ungated || cut) in nats."""
    top1: float
    """Share of positions with the same most likely token."""
    same: bool
    """Whether not one number differs: the same was computed."""


@dataclass(frozen=True)
class Asker:
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

    def encode(self, prompts: Sequence[tuple[str, str]], *, model: str) -> dict[str, list[int]]:
        """Token ids by prompt id of pairs (id, text), by the tokenizer of `model`."""
        reply = self.ask("encode", prompts=[{"id": name, "text": text} for name, text in prompts])
        return dict(reply["ids"][model])

    def compare(self, ids: list[int], cuts: Sequence[Cut], *, model: str, first: int) -> list[Comparison]:
        """Logits under each cut beside those without, from position `first` on."""
        messages = [cut.model_dump(mode="json", exclude_defaults=True) for cut in cuts]
        reply = self.ask("compare", model=model, ids=ids, cuts=messages, first=first)
        return [Comparison(**one) for one in reply["comparisons"]]


@contextmanager
def asking(
    backend: str,
    models: dict[str, dict[str, Any]],
    *,
    gates: dict[str, dict[str, Any]] | None = None,
    max_new_tokens: int = 1,
) -> Iterator[Asker]:
    """Start a worker and load models; no process is left afterwards.

    Args:
        backend: plugin name.
        models: key -> options of the backend's factory, `folder` among them.
        gates: label -> plugin and options, for requests.
        max_new_tokens: of a request.

    Raises:
        UserError: the backend can't load a model.
    """
    load = {"models": models, "gates": gates or {}, "max_new_tokens": max_new_tokens, "ignore_eos": False}
    with tempfile.TemporaryDirectory(prefix="joulebench-") as scratch:
        process = WorkerProcess(backend, log=Path(scratch) / "worker.log")
        try:
            yield Asker(process, _ask(process, "load", deadline_s=LOAD_DEADLINE_S, **load)["loaded"])
        finally:
            process.stop()


def compare(model: Backend, ids: list[int], cuts: Sequence[Cut], *, first: int) -> list[Comparison]:
    """Logits under each cut beside those without; runs in the worker.

    Args:
        model: a loaded model.
        ids: token ids.
        cuts: what is left out in turn.
        first: position from which on the logits are compared; the last one predicts nothing known.
    """
    rest = ids[first:]
    ungated = model.logits(ids)[first:]
    return [_compare(model.logits(ids, cut)[first:], ungated, rest) for cut in cuts]


def _compare(logits: NDArray[np.float32], ungated: NDArray[np.float32], ids: list[int]) -> Comparison:
    from analysis.quality import logit_agreement

    kl = top1 = 0.0
    for begin in range(0, len(ids) - 1, ROWS_AT_ONCE):
        rows = slice(begin, min(begin + ROWS_AT_ONCE, len(ids) - 1))
        found = logit_agreement(logits[rows], ungated[rows])
        share = (rows.stop - rows.start) / (len(ids) - 1)
        kl, top1 = kl + share * found.kl, top1 + share * found.top1
    return Comparison(
        log_probabilities=_log_probabilities(logits, ids),
        ungated=_log_probabilities(ungated, ids),
        kl=max(kl, 0.0),  # rounding can leave a zero below zero
        top1=top1,
        same=bool(np.array_equal(logits, ungated)),
    )


def _log_probabilities(logits: NDArray[np.float32], ids: list[int]) -> list[float]:
    found: list[float] = []
    for begin in range(0, len(ids) - 1, ROWS_AT_ONCE):
        rows = slice(begin, begin + ROWS_AT_ONCE + 1)
        found += log_probabilities(logits[rows], ids[rows]).tolist()
    return found


def _ask(process: WorkerProcess, command: str, *, deadline_s: float, **message: Any) -> dict[str, Any]:
    try:
        return process.ask(command, deadline_s=deadline_s, **message)
    except WorkerRefused as error:
        raise UserError(str(error)) from None
    except WorkerLost as error:
        raise RunFailed(str(error)) from None
