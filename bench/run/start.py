"""What a command asks for, put together: a suite made ready, its meter, its models, and the run itself."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from bench.errors import UserError
from bench.run import host, run, sources, store
from bench.run.display.plain import Display
from bench.run.fetch import ensure
from bench.run.sources import Meter
from bench.suite import prepare
from bench.suite.config import find_suite
from bench.suite.prepare import Prepared


def prepared(
    suite: str, *, energy: str | None, backends: list[str] | None, blocks: int | None
) -> tuple[Prepared, dict[str, Any]]:
    """A suite ready to run, and the part of run.json that says what was asked for."""
    found = prepare.prepare(find_suite(suite), backends=backends, blocks=blocks)
    stated = found.suite.energy
    source = {
        "source": stated.source,
        "options": stated.options,
        "cross_check": list(stated.cross_check),
    }
    if energy is not None and energy != stated.source:
        source = {"source": energy, "options": {}, "cross_check": []}
    header = {
        "suite": {
            "name": found.suite.name,
            "path": str(found.file.resolve()),
            "sha256": found.sha256,
            "text": found.text,
        },
        "overrides": {"backends": backends, "blocks": blocks},
        "energy": source,
        "backends": list(found.backends),
        "baseline": found.suite.baseline,
        "threshold": found.suite.protocol.threshold,
        "gates": list(found.suite.gates),
        "prompts": {
            "file": found.prompts.file.name,
            "sha256": found.prompts.sha256,
            "ids": [prompt.id for prompt in found.prompts.prompts],
        },
    }
    return found, header


def prepared_again(folder: Path) -> tuple[Prepared, dict[str, Any]]:
    """The suite of a run that was cut short.

    Raises:
        UserError: nothing is left to run, or something it needs has changed.
    """
    stored = store.read(folder)
    found = prepare.prepare_again(stored.header)
    if len(stored.finished_blocks) == len(found.blocks):
        raise UserError(
            f"{folder} is complete: nothing to resume", fix=f"look at it with: bench report {folder}"
        )
    return found, stored.header


def choose_meter(header: dict[str, Any]) -> Meter:
    """The energy source that a run asks for."""
    asked = header["energy"]
    return sources.choose(asked["source"], asked["options"], cross_check=asked["cross_check"])


def fetch_models(found: Prepared, *, progress: Callable[[str, int | None, int | None], None]) -> None:
    """Bring every model that is missing onto this machine."""
    for model in found.models.values():
        ensure(model.name, model.revision, progress=progress, weight_files=found.weight_files)


def run_or_resume(
    found: Prepared,
    header: dict[str, Any],
    chosen: Meter,
    *,
    out: Path,
    resume_from: Path | None,
    display: Display,
) -> Path:
    """Start a new run, or go on with one whose models are still the same."""
    models = {key: _model_record(found, key) for key in found.models}
    if resume_from is None:
        full = {**header, "models": models, **host.facts()}
        return run.run(found, meter=chosen, out=out, header=full, display=display)
    if models != header["models"]:
        raise UserError(
            f"the models of {resume_from} have changed since it was started", fix="start a new run"
        )
    _check_same_meter(resume_from, chosen)
    return run.resume(resume_from, found, meter=chosen, display=display)


def _check_same_meter(folder: Path, chosen: Meter) -> None:
    """Joules of two sources are never mixed in one run."""
    before = {session["source"]["name"] for session in store.read(folder).of_type("session")}
    now = chosen.source.info.name
    if before - {now}:
        raise UserError(
            f"{folder} was measured with {', '.join(before)}, but now {now} would be used ({chosen.note})",
            fix="make the first meter available again, or start a new run",
        )


def _model_record(found: Prepared, key: str) -> dict[str, Any]:
    model = found.models[key]
    here = found.locate(model)
    if here is None:
        raise UserError(f"the model {model.name!r} is not here", fix=f"run: bench models fetch {model.name}")
    settings = model.model_dump(exclude={"revision"})
    return {**settings, "revision": here.revision, "weight_sha256": here.weight_hash()}
