"""`bench meter`: try a meter, watch it, keep what it says, and read what was kept."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bench.cli import complete
from bench.cli.commands import ShortHelp
from bench.cli.options import AllowRoot, console

if TYPE_CHECKING:
    from energy.base import EnergySource

meter_app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode="rich",
    help="Try, watch, record and replay a power meter.\n\nExample: [bold]bench meter watch[/]",
)
Source = Annotated[
    str,
    typer.Option(
        "--energy", autocompletion=complete.energy, help="Energy source; `bench doctor --plugins` lists them."
    ),
]


@contextmanager
def _running(energy: str, *, allow_root: bool, folder: Path | None = None) -> Iterator[EnergySource]:
    """A started meter, its stream in `folder`, or in one that is forgotten."""
    from tempfile import TemporaryDirectory

    from bench.run import privilege, sources
    from bench.show.table import say

    privilege.lower(allow_root=allow_root, for_meter=True)
    chosen = sources.choose(energy, {})
    say(console(), chosen.note)
    with (
        TemporaryDirectory(prefix="joulebench-") as scratch,
        sources.started(chosen, folder or Path(scratch)) as source,
    ):
        yield source


@meter_app.command("test", cls=ShortHelp)
def check_meter(
    energy: Source = "auto",
    seconds: Annotated[float, typer.Option(min=1.0, help="Length of each load.")] = 5.0,
    allow_root: AllowRoot = False,
) -> None:
    """Put loads on the machine and check that each rail answers, or rests, as it should.

    Exit code 1 when one does not, and when nothing could be measured.

    Example: [bold]bench meter test --energy powermetrics[/]
    """
    from bench.cli.meter_tables import self_test_view
    from bench.run.workloads import commands
    from bench.show.table import say
    from energy.cadence import SETTLED_READINGS, cadence_of
    from energy.grade import whole_s
    from energy.lag import PRIOR_S
    from energy.selftest import find_lag, outcome, run_self_test

    with _running(energy, allow_root=allow_root) as source:
        loads = commands(source.info.kind)
        findings = run_self_test(source, loads, seconds=seconds)
        lag = find_lag(source, loads["cpu spin"])
        cadence_s = cadence_of(source.trace())
        tested = outcome(findings, source.info.rails)
    console().print(self_test_view(findings, source.info))
    late = lag or f"not known, the pulses told nothing: {1e3 * PRIOR_S:.0f} ms go into every bound"
    say(console(), f"lag of the meter: {late}")
    if cadence_s is not None:
        window_s = whole_s(SETTLED_READINGS * cadence_s)
        ms = 1e3 * cadence_s
        say(console(), f"a reading every {ms:.0f} ms: grade 2 takes windows of about {window_s} s")
    say(console(), "self-test passed" if tested.passed else f"self-test failed: {tested.reason}")
    raise typer.Exit(0 if tested.passed else 1)


@meter_app.command(cls=ShortHelp)
def watch(
    energy: Source = "auto",
    seconds: Annotated[float | None, typer.Option(min=1.0, help="End after so many seconds.")] = None,
    allow_root: AllowRoot = False,
) -> None:
    """Show watts per rail, thermal pressure and joules since the start, until Ctrl-C.

    Example: [bold]bench meter watch[/]
    """
    from bench.cli.meter_tables import follow, trace_view

    with _running(energy, allow_root=allow_root) as source:
        follow(source, console(), seconds_s=seconds)
        console().print(trace_view(source.trace(), source.info))


@meter_app.command(cls=ShortHelp)
def record(
    folder: Annotated[Path, typer.Argument(help="New folder for the stream and its arrival times.")],
    energy: Source = "auto",
    seconds: Annotated[float, typer.Option(min=1.0, help="How long.")] = 60.0,
    allow_root: AllowRoot = False,
) -> None:
    """Keep a meter's stream, byte for byte, with the time at which each reading arrived.

    Example: [bold]bench meter record my-recording --seconds 60[/]
    """
    from bench.cli.meter_tables import follow, trace_view
    from bench.errors import UserError
    from energy.replay import load

    if folder.exists() and any(folder.glob("[!.]*")):
        raise UserError(f"{folder} is not empty", fix="give the name of a new folder")
    with _running(energy, allow_root=allow_root, folder=folder) as source:
        follow(source, console(), seconds_s=seconds)
    console().print(trace_view(*load(folder)))
    console().print(f"kept in {folder}; read it with: bench meter replay {folder}", markup=False)


@meter_app.command(cls=ShortHelp)
def replay(
    file: Annotated[Path, typer.Argument(help="A recording, a run folder, or a saved powermetrics stream.")],
) -> None:
    """Read a kept stream: rails, mean power, joules and every fault in it.

    Example: [bold]bench meter replay my-recording[/]
    """
    from bench.cli.meter_tables import trace_view
    from energy.replay import read_kept

    console().print(trace_view(*read_kept(file)))
