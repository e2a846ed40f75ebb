"""How a run is shown: the plan before it, its tables after it, and the list of the runs there are."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from rich.console import Console

from analysis.words import counted
from bench.errors import RunFailed, UserError
from bench.run import store
from bench.run.display.plain import clock
from bench.run.records import EventRecord, SessionRecord
from bench.run.sources import ChosenMeter
from bench.run.store import StoredRun
from bench.show import table
from bench.show.safe_text import one_line
from bench.show.table import Column, Table, say
from bench.suite.cadence import changes, sentence, stretched
from bench.suite.config import Model
from bench.suite.libraries import about
from bench.suite.memory import check_fits
from bench.suite.prepare import Prepared
from energy.cadence import USUALLY_LATER


def plan(prepared: Prepared, chosen: ChosenMeter) -> dict[str, Any]:
    """What `bench run` would do, for programs; blocks of a run of minutes are yet to be sized."""
    reading_s = USUALLY_LATER * chosen.source.info.interval_s
    protocol = stretched(prepared.suite.protocol, reading_s)
    slots = sum(len(block) for block in prepared.blocks)
    least_s = slots * (protocol.min_window_s + protocol.cool_down_s)
    least_s += (len(prepared.blocks) + 1) * protocol.idle_s
    return {
        "suite": prepared.suite.name,
        "prompts": len(prepared.prompts.prompts),
        "configurations": [arm.label for arm in prepared.arms],
        "blocks": [[slot.arm.label for slot in block] for block in prepared.blocks],
        "windows": slots,
        "minutes": protocol.minutes,
        "least_s": None if protocol.minutes else least_s,
        "assumed": sentence(changes(prepared.suite.protocol, protocol), cadence_s=reading_s),
        "models": {
            key: {**model.model_dump(), "here": prepared.locate(model) is not None}
            for key, model in prepared.models.items()
        },
        "energy": chosen.note,
    }


def show_plan(prepared: Prepared, chosen: ChosenMeter, console: Console, *, as_json: bool) -> None:
    """Print it: for a person, or as JSON."""
    check_fits(prepared)
    what = plan(prepared, chosen)
    if as_json:
        print(json.dumps(what, indent=2))
        return
    length = (
        f"{counted(len(what['blocks']), 'block')}, {counted(what['windows'], 'window')}, "
        f"at least {clock(what['least_s'])}"
        if what["minutes"] is None
        else f"{what['minutes']:g} min: a first repeat tells how many of these blocks, and how long"
    )
    lines = [
        f"suite {what['suite']}: {counted(what['prompts'], 'prompt')}, "
        f"{counted(len(what['configurations']), 'configuration')}, {length}",
        *(f"  block {number}: {' | '.join(labels)}" for number, labels in enumerate(what["blocks"], start=1)),
        *(
            f"  model {key}: {_dtypes_told(prepared, model)}"
            + ("" if prepared.locate(model) else " (would be fetched first)")
            for key, model in prepared.models.items()
        ),
        f"  energy: {what['energy']}",
        f"  assumed: {what['assumed']}; slower ones lengthen what would hold too few",
    ]
    for line in lines:
        say(console, line, whole=True)


def _dtypes_told(prepared: Prepared, model: Model) -> str:
    """The model with its dtype; where backends take it from the file, they are named."""
    of_file = [backend for backend in prepared.backends if about(backend).dtype_of_file]
    if len(of_file) == len(prepared.backends):
        return f"{model.name}, as its file stores it"
    return f"{model}; on {' and '.join(of_file)} as its file stores it" if of_file else str(model)


def show_report(
    stored: StoredRun,
    console: Console,
    *,
    as_json: bool,
    quiet: bool = False,
) -> None:
    """Recompute and write the tables of a run, and print what it answers; only where it is, if quiet.

    Raises:
        RunFailed: it answers nothing, because none of its windows counts.
    """
    from bench.report import (
        tables as report,  # with statistics and tables, which a run that starts has no need of
    )
    from bench.report.story import Story

    story = Story.of(stored.folder)
    report.write(stored, story.summary)
    if as_json:
        print(json.dumps(report.to_json(story)))
    elif quiet:
        report.show_folder(stored, console)
    else:
        report.show(story, console)
        hint = f"Page with figures: bench report {stored.folder}"
        say(console, hint, whole=True)
    if not story.slots:
        void = story.readback.void
        why = f": {void[0].error}" if void else ""
        again = f"bench run --resume {stored.folder} --void-again"
        raise RunFailed(f"no window of the run counts{why}", fix=f"mend that, then: {again}")


def show_runs(out: Path, console: Console) -> None:
    """A table of the runs in a folder, newest first."""
    folders = sorted((f.parent for f in out.glob("*/run.json")), reverse=True)
    if not folders:
        console.print(f"no runs in {out}; make one with: bench run", markup=False)
        return
    runs = []
    for folder in folders:
        try:
            runs.append(store.read(folder))
        except UserError as error:
            print(f"bench: {one_line(error)}", file=sys.stderr)
    if runs:
        table.show([Table.of(_RUNS, runs, title="")], console)


def _energy(run: StoredRun) -> str | None:
    return ", ".join(sorted({session.source.kind for session in run.of(SessionRecord)})) or None


def _ending(run: StoredRun) -> str:
    endings = [e.kind for e in run.of(EventRecord) if e.kind in ("finished", "interrupted", "failed")]
    return endings[-1] if endings else "killed"


_RUNS: tuple[Column[StoredRun], ...] = (
    Column("run", lambda run: run.folder.name),
    Column("suite", lambda run: run.header.suite.name, is_text=True),
    Column("energy", _energy, is_text=True),
    Column("blocks", lambda run: len(run.finished_blocks)),
    Column("ended", _ending, is_text=True),
)
