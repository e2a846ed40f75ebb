"""The command line: the only place that prints an error and exits.

Everything heavy is imported inside a command, so that `bench --help` is there in a blink.
"""

from __future__ import annotations

import errno
import shutil
import sys
import time
from pathlib import Path
from typing import Annotated

import typer

from bench import __version__
from bench.cli import compare, complete, data, exec, fleet, judge, look, model_commands, setup
from bench.cli.commands import JUDGE, MEASURE, ShortHelp
from bench.cli.entry import EXIT_INTERRUPTED, EXIT_USER
from bench.cli.init import command as init
from bench.cli.meter import meter_app
from bench.cli.options import AllowRoot, Carbon, Json, OnlyBackends, OtherEnergy, Price, RunsFolder, console
from bench.cli.run_options import (
    BatchSizes,
    DryRun,
    ModelDtype,
    ModelPrompts,
    NewTokens,
    NoChat,
    PrefillChunk,
    PromptTokens,
    Quiet,
    ResumeRun,
    RunBlocks,
    RunMinutes,
    SaveSuite,
    ServerUrls,
    Until,
    VoidAgain,
    WhatToRun,
)
from bench.cli.streams import lost_output
from bench.errors import BenchError, Interrupted, RunFailed, UserError
from bench.suite.header import Overrides

EXIT_FAILED = 1
_OF_THE_SYSTEM = (
    *(errno.EMFILE, errno.ENFILE, errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EROFS),
    *(errno.EACCES, errno.EPERM, errno.ENAMETOOLONG, errno.ELOOP, errno.ENOTDIR),
)
"""Errors of a machine without room, or of a path that nobody may open or can have; others are ours."""

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
    except SystemExit as end:
        if end.code == EXIT_INTERRUPTED:  # Ctrl-C outside a run, of which typer says nothing
            print("bench: interrupted", file=sys.stderr)
        elif not end.code and (why := lost_output()):
            _fail(RunFailed(f"standard output can't be written ({why})"), EXIT_FAILED)
        raise
    except (BenchError, EnergyError) as error:
        _fail(error, EXIT_FAILED)
    except OSError as error:
        if error.errno not in _OF_THE_SYSTEM:
            raise
        place = f"{error.filename}: " if error.filename else ""
        _fail(RunFailed(f"{place}{error.strerror}"), EXIT_FAILED)


def _fail(error: Exception, code: int) -> None:
    from bench.show.safe_text import in_lines, one_line

    said = f"bench: {one_line(error)}"
    if sys.stderr.isatty():
        said = in_lines(said, fix=getattr(error, "fix", None), width=shutil.get_terminal_size().columns)
    print(said, file=sys.stderr)
    sys.exit(code)


def _version(asked: bool) -> None:
    if asked:
        print(f"bench {__version__}")
        raise typer.Exit


STARTS_METER = {"run", "exec", "init", "meter", "sweep", "isolate", "reproduce", "doctor"}
"""Commands that may start a meter; under sudo every other one has given root up before it begins."""


@app.callback()
def root(
    context: typer.Context,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """How many joules does this LLM run cost, and is that claimed saving real?"""
    from bench.run import privilege

    # Under sudo files are the user's from here on; a command that runs models refuses bare root itself.
    privilege.lower(allow_root=True, for_meter=context.invoked_subcommand in STARTS_METER)


# Measure -------------------------------------------------------------------------------------------


@app.command(cls=ShortHelp, rich_help_panel=MEASURE)
def run(
    what: WhatToRun = None,
    prompts: ModelPrompts = None,
    pp: PromptTokens = None,
    tg: NewTokens = None,
    dtype: ModelDtype = None,
    batch: BatchSizes = None,
    prefill_chunk: PrefillChunk = None,
    no_chat: NoChat = False,
    url: ServerUrls = None,
    minutes: RunMinutes = None,
    save_suite: SaveSuite = None,
    energy: OtherEnergy = None,
    backend: OnlyBackends = None,
    blocks: RunBlocks = None,
    out: RunsFolder = Path("results"),
    resume: ResumeRun = None,
    void_again: VoidAgain = False,
    until: Until = None,
    dry_run: DryRun = False,
    quiet: Quiet = False,
    allow_root: AllowRoot = False,
    as_json: Json = False,
) -> None:
    """What does a model cost? Joules per token on the same prompts; or run a suite.

    Examples: [bold]bench run smollm2-135m --prompts my.txt[/], [bold]bench run A B --pp 512 --tg 128[/],
    [bold]bench run my.toml[/], [bold]bench run --resume results/RUN[/]
    """
    began_s = time.perf_counter()
    from bench.cli import models_asked, results
    from bench.cli.running import fetch_and_run
    from bench.run import privilege, start, store

    changes = Overrides(backends=backend, blocks=blocks, plain=no_chat)
    suite, asked = models_asked.understood(
        what,
        changes,
        prompts=prompts,
        pp=pp,
        tg=tg,
        dtype=dtype,
        batches=batch,
        chunk=prefill_chunk,
        minutes=minutes,
        urls=url,
    )
    if save_suite is not None:
        return models_asked.save(asked, save_suite)
    privilege.lower(allow_root=allow_root or dry_run, for_meter=True)  # a dry run loads no model
    prepared, header = start.ready_to_run(
        suite, asked, changes, energy=energy, resume=resume, void_again=void_again
    )
    header = start.until(until, prepared, header)
    meter = start.choose_meter(header)
    if dry_run:
        return results.show_plan(prepared, meter, console(), as_json=as_json)
    folder = fetch_and_run(
        prepared,
        header,
        meter,
        out=out,
        resume_from=resume,
        as_json=as_json,
        quiet=quiet,
        before_s=time.perf_counter() - began_s,  # without what a download takes
        void_again=void_again,
    )
    results.show_report(store.read(folder), console(), as_json=as_json, quiet=quiet)


exec.register(app)
fleet.register(app)

# Judge ---------------------------------------------------------------------------------------------


@app.command(cls=ShortHelp, rich_help_panel=JUDGE)
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
    everything: Annotated[
        bool, typer.Option("--all", help="Print every table too, and whatever could overturn them.")
    ] = False,
    price: Price = None,
    carbon: Carbon = None,
    as_json: Json = False,
) -> None:
    """Recompute a run from its raw files: the answer here, and a page with figures as RUN/report/report.html.

    Examples: [bold]bench report results/RUN --all[/], [bold]bench report RUN RUN2 --out pages[/]
    """
    from bench.report.page.make import report_runs
    from bench.show import rates
    from bench.studies.claims.on_page import claims_table

    report_runs(
        folders,
        console(),
        as_json=as_json,
        wall=wall,
        wall_column=wall_column,
        out=out,
        claims=claims_table,
        everything=everything,
        at=rates.given(price=price, carbon=carbon),
    )


look.register(app)
compare.register(app)
judge.register(app)
data.register(app)
model_commands.register(app)
