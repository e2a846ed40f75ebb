"""What the commands do, without the command line: put the parts of a run together."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from analysis.values import counted
from bench import host, meter, prepare, run, store
from bench.config import find_suite
from bench.display.plain import Display, clock
from bench.errors import UserError
from bench.fetch import ensure
from bench.meter import Meter
from bench.prepare import Prepared
from bench.safe_text import visible
from bench.store import StoredRun


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
        raise UserError(f"{folder} is complete: nothing to resume; look at it with: bench report {folder}")
    return found, stored.header


def choose_meter(header: dict[str, Any]) -> Meter:
    """The energy source that a run asks for."""
    asked = header["energy"]
    return meter.choose(asked["source"], asked["options"], cross_check=asked["cross_check"])


def fetch_models(found: Prepared, *, progress: Callable[[str, int | None, int | None], None]) -> None:
    """Bring every model that is missing onto this machine."""
    for model in found.models.values():
        ensure(model.name, model.revision, progress=progress)


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
        raise UserError(f"the models of {resume_from} have changed since it was started; start a new run")
    _check_same_meter(resume_from, chosen)
    return run.resume(resume_from, found, meter=chosen, display=display)


def _check_same_meter(folder: Path, chosen: Meter) -> None:
    """Joules of two sources are never mixed in one run."""
    before = {session["source"]["name"] for session in store.read(folder).of_type("session")}
    now = chosen.source.info.name
    if before - {now}:
        raise UserError(
            f"{folder} was measured with {', '.join(before)}, but now {now} would be used ({chosen.note}); "
            "make the first meter available again, or start a new run"
        )


def _model_record(found: Prepared, key: str) -> dict[str, Any]:
    model = found.models[key]
    here = found.locate(model)
    if here is None:
        raise UserError(f"the model {model.name!r} is not here; run: bench models fetch {model.name}")
    settings = model.model_dump(exclude={"revision"})
    return {**settings, "revision": here.revision, "weight_sha256": here.weight_hash()}


def plan(found: Prepared, chosen: Meter) -> dict[str, Any]:
    """What `bench run` would do, for programs."""
    protocol = found.suite.protocol
    slots = sum(len(block) for block in found.blocks)
    return {
        "suite": found.suite.name,
        "prompts": len(found.prompts.prompts),
        "arms": [arm.label for arm in found.arms],
        "blocks": [[slot.arm.label for slot in block] for block in found.blocks],
        "slots": slots,
        "least_s": slots * (protocol.min_window_s + protocol.cool_down_s)
        + (len(found.blocks) + 1) * protocol.idle_s,
        "models": {
            key: {**model.model_dump(), "here": found.locate(model) is not None}
            for key, model in found.models.items()
        },
        "energy": chosen.note,
    }


def show_plan(found: Prepared, chosen: Meter, console: Console, *, as_json: bool) -> None:
    """Print it: for a person, or as JSON."""
    what = plan(found, chosen)
    if as_json:
        print(json.dumps(what, indent=2))
        return
    lines = [
        f"suite {what['suite']}: {counted(what['prompts'], 'prompt')}, {counted(len(what['arms']), 'arm')}, "
        f"{counted(len(what['blocks']), 'block')}, {counted(what['slots'], 'slot')}, "
        f"at least {clock(what['least_s'])}",
        *(f"  block {number}: {' | '.join(arms)}" for number, arms in enumerate(what["blocks"], start=1)),
        *(
            f"  model {key}: {model}" + ("" if found.locate(model) else " (would be fetched first)")
            for key, model in found.models.items()
        ),
        f"  energy: {what['energy']}",
    ]
    for line in lines:
        console.print(visible(line), markup=False, highlight=False, soft_wrap=True)


def show_report(
    stored: StoredRun,
    console: Console,
    *,
    as_json: bool,
    quiet: bool = False,
) -> None:
    """Recompute, write and print the tables of a run; only the last line if it is to be quiet."""
    from bench.report import (
        tables as report,  # with statistics and tables, which a run that starts has no need of
    )
    from bench.report.readback import read_back
    from bench.report.summary import summarise

    summary = summarise(read_back(stored))
    report.write(stored, summary)
    if as_json:
        print(json.dumps(report.to_json(stored, summary)))
    elif quiet:
        report.show_folder(stored, console)
    else:
        report.show(stored, summary, console)
        hint = f"page with figures: bench report {stored.folder}"
        console.print(hint, markup=False, highlight=False, soft_wrap=True)


def show_runs(out: Path, console: Console) -> None:
    """A table of the runs in a folder, newest first."""
    table = Table("run", "suite", "energy", "blocks", "ended")
    folders = sorted((f.parent for f in out.glob("*/run.json")), reverse=True)
    for folder in folders:
        stored = store.read(folder)
        endings = [
            e["kind"] for e in stored.of_type("event") if e["kind"] in ("finished", "interrupted", "failed")
        ]
        kinds = {session["source"]["kind"] for session in stored.of_type("session")}
        table.add_row(
            folder.name,
            stored.header["suite"]["name"],
            ", ".join(sorted(kinds)) or "-",
            str(len(stored.finished_blocks)),
            endings[-1] if endings else "killed",
        )
    console.print(table if folders else f"no runs in {out}; make one with: bench run")
