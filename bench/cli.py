"""The command line: the only place that prints an error and exits.

Everything heavy is imported inside a command, so that `bench --help` is there in a blink.
"""

from __future__ import annotations

import sys
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bench import __version__, cli_judge, cli_setup, cli_study
from bench.cli_meter import meter_app
from bench.cli_options import AllowRoot, Json, console
from bench.errors import BenchError, Interrupted, UserError

if TYPE_CHECKING:
    from rich.console import Console

    from bench.display import Display
    from bench.meter import Meter
    from bench.prepare import Prepared

SET_UP, MEASURE, JUDGE, LOOK = "Set up", "Measure", "Judge", "Look"
EXIT_FAILED, EXIT_USER, EXIT_INTERRUPTED = 1, 2, 130

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="How many joules does this LLM run cost, and is that claimed saving real?",
    epilog="Start with: [bold]bench doctor[/], then [bold]bench run[/].",
)
cli_setup.register(app)
app.add_typer(meter_app, name="meter", rich_help_panel=MEASURE)


def main() -> None:
    """Run the command line; a fault becomes one line and an exit code, never a traceback."""
    from energy.base import EnergyError, SourceUnavailable

    try:
        app()
    except (UserError, SourceUnavailable) as error:
        _fail(error, EXIT_USER)
    except Interrupted as error:
        _fail(error, EXIT_INTERRUPTED)
    except (BenchError, EnergyError) as error:
        _fail(error, EXIT_FAILED)


def _fail(error: Exception, code: int) -> None:
    print(f"bench: {' '.join(str(error).split())}", file=sys.stderr)
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
    suite: Annotated[
        str, typer.Argument(help="A suite file, or the name of one that comes along.")
    ] = "quick",
    energy: Annotated[str | None, typer.Option(help="Energy source instead of the suite's.")] = None,
    backend: Annotated[list[str] | None, typer.Option(help="Run only this backend; repeat for more.")] = None,
    blocks: Annotated[int | None, typer.Option(help="Number of blocks instead of the suite's.")] = None,
    out: Annotated[Path, typer.Option(help="Folder for run folders.")] = Path("results"),
    resume: Annotated[Path | None, typer.Option(help="Go on with a run folder that was cut short.")] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Check everything, show the plan, run nothing.")
    ] = False,
    allow_root: AllowRoot = False,
    as_json: Json = False,
) -> None:
    """Run a suite: every arm on the same prompts, with the joules of each.

    Examples: [bold]bench run[/], [bold]bench run my.toml --energy powermetrics[/],
    [bold]bench run --resume results/RUN[/]
    """
    from bench import commands, privilege
    from bench.progress import Bar

    privilege.lower(allow_root=allow_root)
    if resume is not None:
        prepared, header = commands.prepared_again(resume)
    else:
        prepared, header = commands.prepared(suite, energy=energy, backends=backend, blocks=blocks)
    meter = commands.choose_meter(header)
    if dry_run:
        commands.show_plan(prepared, meter, console())
        return
    with Bar() as progress:
        commands.fetch_models(prepared, progress=progress)
    _run(prepared, header, meter, out=out, resume_from=resume, as_json=as_json)


def _run(
    prepared: Prepared,
    header: dict[str, Any],
    meter: Meter,
    *,
    out: Path,
    resume_from: Path | None,
    as_json: bool,
) -> None:
    """Run with a display, then print the table."""
    from bench import commands, store

    terminal = console()
    with _display(terminal, as_json=as_json) as display:
        display.note(meter.note)
        folder = commands.run_or_resume(
            prepared, header, meter, out=out, resume_from=resume_from, display=display
        )
    commands.show_report(store.read(folder), terminal, as_json=as_json)


# Judge ---------------------------------------------------------------------------------------------


@app.command(rich_help_panel=JUDGE)
def report(
    folder: Annotated[Path, typer.Argument(metavar="RUN", help="A run folder, such as results/2026….")],
    wall: Annotated[
        Path | None, typer.Option(help="CSV (time, watts) of an external meter, which then leads.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Recompute a run's tables from its raw files; CSV and Parquet go to RUN/report.

    Example: [bold]bench report results/RUN[/]
    """
    from bench import commands, store

    commands.show_report(store.read(folder), console(), as_json=as_json, wall=wall)


# Look ----------------------------------------------------------------------------------------------


@app.command(rich_help_panel=LOOK)
def runs(out: Annotated[Path, typer.Option(help="Folder of run folders.")] = Path("results")) -> None:
    """List the runs in a folder, newest first.

    Example: [bold]bench runs[/]
    """
    from bench.commands import show_runs

    show_runs(out, console())


cli_judge.register(app)
cli_study.register(app)


# Terminal ------------------------------------------------------------------------------------------


def _display(console: Console, *, as_json: bool) -> AbstractContextManager[Display]:
    from bench.display import JsonDisplay, LiveDisplay, PlainDisplay

    if as_json:
        return nullcontext(JsonDisplay())
    return LiveDisplay(console) if console.is_terminal else nullcontext(PlainDisplay(console))
