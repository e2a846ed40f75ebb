"""`bench exec`: joules, seconds and watts of any command."""

from __future__ import annotations

import json
import shlex
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from bench.cli import complete
from bench.cli.commands import MEASURE, ShortHelp
from bench.cli.options import AllowRoot, Carbon, Price

CommandToRun = Annotated[
    list[str], typer.Argument(metavar="[--] CMD [ARG…]", help="The command, as it would be typed alone.")
]
Repeat = Annotated[
    int | None,
    typer.Option(
        min=1, help="Runs of the command. [default: 1; beside a baseline 10, or more if they are short]"
    ),
]
BaselineCommand = Annotated[
    str | None,
    typer.Option(metavar='"CMD ARG…"', help="What it is compared with; split as by a shell, run by none."),
]
IdleSeconds = Annotated[
    float, typer.Option(min=0, help="Seconds of idle before and after, which are taken off; 0 for none.")
]
TestFirst = Annotated[
    bool, typer.Option("--self-test", help="Test the meter first (half a minute): needed for grade 2.")
]
JsonFile = Annotated[
    Path | None,
    typer.Option(
        "--json",
        "--export-json",
        metavar="FILE",
        help="Write JSON too; - is standard error, and no text.",
    ),
]


def register(app: typer.Typer) -> None:
    """Add the command of this file to the command line."""
    app.command(
        "exec",
        cls=ShortHelp,
        rich_help_panel=MEASURE,
        context_settings={"allow_interspersed_args": False},
    )(execute)


def execute(
    command: CommandToRun,
    repeat: Repeat = None,
    baseline: BaselineCommand = None,
    energy: Annotated[
        str, typer.Option("--energy", autocompletion=complete.energy, help="Energy source.")
    ] = "auto",
    idle: IdleSeconds = 2.0,
    self_test: TestFirst = False,
    as_json: JsonFile = None,
    price: Price = None,
    carbon: Carbon = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print nothing but errors.")] = False,
    allow_root: AllowRoot = False,
) -> None:
    """What does any command cost? Joules, seconds and watts; of several runs with an interval.

    Standard output is the command's alone: bench writes to standard error. The exit code is the command's.

    Examples: [bold]bench exec -- make -j8[/],
    [bold]bench exec --repeat 10 --baseline "gzip -9 -k -f a" -- zstd -f a[/]
    """
    from tempfile import TemporaryDirectory

    from rich.console import Console

    from bench.report import execution_tables as answered
    from bench.report.execution import answer_of
    from bench.run import privilege, sources
    from bench.run.execution import ExecAsked
    from bench.run.execution import execute as measure
    from bench.run.meter import Meter
    from bench.show import rates

    asked = ExecAsked(
        argv=tuple(command), baseline=_split(baseline), repeat=repeat, idle_s=idle, self_test=self_test
    )
    asked.check()
    at = rates.given(price=price, carbon=carbon)
    privilege.lower(allow_root=allow_root, for_meter=True)
    meter = Meter(sources.choose(energy, {}))
    console = Console(stderr=True, width=None if sys.stderr.isatty() else 120)
    has_text = not quiet and str(as_json) != "-"

    def tell(what: str) -> None:
        if has_text and console.is_terminal:
            console.print(f"bench: {what}", style="dim", markup=False, highlight=False)

    with TemporaryDirectory(prefix="joulebench-") as scratch:
        execution = measure(asked, meter, folder=Path(scratch), say=tell)
    answer = answer_of(execution)
    if has_text:
        answered.show(answer, console, at=at)
    if as_json is not None:
        _write(as_json, answered.to_json(answer, at=at))
    raise typer.Exit(execution.exit_code)


def _split(text: str | None) -> tuple[str, ...] | None:
    from bench.errors import UserError

    if text is None:
        return None
    try:
        return tuple(shlex.split(text))
    except ValueError as error:
        raise UserError(
            f"--baseline {text!r} can't be split: {error}", fix="quote it as in a shell"
        ) from None


def _write(file: Path, content: dict[str, Any]) -> None:
    from bench.show import files

    text = json.dumps(content, indent=2, default=str) + "\n"
    if str(file) == "-":
        sys.stderr.write(text)
    else:
        files.write(file, text)
