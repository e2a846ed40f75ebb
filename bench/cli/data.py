"""`bench data`: a data set of runs that a stranger can recompute; `register` adds it to the command line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from bench.cli.commands import JUDGE, ShortHelp
from bench.cli.options import Json, console

data_app = typer.Typer(
    no_args_is_help=True,
    help="A data set of runs that a stranger can recompute: add to it, check it, ask it.\n\n"
    "Example: [bold]bench data add results --to shared[/]",
)
DataSet = Annotated[Path, typer.Argument(metavar="DIR", help="Folder of the data set.")]


def register(app: typer.Typer) -> None:
    """Add the commands of this file to the command line."""
    app.add_typer(data_app, name="data", rich_help_panel=JUDGE)


@data_app.command(cls=ShortHelp)
def add(
    folders: Annotated[
        list[Path], typer.Argument(metavar="RUN…", help="Run folders, or folders that hold some.")
    ],
    to: Annotated[Path, typer.Option(help="Folder of the data set; it is made.")],
    as_json: Json = False,
) -> None:
    """Put runs into a data set: their rows as Parquet, and their raw readings beside them.

    Example: [bold]bench data add results --to shared[/]
    """
    from bench.report.dataset import tables
    from bench.report.dataset.add import add as put

    added = []
    for one in put(folders, to):
        added.append(one)
        if not as_json:
            tables.say_added(one, console())
    if as_json:
        print(json.dumps([tables.added_to_json(one) for one in added]))


@data_app.command(cls=ShortHelp)
def check(
    dataset: DataSet,
    runs: Annotated[
        list[str] | None, typer.Argument(metavar="RUN…", help="Only these runs, by name; else all.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Compute every row of a data set anew from its raw readings, and say which runs can't be believed.

    Exits with 1 if there is one. Example: [bold]bench data check shared[/]
    """
    from bench.report.dataset import tables
    from bench.report.dataset.check import check as checked

    found = list(checked(dataset, runs or ()))
    if as_json:
        print(json.dumps([tables.checked_to_json(one) for one in found]))
    else:
        tables.show_checked(found, console())
    if any(one.failed for one in found):
        raise typer.Exit(1)


@data_app.command(cls=ShortHelp)
def board(
    dataset: DataSet,
    out: Annotated[Path, typer.Option(help="HTML file to write.")] = Path("board.html"),
) -> None:
    """Check every run of a data set, and write one page of what stood the checks, which sorts by any column.

    Example: [bold]bench data board shared --out board.html[/]
    """
    from bench.report.dataset.board import write_board
    from bench.report.dataset.check import check as checked

    page = write_board(list(checked(dataset)), out)
    console().print(f"page: {page}", markup=False, highlight=False, soft_wrap=True)


@data_app.command(cls=ShortHelp)
def query(
    dataset: DataSet,
    question: Annotated[
        str, typer.Argument(metavar="QUESTION", help="cost, best, drift, or SQL over `configurations`.")
    ] = "cost",
    quality: Annotated[
        float, typer.Option(min=0, max=100, help="For best: least token match, in per cent.")
    ] = 98.0,
    boundary: Annotated[str | None, typer.Option(help="Only joules of this boundary.")] = None,
    kind: Annotated[str | None, typer.Option(help="Only joules of this kind, such as measured.")] = None,
    mixed: Annotated[bool, typer.Option("--mixed", help="All boundaries and kinds in one table.")] = False,
    as_json: Json = False,
) -> None:
    """Ask a data set: J/token by chip and engine, the best at a quality, drift between versions, or SQL.

    Example: [bold]bench data query shared best --quality 99[/]
    """
    from bench.report.dataset import tables
    from bench.report.dataset.query import query as ask

    only = {name: value for name, value in (("boundary", boundary), ("kind", kind)) if value is not None}
    answer, joules = ask(dataset, question, quality=quality, only=only, mixed=mixed)
    if as_json:
        rows = json.loads(answer.to_json(orient="records", double_precision=15))
        print(json.dumps({"joules": joules, "rows": rows}))
    else:
        tables.show_answer(answer, joules, console())
