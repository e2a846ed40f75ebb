"""The commands that set runs beside each other and hand them on; `register` adds them."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from bench.cli import complete
from bench.cli.commands import JUDGE, LOOK, add
from bench.cli.options import Carbon, Json, Price, console


def register(app: typer.Typer) -> None:
    """Add the commands of this file to the command line."""
    add(app, JUDGE, compare)
    add(app, LOOK, export)


def compare(
    what: Annotated[
        list[str],
        typer.Argument(
            metavar="RUN RUN…",
            autocompletion=complete.runs,
            help="Two or more of RUN, RUN:backend or RUN:backend/gate.",
        ),
    ],
    anyway: Annotated[
        bool, typer.Option("--anyway", help="Show unlike things side by side, without a ratio.")
    ] = False,
    figure: Annotated[
        Path | None, typer.Option(help="Draw the ratios into this .svg, .png or .pdf file.")
    ] = None,
    whole: Annotated[bool, typer.Option("--all", help="Every quantity, also by phase.")] = False,
    fail_on: Annotated[
        str | None,
        typer.Option(
            metavar="CONDITION", help='Exit code 1 where "costs > 2 %" or "saves < 10 %" holds beyond noise.'
        ),
    ] = None,
    price: Price = None,
    carbon: Carbon = None,
    as_json: Json = False,
) -> None:
    """Set runs, backends or configurations beside the first one named: ratio, interval, noise, quality.

    Without a backend each configuration of both runs is compared. What was not made alike is refused with
    exit code 2: chip, memory, system, power mode, boundary, grade, prompts, token counts. So two machines
    have no ratio; --anyway shows their figures side by side.

    Examples: [bold]bench compare results/A results/B[/], [bold]bench compare RUN:torch RUN:mlx[/]
    """
    from bench.report.compare import figure as compare_figure
    from bench.report.compare import tables as compare_tables
    from bench.report.compare.limit import parsed
    from bench.report.compare.pairs import compare as set_beside
    from bench.show import rates
    from bench.show.safe_text import visible
    from bench.show.table import say

    at = rates.given(price=price, carbon=carbon)
    limit = None if fail_on is None else parsed(fail_on)
    if figure is not None:
        compare_figure.check(figure)
    comparisons = set_beside(what, anyway=anyway)
    if figure is not None:
        compare_figure.draw(comparisons, figure)
    if as_json:
        print(json.dumps(compare_tables.to_json(comparisons, at=at), indent=2))
    else:
        compare_tables.show(comparisons, console(), whole=whole, at=at)
        if figure is not None:
            say(console(), f"figure: {figure}", whole=True)
    if limit is not None:
        for one in comparisons:
            print(f"--fail-on: {visible(limit.words(one.names[1], one.judgement))}", file=sys.stderr)
        raise typer.Exit(1 if any(limit.holds(one.judgement) for one in comparisons) else 0)


def export(
    runs: Annotated[
        list[Path] | None,
        typer.Argument(metavar="RUN…", autocompletion=complete.runs, help="Run folders."),
    ] = None,
    form: Annotated[str, typer.Option("--format", help="csv, parquet or json.")] = "csv",
    out: Annotated[
        Path | None, typer.Option(help="Folder for the tables, or the file of json; export without it.")
    ] = None,
    schema: Annotated[
        bool, typer.Option("--schema", help="Print the JSON Schema of what is written, and exit.")
    ] = False,
    openmetrics: Annotated[
        bool,
        typer.Option("--openmetrics", help="Print configurations as OpenMetrics text, or write it to --out."),
    ] = False,
) -> None:
    """Write the requests, windows and configurations of runs for other programs, in a documented shape.

    A JSON Schema is written beside them. Rows with joules say their kind, boundary and grade; not
    measured is null.

    Example: [bold]bench export results/RUN --format parquet --out tables[/]
    """
    from bench.errors import UserError
    from bench.report.export.schema import schema_text

    if schema:
        print(schema_text(), end="")
        return
    if not runs:
        raise UserError("nothing to export", fix="name a run folder: bench export results/RUN")
    if openmetrics:
        _openmetrics(runs, out)
        return
    from bench.report.export.tables import export as hand_on
    from bench.show.table import say

    say(console(), *(f"wrote {file}" for file in hand_on(runs, form=form, out=out)), whole=True)


def _openmetrics(runs: list[Path], out: Path | None) -> None:
    from bench.report.export.openmetrics import of_runs
    from bench.show import files
    from bench.show.table import say

    text = of_runs(runs)
    if out is None:
        print(text, end="")
    else:
        say(console(), f"wrote {files.write(out, text)}", whole=True)
