"""The commands that look at what is there; `register` puts them into the command line."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bench.cli import complete
from bench.cli.commands import LOOK, ShortHelp, add
from bench.cli.options import console

runs_app = typer.Typer(
    invoke_without_command=True,
    help="List the runs in a folder, newest first.\n\nExample: [bold]bench runs[/]",
)


def register(app: typer.Typer) -> None:
    """Add the commands of this file to the command line."""
    app.add_typer(runs_app, name="runs", rich_help_panel=LOOK)
    add(app, LOOK, plot)


@runs_app.callback()
def runs(
    context: typer.Context,
    out: Annotated[Path, typer.Option(help="Folder of run folders.")] = Path("results"),
) -> None:
    """List the runs in a folder, newest first.

    Example: [bold]bench runs[/]
    """
    from bench.cli.results import show_runs

    if context.invoked_subcommand is None:
        show_runs(out, console())


@runs_app.command("repair", cls=ShortHelp)
def repair_run(
    folder: Annotated[
        Path, typer.Argument(metavar="RUN", autocompletion=complete.runs, help="A run folder.")
    ],
) -> None:
    """Set damaged lines of a run's records aside, so that the rest can be read; the old file is kept.

    Example: [bold]bench runs repair results/RUN[/]
    """
    from analysis.words import counted
    from bench.run.repair import repair

    done = repair(folder)
    if done.original is None:
        print(f"{folder}: every line of its records can be read, nothing was changed")
        return
    print(f"{folder}: {counted(len(done.damaged), 'damaged line')} set aside; as it was: {done.original}")
    if done.reopened:
        blocks = ", ".join(map(str, done.reopened))
        print(f"to be run again: block {blocks}; type: bench run --resume {folder}")


def plot(
    folder: Annotated[
        Path,
        typer.Argument(
            metavar="RUN", autocompletion=complete.runs, help="A run folder, such as results/2026…."
        ),
    ],
    figure: Annotated[
        str,
        typer.Argument(
            metavar="FIGURE",
            autocompletion=complete.figures,
            help="Which; they are listed without.",
        ),
    ] = "list",
    form: Annotated[
        str | None, typer.Option("--format", help="svg, png or pdf; svg if the file does not say.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="File to write instead of RUN/report/FIGURE.FORMAT.")
    ] = None,
) -> None:
    """Draw one figure of a run, 6.5 inches wide with its text as text, for a page or a paper.

    Examples: [bold]bench plot results/RUN[/] lists what there is,
    [bold]bench plot results/RUN power --format pdf[/]
    """
    from bench.report.figures import output
    from bench.report.story import Story

    if figure == "list":
        output.show_list(Story.of(folder), console())
        return
    asked = output.wish(folder, figure, form=form, out=out)
    print(output.write(asked, Story.of(folder)))
