"""`bench fleet`: suites on many machines, reached by SSH; `register` adds it to the command line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from bench.cli.commands import MEASURE, ShortHelp
from bench.cli.options import Json, RunsFolder, console
from bench.cli.run_options import Quiet


def register(app: typer.Typer) -> None:
    """Add the command of this file to the command line."""
    app.command(cls=ShortHelp, rich_help_panel=MEASURE)(fleet)


def fleet(
    hosts: Annotated[
        Path | None, typer.Argument(metavar="HOSTS", help="File that names the machines: \\[hosts.NAME].")
    ] = None,
    suites: Annotated[
        list[str] | None,
        typer.Argument(metavar="SUITE…", help="Suite files, or names of those that come along."),
    ] = None,
    out: RunsFolder = Path("results"),
    resume: Annotated[
        Path | None,
        typer.Option(metavar="FLEET", help="Go on with this folder of a fleet, instead of a new one."),
    ] = None,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Run suites on many machines by SSH, one after the other on each, and bring the runs here.

    Every machine is asked by its doctor first: one with another version, other weights or another suite than
    most is left out before anything runs. Exits with 1 if a job has failed.

    Examples: [bold]bench fleet hosts.toml quick[/], [bold]bench fleet --resume results/FLEET[/]
    """
    import asyncio

    from bench.errors import Interrupted, UserError
    from bench.fleet.folder import FleetFolder
    from bench.fleet.hosts import read_hosts
    from bench.fleet.sent import suites_to_send
    from bench.suite import libraries

    libraries.require("asyncssh", "distributed", what="bench fleet", extra="fleet")
    if resume is not None:
        if hosts is not None:
            raise UserError(
                "--resume goes on with what its folder says", fix=f"bench fleet --resume {resume}"
            )
        folder = FleetFolder.read(resume)
    elif hosts is None or not suites:
        raise UserError("name the file of hosts and a suite", fix="bench fleet hosts.toml quick")
    else:
        folder = FleetFolder.create(out, read_hosts(hosts), suites_to_send(suites))
    from bench.fleet import machines, tables
    from bench.fleet.conduct import Conductor

    try:
        with tables.shown(console(), as_json=as_json, quiet=quiet) as shown:
            jobs = asyncio.run(Conductor(folder=folder, tell=shown.tell).conduct())
    except KeyboardInterrupt:
        fix = f"machines end what they run; go on with: bench fleet --resume {folder.path}"
        raise Interrupted("interrupted", fix=fix) from None
    rows = list(machines.rows_of_fleet(jobs))
    summaries = machines.together(rows)
    if as_json:
        print(json.dumps({"event": "fleet", **tables.fleet_to_json(jobs, rows, summaries)}))
    elif not quiet:
        tables.show_fleet(jobs, rows, summaries, console())
    if not as_json:
        console().print(f"fleet: {folder.path}", markup=False, highlight=False, soft_wrap=True)
    if any(job.state == "failed" for job in jobs):
        raise typer.Exit(1)
