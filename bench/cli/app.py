"""The command line: the only place that prints an error and exits.

Everything heavy is imported inside a command, so that `bench --help` is there in a blink.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bench import __version__
from bench.cli import compare, complete, judge, look, setup, study
from bench.cli.init import command as init
from bench.cli.meter import meter_app
from bench.cli.options import AllowRoot, Json, OnlyBackends, OtherEnergy, SuiteName, console, display
from bench.errors import BenchError, Interrupted, UserError
from bench.suite.header import RunHeader

if TYPE_CHECKING:
    from bench.run.sources import ChosenMeter
    from bench.suite.prepare import Prepared

SET_UP, MEASURE, JUDGE = "Set up", "Measure", "Judge"
EXIT_FAILED, EXIT_USER, EXIT_INTERRUPTED = 1, 2, 130

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="How many joules does this LLM run cost, and is that claimed saving real?",
    epilog="Start with: [bold]bench doctor[/], then [bold]bench run[/].",
)
setup.register(app)
init.register(app)
app.add_typer(meter_app, name="meter", rich_help_panel=MEASURE)


def main() -> None:
    """Run the command line; a fault becomes one line and an exit code, never a traceback."""
    from energy.base import EnergyError, SourceUnavailable

    try:
        app(prog_name="bench")
    except (UserError, SourceUnavailable) as error:
        _fail(error, EXIT_USER)
    except Interrupted as error:
        _fail(error, EXIT_INTERRUPTED)
    except (BenchError, EnergyError) as error:
        _fail(error, EXIT_FAILED)


def _fail(error: Exception, code: int) -> None:
    from bench.show.safe_text import one_line

    print(f"bench: {one_line(error)}", file=sys.stderr)
    sys.exit(code)


def _version(asked: bool) -> None:
    if asked:
        print(f"bench {__version__}")
        raise typer.Exit


@app.callback()
def root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """How many joules does this LLM run cost, and is that claimed saving real?"""


# Measure -------------------------------------------------------------------------------------------


@app.command(rich_help_panel=MEASURE)
def run(
    suite: SuiteName = "quick",
    energy: OtherEnergy = None,
    backend: OnlyBackends = None,
    blocks: Annotated[int | None, typer.Option(help="Number of blocks instead of the suite's.")] = None,
    out: Annotated[Path, typer.Option(help="Folder for run folders.")] = Path("results"),
    resume: Annotated[
        Path | None,
        typer.Option(autocompletion=complete.runs, help="Go on with a run folder that was cut short."),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Check everything, show the plan, run nothing.")
    ] = False,
    quiet: Annotated[
        bool, typer.Option("--quiet", "-q", help="Say nothing but errors and where the run is.")
    ] = False,
    allow_root: AllowRoot = False,
    as_json: Json = False,
) -> None:
    """Run a suite: every arm on the same prompts, with the joules of each.

    Examples: [bold]bench run[/], [bold]bench run my.toml --energy powermetrics[/],
    [bold]bench run --resume results/RUN[/]
    """
    from bench.cli import results
    from bench.run import privilege, start
    from bench.run.display.progress import Bar

    privilege.lower(allow_root=allow_root or dry_run, for_meter=True)  # a dry run loads no model
    if resume is not None:
        prepared, header = start.prepared_again(resume)
    else:
        prepared, header = start.prepared(suite, energy=energy, backends=backend, blocks=blocks)
    meter = start.choose_meter(header)
    if dry_run:
        results.show_plan(prepared, meter, console(), as_json=as_json)
        return
    with Bar(quiet=quiet) as progress:
        start.fetch_models(prepared, progress=progress)
    _run(prepared, header, meter, out=out, resume_from=resume, as_json=as_json, quiet=quiet)


def _run(
    prepared: Prepared,
    header: RunHeader,
    meter: ChosenMeter,
    *,
    out: Path,
    resume_from: Path | None,
    as_json: bool,
    quiet: bool,
) -> None:
    """Run with a display, then print the table."""
    from bench.cli import results
    from bench.run import start, store

    terminal = console()
    with display(terminal, as_json=as_json, quiet=quiet) as shown:
        shown.note(meter.note)
        folder = start.run_or_resume(prepared, header, meter, out=out, resume_from=resume_from, display=shown)
    results.show_report(store.read(folder), terminal, as_json=as_json, quiet=quiet)


# Judge ---------------------------------------------------------------------------------------------


@app.command(rich_help_panel=JUDGE)
def report(
    folders: Annotated[
        list[Path],
        typer.Argument(
            metavar="RUN…", autocompletion=complete.runs, help="A run folder, such as results/2026…; or more."
        ),
    ],
    out: Annotated[
        Path | None, typer.Option(help="Folder for the page; RUN/report without it, for one run.")
    ] = None,
    wall: Annotated[
        Path | None, typer.Option(help="CSV (time, power) of an external meter, which then leads.")
    ] = None,
    wall_column: Annotated[
        str | None,
        typer.Option(help="With --wall: heading of the column of power."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Recompute a run from its raw files: tables here, and a page with figures as RUN/report/report.html.

    Examples: [bold]bench report results/RUN[/], [bold]bench report RUN RUN2 --out pages[/]
    """
    from bench.report.page.make import report_runs

    report_runs(folders, console(), as_json=as_json, wall=wall, wall_column=wall_column, out=out)


look.register(app)
compare.register(app)
judge.register(app)
study.register(app)
