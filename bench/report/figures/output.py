"""Figures as files: which one, in which format, where; written whole or not at all."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from bench.errors import UserError, nearest
from bench.report.figures.catalogue import figure, figures
from bench.report.figures.drawing import Drawing, NotDrawn
from bench.report.figures.names import names
from bench.report.story import Story
from bench.show import files, table
from bench.show.plots import FORMATS, render
from bench.show.table import Column, Table, say
from bench.suite import plugins


@dataclass(frozen=True)
class Wish:
    """A figure that was asked for."""

    name: str
    form: str
    file: Path


def wish(run: Path, name: str, *, form: str | None, out: Path | None) -> Wish:
    """What was asked for, checked before a run is read.

    Args:
        run: the run folder; without `out` the file goes to its `report` folder.
        name: of the figure.
        form: `svg`, `png` or `pdf`; without it the suffix of `out` says so, else it is `svg`.
        out: the file.

    Raises:
        UserError: no such figure or format, or a suffix that says another format.
    """
    plugins.find("figures", name)
    suffix = out.suffix.lower().removeprefix(".") if out else ""
    chosen = form or suffix or "svg"
    if chosen not in FORMATS:
        raise UserError(f"unknown format {chosen!r}", fix=nearest(chosen, FORMATS))
    if suffix and suffix != chosen:
        raise UserError(
            f"--out {out} ends in .{suffix} but --format is {chosen}", fix="leave one of them out"
        )
    return Wish(name, chosen, out or run / "report" / f"{name}.{chosen}")


def write(asked: Wish, story: Story) -> Path:
    """Draw a figure into its file.

    Raises:
        UserError: the run has nothing for it, or the file can't be written.
    """
    drawing = figure(asked.name, story)
    if isinstance(drawing, NotDrawn):
        raise UserError(f"{asked.name} can't be drawn: {drawing.reason}")
    if asked.file.parent.name == "report":
        asked.file.parent.mkdir(exist_ok=True)
    content = render(drawing.draw, asked.form, title=drawing.title)
    return files.write(asked.file, content, instead="choose another file with --out")


def show_list(story: Story, console: Console) -> None:
    """Every figure with its title, or why this run has nothing for it."""
    columns: tuple[Column[Drawing | NotDrawn], ...] = (
        Column("figure", lambda one: one.name),
        Column("what it shows", _shows, is_text=True),
    )
    table.show([Table.of(columns, figures(story), title="")], console)
    run = story.readback.run.folder
    line = f"draw one with: bench plot {run} {names()[0]}"
    say(console, line, whole=True)


def _shows(one: Drawing | NotDrawn) -> str:
    return f"not drawn: {one.reason}" if isinstance(one, NotDrawn) else one.title
