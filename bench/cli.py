"""The command line: the only place that prints an error and exits.

Everything heavy is imported inside a command, so that `bench --help` is there in a blink.
"""

from __future__ import annotations

import json
import sys
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bench import __version__, cli_judge, cli_study
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
models_app = typer.Typer(
    invoke_without_command=True,
    help="List the models and whether they are on this machine.\n\nExample: [bold]bench models[/]",
)
app.add_typer(models_app, name="models", rich_help_panel=SET_UP)
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


# Set up --------------------------------------------------------------------------------------------


@app.command(rich_help_panel=SET_UP)
def doctor(
    as_json: Json = False,
    sudoers: Annotated[
        bool, typer.Option("--sudoers", help="Print the line that lets the meter start without a password.")
    ] = False,
) -> None:
    """Say what this machine can measure, and what to type where it can't.

    Exit code 1 when nothing can be run here.

    Example: [bold]bench doctor[/]
    """
    from bench.doctor import examine, is_fit

    if sudoers:
        _print_sudoers()
        return
    findings = examine()
    if as_json:
        print(json.dumps([asdict(finding) for finding in findings], indent=2))
    else:
        terminal = console()
        marks = {"good": "[green]ok[/]  ", "note": "[yellow]note[/]", "bad": "[red]bad[/] "}
        from rich.markup import escape

        for finding in findings:
            terminal.print(
                f"{marks[finding.state]}  [bold]{finding.what}[/]: {escape(finding.found)}", highlight=False
            )
            if finding.fix:
                terminal.print(f"      type: {finding.fix}", markup=False, highlight=False)
    raise typer.Exit(0 if is_fit(findings) else EXIT_FAILED)


def _print_sudoers() -> None:
    import getpass

    from bench.doctor import sudoers_line
    from energy.powermetrics import root_command

    print(sudoers_line(getpass.getuser(), root_command()))
    print("\nTo install it, type:  sudo visudo -f /etc/sudoers.d/joulebench", file=sys.stderr)
    print("and paste the line. It allows this one command and nothing else.", file=sys.stderr)


@app.command(rich_help_panel=SET_UP)
def plugins(as_json: Json = False) -> None:
    """List backends, energy sources and gates with their options.

    Example: [bold]bench plugins[/]
    """
    from bench.plugins import listing

    found = listing()
    if as_json:
        print(json.dumps([asdict(plugin) for plugin in found], indent=2))
        return
    from rich.table import Table

    table = Table("kind", "name", "what it is", "options")
    for plugin in found:
        options = ", ".join(f"{key} = {value}" for key, value in plugin.options.items())
        table.add_row(plugin.group, plugin.name, plugin.summary, options)
    console().print(table)


@models_app.callback()
def models(context: typer.Context, as_json: Json = False) -> None:
    """List the models and whether they are on this machine."""
    if context.invoked_subcommand is not None:
        return
    from bench.models import catalogue, locate

    rows: list[dict[str, Any]] = []
    for name, entry in catalogue().items():
        here = locate(name)
        size = here.size_bytes if here else None
        rows.append({"name": name, "kind": entry.kind, "here": here is not None, "size_bytes": size})
        rows[-1] |= {"summary": entry.summary, "license": entry.license}
    if as_json:
        print(json.dumps(rows, indent=2))
        return
    from rich.table import Table

    table = Table("name", "here", "size", "what it is")
    for row in rows:
        size_text = f"{row['size_bytes'] / 1e6:.0f} MB" if row["size_bytes"] else "-"
        table.add_row(row["name"], "yes" if row["here"] else "no", size_text, row["summary"])
    console().print(table)
    console().print("Any hub id (owner/name) or folder works too.", highlight=False)


@models_app.command("fetch")
def models_fetch(
    name: Annotated[str, typer.Argument(help="A name of `bench models`, or a hub id (owner/name).")],
    revision: Annotated[str | None, typer.Option(help="Commit or tag of a hub model.")] = None,
) -> None:
    """Bring a model onto this machine.

    Example: [bold]bench models fetch smollm2-135m[/]
    """
    with _progress() as progress:
        from bench.fetch import ensure

        found = ensure(name, revision, progress=progress)
    print(found.folder or f"{name} has no weights: nothing to fetch")


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

    privilege.lower(allow_root=allow_root)
    if resume is not None:
        prepared, header = commands.prepared_again(resume)
    else:
        prepared, header = commands.prepared(suite, energy=energy, backends=backend, blocks=blocks)
    meter = commands.choose_meter(header)
    if dry_run:
        commands.show_plan(prepared, meter, console())
        return
    with _progress() as progress:
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


def _progress() -> AbstractContextManager[Any]:
    """A callable that shows what is being fetched, on standard error."""
    from bench.progress import Bar

    return Bar()
