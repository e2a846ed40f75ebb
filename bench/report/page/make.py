"""What `bench report` does: read runs, print their tables, write the page."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

from rich.console import Console

from bench.errors import UserError
from bench.report import tables as report
from bench.report.page.build import write_page
from bench.report.page.chapter import Judging
from bench.report.story import Story
from bench.run import store
from bench.show.rates import Rate
from bench.show.table import say
from energy.wall_file import WallMeter, read_wall


def report_runs(
    folders: Sequence[Path],
    console: Console,
    *,
    as_json: bool,
    wall: Path | None,
    wall_column: str | None = None,
    out: Path | None,
    claims: Judging | None = None,
    everything: bool = False,
    at: Sequence[Rate] = (),
) -> None:
    """Recompute runs from their raw files, print what each answers, and write the page.

    Args:
        folders: of the runs.
        console: where the tables go.
        as_json: print the rows as JSON instead; for one run.
        wall: CSV of an external meter, which then leads; for one run.
        wall_column: heading of its column of power; without, the one that names power.
        out: folder of the page; without it, `report` within the run folder.
        claims: judges the published claims on a run; None leaves them out.
        everything: print every table of each run too.
        at: what the user says that a kilowatt-hour costs.

    Raises:
        UserError: not a run folder, or options that fit one run only.
        EnergyError: a raw stream or the samples of the external meter can't be read.
    """
    if len(folders) > 1:
        _check_several(folders, as_json=as_json, wall=wall, out=out)
    place = out or folders[0] / "report"
    samples = read_wall(wall, column=wall_column) if wall is not None else None
    stories = _told(folders, console, as_json=as_json, wall=samples, everything=everything, at=at)
    if as_json:
        story = next(stories)
        page = write_page([story], place, claims=claims)
        print(json.dumps({**report.to_json(story), "page": str(page)}))
        return
    page = write_page(stories, place, apart=len(folders) > 1, claims=claims)
    say(console, f"page: {page}", whole=True)


def _told(
    folders: Sequence[Path],
    console: Console,
    *,
    as_json: bool,
    wall: WallMeter | None,
    everything: bool,
    at: Sequence[Rate],
) -> Iterator[Story]:
    """Each run, read when it is its turn: several long ones would not fit into memory together."""
    for folder in folders:
        story = Story.of(folder, wall=wall, at=at)
        if not as_json:
            report.show(story, console, everything=everything)
        yield story


def _check_several(folders: Sequence[Path], *, as_json: bool, wall: Path | None, out: Path | None) -> None:
    if out is None:
        raise UserError(f"{len(folders)} runs go into one page", fix="say where with --out DIR")
    if wall is not None:
        raise UserError("--wall is the meter of one run, but several are given", fix="report them one by one")
    if as_json:
        raise UserError("--json is for one run, but several are given", fix="report them one by one")
    for folder in folders:
        if folders.count(folder) > 1:
            raise UserError(f"{folder} is given twice", fix="name each run once")
        store.read(folder)  # told before minutes are spent on drawing the others
