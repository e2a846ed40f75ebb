"""Options and the console that several commands share."""

from __future__ import annotations

import sys
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bench.cli import complete

if TYPE_CHECKING:
    from rich.console import Console

    from bench.run.display.plain import Display

SuiteName = Annotated[
    str,
    typer.Argument(autocompletion=complete.suites, help="A suite file, or the name of one that comes along."),
]
OtherEnergy = Annotated[
    str | None,
    typer.Option("--energy", autocompletion=complete.energy, help="Energy source instead of the suite's."),
]
OnlyBackends = Annotated[
    list[str] | None,
    typer.Option(
        "--backend", autocompletion=complete.backends, help="Run only this backend; repeat for more."
    ),
]
RunsFolder = Annotated[Path, typer.Option(help="Folder for run folders.")]
Json = Annotated[bool, typer.Option("--json", help="Write JSON for programs instead of text.")]
Price = Annotated[
    str | None, typer.Option(metavar='"0.30 EUR/kWh"', help="Say joules in money too, by this number.")
]
Carbon = Annotated[
    str | None, typer.Option(metavar='"400 g/kWh"', help="Say joules in carbon too, by this number.")
]
AllowRoot = Annotated[
    bool, typer.Option("--allow-root", help="Run models as root, in a container that has no other user.")
]


def console() -> Console:
    """Standard output: as wide as the terminal, or 120 columns into a pipe."""
    from rich.console import Console

    return Console(width=None if sys.stdout.isatty() else 120)


def display(terminal: Console, *, as_json: bool, quiet: bool = False) -> AbstractContextManager[Display]:
    """What shows how a run goes on: live on a terminal, plain lines into a pipe."""
    if quiet:
        from bench.run.display.plain import Display

        return nullcontext(Display())
    if as_json:
        from bench.run.display.jsonl import JsonDisplay

        return nullcontext(JsonDisplay())
    # FORCE_COLOR makes rich call a pipe a terminal, but a cursor can't be moved in one
    if terminal.is_terminal and terminal.file.isatty() and not terminal.is_dumb_terminal:
        from bench.run.display.live import LiveDisplay

        return LiveDisplay(terminal)
    from bench.run.display.plain import PlainDisplay

    return nullcontext(PlainDisplay(terminal))
