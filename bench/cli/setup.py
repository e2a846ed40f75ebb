"""The commands that get a machine ready; `register` puts them into the command line."""

from __future__ import annotations

import json
import os
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from bench.cli import complete
from bench.cli.commands import SET_UP, ShortHelp, add
from bench.cli.options import AllowRoot, Json, console

models_app = typer.Typer(
    invoke_without_command=True,
    help="List the models and whether they are on this machine.\n\nExample: [bold]bench models[/]",
)


def register(app: typer.Typer) -> None:
    """Add the commands of this file to the command line."""
    add(app, SET_UP, doctor)
    app.add_typer(models_app, name="models", rich_help_panel=SET_UP)


def doctor(
    as_json: Json = False,
    sudoers: Annotated[
        bool, typer.Option("--sudoers", help="Print the line that lets the meter start without a password.")
    ] = False,
    plugins: Annotated[
        bool, typer.Option("--plugins", help="List backends, meters, gates, figures and added cuts instead.")
    ] = False,
    suites: Annotated[
        list[str] | None,
        typer.Option(
            "--suite", help="Say too which weights and versions this suite would run; repeat for more."
        ),
    ] = None,
    bundle: Annotated[
        Path | None,
        typer.Option(help="Measure what is worth knowing of this machine, ten minutes, into this file."),
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Write the bundle without asking.")] = False,
    allow_root: AllowRoot = False,
    interval_ms: Annotated[
        int, typer.Option(min=10, max=60_000, help="Of the meter in that line, as in the suite's \\[energy].")
    ] = 100,
) -> None:
    """Say what this machine can measure, and what to type where it can't.

    With --bundle FILE it measures for up to ten minutes what helps those who have no such machine, shows all
    of it, without the names of you and of the machine, and asks before it writes.

    Exit code 0: fit to measure. Exit code 1: not, because no meter can be read (joules would be
    modelled) or a finding is bad.

    Example: [bold]bench doctor[/]
    """
    from bench.cli.doctor import findings_table
    from bench.cli.doctor.checks import examine
    from bench.run.readiness import suite_here

    if plugins:
        _show_plugins(as_json=as_json)
        return
    if sudoers:
        _print_sudoers(interval_ms)
        return
    if bundle is not None:
        _write_bundle(bundle, asks=not yes, allow_root=allow_root)
        return
    diagnosis, here = examine(), [suite_here(suite) for suite in suites or ()]
    if as_json:
        print(json.dumps(findings_table.to_json(diagnosis, here), indent=2))
    else:
        findings_table.show(diagnosis, console(), here)
    raise typer.Exit(0 if diagnosis.is_fit else 1)


def _write_bundle(file: Path, *, asks: bool, allow_root: bool) -> None:
    from bench.cli.doctor.bundle import check_target, collect, steps, text_of
    from bench.errors import UserError
    from bench.run import privilege
    from bench.show import files

    if asks and not sys.stdin.isatty():
        raise UserError("nobody is there to be asked", fix="add --yes, and read the file before you send it")
    check_target(file)
    privilege.lower(allow_root=allow_root, for_meter=True)
    text = text_of(collect(steps(), lambda what: print(f"  {what}", file=sys.stderr, flush=True)))
    print(text)
    if asks and not typer.confirm(f"This is all. Write it to {file}?", err=True):
        print("nothing was written", file=sys.stderr)
        raise typer.Exit(1)
    files.write(file, text)
    print(f"written to {file}: attach it to an issue of the kind 'A bundle from my Mac'", file=sys.stderr)


def _print_sudoers(interval_ms: int) -> None:
    import pwd

    from bench.cli.doctor.checks import sudoers_line
    from bench.run import privilege
    from energy.powermetrics import root_command

    typed_sudo = privilege.invoking_user()
    uid = typed_sudo.pw_uid if typed_sudo else os.getuid()
    try:
        user = pwd.getpwuid(uid).pw_name
    except KeyError:  # the machine does not know the user by name; sudo takes the number
        user = f"#{uid}"
    print(sudoers_line(user, root_command(interval_ms=interval_ms)))
    print("\nTo install it, type:  sudo visudo -f /etc/sudoers.d/joulebench", file=sys.stderr)
    print("and paste the line. It allows this one command and nothing else.", file=sys.stderr)


def _show_plugins(*, as_json: bool) -> None:
    """Backends, energy sources, gates, figures and added cuts with their options."""
    from bench.suite.plugins import Plugin, limits_of, listing

    plugins = listing()
    if as_json:
        print(json.dumps([asdict(plugin) for plugin in plugins], indent=2))
        return
    from bench.show import table
    from bench.show.table import Column, Table

    columns: tuple[Column[Plugin], ...] = (
        Column("name", lambda one: one.name),
        Column("kind", lambda one: one.group, is_text=True),
        Column("what it is", lambda one: " ".join([one.summary, *limits_of(one)]), is_text=True),
        Column("options", lambda one: ", ".join(f"{k} = {v}" for k, v in one.options.items()), is_text=True),
    )
    table.show([Table.of(columns, plugins, title="")], console())


@models_app.callback()
def models(context: typer.Context, as_json: Json = False) -> None:
    """List the models and whether they are on this machine."""
    if context.invoked_subcommand is not None:
        return
    from bench.suite.models import catalogue, locate

    rows: list[dict[str, Any]] = []
    for name, entry in catalogue().items():
        here = locate(name)
        size = here.size_bytes if here else None
        rows.append({"name": name, "kind": entry.kind, "here": here is not None, "size_bytes": size})
        rows[-1] |= {"download_bytes": entry.download_bytes}
        rows[-1] |= {"summary": entry.summary, "license": entry.license}
    if as_json:
        print(json.dumps(rows, indent=2))
        return
    from bench.show import table
    from bench.show.table import Column, Table

    columns: tuple[Column[dict[str, Any]], ...] = (
        Column("name", lambda row: row["name"]),
        Column("here", lambda row: row["here"], is_text=True),
        Column("size", _size),
        Column("what it is", lambda row: row["summary"], is_text=True),
    )
    table.show([Table.of(columns, rows, title="")], console())
    console().print("Any hub id (owner/name) or folder works too.", highlight=False)


def _size(row: dict[str, Any]) -> str:
    if row["size_bytes"]:
        return f"{row['size_bytes'] / 1e6:.0f} MB"
    return f"{row['download_bytes'] / 1e6:.0f} MB to fetch" if row["download_bytes"] else "-"


@models_app.command("fetch", cls=ShortHelp)
def models_fetch(
    name: Annotated[
        str,
        typer.Argument(
            autocompletion=complete.models,
            help="A name of `bench models`, or a hub id (owner/name or owner/name:file).",
        ),
    ],
    revision: Annotated[str | None, typer.Option(help="Commit or tag of a hub model.")] = None,
) -> None:
    """Bring a model onto this machine.

    Example: [bold]bench models fetch smollm2-135m[/]
    """
    from bench.run.display.progress import Bar
    from bench.run.fetch import ensure
    from bench.suite import libraries
    from bench.suite.from_models import readers_of
    from bench.suite.weights import SAFETENSORS

    readers = readers_of(name)
    reads = libraries.weight_files(readers) if readers else SAFETENSORS
    with Bar() as progress:
        model = ensure(name, revision, progress=progress, weight_files=reads)
    print(model.path or f"{name} has no weights: nothing to fetch")
