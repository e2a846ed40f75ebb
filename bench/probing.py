"""The conductor's side of the prober: one model in a process of its own, asked until it is closed."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.crew import WorkerLost, WorkerProcess, WorkerRefused
from bench.errors import RunFailed, UserError
from bench.models import LocalModel, locate

LOAD_DEADLINE_S = 1800.0
ASK_DEADLINE_S = 600.0
LOG = "prober.log"


@dataclass(frozen=True)
class Asker:
    """A loaded prober."""

    process: WorkerProcess
    info: dict[str, Any]
    """BackendInfo by model key."""

    def ask(self, command: str, *, deadline_s: float = ASK_DEADLINE_S, **message: Any) -> dict[str, Any]:
        """Send a message and wait for its reply.

        Raises:
            RunFailed: the process died, hung, or can't do it.
        """
        try:
            return self.process.ask(command, deadline_s=deadline_s, **message)
        except (WorkerLost, WorkerRefused) as error:
            raise RunFailed(_told(error)) from None


@contextmanager
def prober(backend: str, models: dict[str, dict[str, Any]]) -> Iterator[Asker]:
    """Start a prober and load models; no process is left afterwards.

    Args:
        backend: plugin name.
        models: key -> options of the backend's factory, `folder` among them.

    Raises:
        UserError: the backend can't load a model.
    """
    with tempfile.TemporaryDirectory(prefix="joulebench-") as scratch:
        process = WorkerProcess(backend, log=Path(scratch) / LOG, module="bench.prober")
        try:
            yield Asker(process, _load(process, models))
        finally:
            process.stop()


def model_here(name: str, revision: str | None = None) -> LocalModel:
    """The model on this machine.

    Raises:
        UserError: it is not here.
    """
    found = locate(name, revision)
    if found is None:
        raise UserError(f"the model {name!r} is not here; run: bench models fetch {name}")
    return found


def _load(process: WorkerProcess, models: dict[str, dict[str, Any]]) -> dict[str, Any]:
    message = {"models": models, "gates": {}, "max_new_tokens": 1, "ignore_eos": True}
    try:
        loaded = process.ask("load", deadline_s=LOAD_DEADLINE_S, **message)["loaded"]
    except (WorkerLost, WorkerRefused) as error:
        raise UserError(_told(error)) from None
    return dict(loaded)


def _told(error: Exception) -> str:
    """What happened, without the name of the log, which does not outlive the prober."""
    return str(error).replace(f"see {LOG}: ", "").replace(f"; see {LOG}", "")
