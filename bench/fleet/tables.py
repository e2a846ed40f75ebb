"""What `bench fleet` shows: how the jobs stand while they run, then a row a machine, what failed, and why."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from analysis.values import Estimate
from analysis.words import counted
from bench.fleet.job import JobSeen
from bench.fleet.machines import MachineRow, OnMachines
from bench.run.display.plain import clock
from bench.show.table import Column, Table, drawn, say, show
from bench.show.words import kind_label

if TYPE_CHECKING:
    from rich.console import Console

_MOST_SHOWN = 20
"""Machines in the live table; a terminal has no more lines."""


class Shown:
    """How jobs stand, for nobody. Use as a context manager."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Nothing to end."""

    def tell(self, job: JobSeen) -> None:
        """A job stands otherwise."""


class LinesShown(Shown):
    """A line when a job begins and when it ends."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._last: dict[tuple[str, str], str] = {}

    def tell(self, job: JobSeen) -> None:
        """Print it if it begins or ends."""
        if self._last.get((job.host, job.suite)) == job.state or job.state == "waiting":
            return
        self._last[job.host, job.suite] = job.state
        more = f": {job.stage}" if job.state == "failed" else f": {job.run}" if job.run else ""
        say(self._console, f"{job.host} {job.suite} {job.state}{more}", whole=True)


class JsonShown(Shown):
    """A JSON object a line whenever a job stands otherwise."""

    def tell(self, job: JobSeen) -> None:
        """Print it."""
        sys.stdout.write(json.dumps({"event": "job", **job_to_json(job)}) + "\n")
        sys.stdout.flush()


class LiveShown(Shown):
    """A table with a row for each machine, redrawn in place."""

    def __init__(self, console: Console) -> None:
        from rich.live import Live

        self._jobs: dict[tuple[str, str], JobSeen] = {}
        self._live = Live(console=console, get_renderable=self._table, refresh_per_second=2, transient=True)

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._live.stop()

    def tell(self, job: JobSeen) -> None:
        """Keep it for the next time the table is drawn."""
        self._jobs[job.host, job.suite] = job

    def _table(self) -> Any:
        jobs = list(self._jobs.values())
        ended = sum(job.state in ("done", "failed") for job in jobs)
        now = {job.host: job for job in reversed(jobs) if job.state != "waiting"}
        now |= {job.host: job for job in jobs if job.state == "running"}
        rows = [now[host] for host in dict.fromkeys(job.host for job in jobs) if host in now]
        title = f"{ended} of {counted(len(jobs), 'job')}"
        return drawn(Table.of(_LIVE, rows[:_MOST_SHOWN], title=title))


def shown(console: Console, *, as_json: bool, quiet: bool) -> Shown:
    """What shows how jobs stand: live on a terminal, lines into a pipe."""
    if as_json:
        return JsonShown()
    if quiet:
        return Shown()
    return LiveShown(console) if console.is_terminal and console.file.isatty() else LinesShown(console)


def show_fleet(
    jobs: Sequence[JobSeen], rows: Sequence[MachineRow], summaries: Sequence[OnMachines], console: Console
) -> None:
    """Print a row for each machine, then what many say together, then what has failed."""
    if rows:
        kinds = kind_label({row.row.kind for row in rows})
        show([Table.of(_ROWS, rows, title=f"Each machine by itself; joules {kinds}")], console)
    if summaries:
        show([Table.of(_TOGETHER, summaries, title="Random effects, over machines")], console)
    failed = [job for job in jobs if job.state == "failed"]
    if failed:
        say(console, f"{len(failed)} of {counted(len(jobs), 'job')} failed:")
        for job in failed:
            say(console, f"! {job.host}, {job.suite}: {job.stage}")


def fleet_to_json(
    jobs: Sequence[JobSeen], rows: Sequence[MachineRow], summaries: Sequence[OnMachines]
) -> dict[str, Any]:
    """The same for programs."""
    told = [
        {"host": one.host, "suite": one.suite, "run": one.run, **one.row.named()}
        | {"log_ratio": one.effect and one.effect.log_ratio}
        | {"standard_error": one.effect and one.effect.standard_error}
        for one in rows
    ]
    return {
        "jobs": [job_to_json(job) for job in jobs],
        "rows": told,
        "across_machines": [asdict(one) for one in summaries],
    }


def job_to_json(job: JobSeen) -> dict[str, Any]:
    """How a job stands."""
    return {**asdict(job), "run": None if job.run is None else str(job.run)}


def _slot(job: JobSeen) -> str | None:
    return None if job.slot is None else f"{job.slot} of {job.slots}"


def _between(low: float | None, high: float | None) -> str | None:
    return None if low is None or high is None else f"{low:.3g} to {high:.3g}"


def _percent(ratio: Estimate) -> str:
    """A ratio as what it saves, with its interval."""
    point, low, high = (100 * (1 - value) for value in (ratio.point, ratio.high, ratio.low))
    return f"{point:.1f} [{low:.1f}, {high:.1f}]"


_LIVE: tuple[Column[JobSeen], ...] = (
    Column("host", lambda job: job.host),
    Column("job", lambda job: job.suite, is_text=True),
    Column("window", _slot),
    Column("J/token", lambda job: job.joules_per_token),
    Column("time left", lambda job: None if job.left_s is None else clock(job.left_s)),
    Column("now", lambda job: job.stage if job.state == "running" else job.state, is_text=True),
)
_ROWS: tuple[Column[MachineRow], ...] = (
    Column("host", lambda one: one.host),
    Column("suite", lambda one: one.suite, is_text=True),
    Column("configuration", lambda one: one.row.label, is_text=True),
    Column("J/token", lambda one: one.row.joules_per_token),
    Column("95 %", lambda one: _between(one.row.joules_per_token_low, one.row.joules_per_token_high)),
    Column("saved %", lambda one: one.row.joules_saved_percent),
    Column("verdict", lambda one: one.row.verdict or "baseline", is_text=True),
    Column("grade", lambda one: one.row.grade),
)
_TOGETHER: tuple[Column[OnMachines], ...] = (
    Column("suite", lambda one: one.suite),
    Column("configuration", lambda one: one.configuration, is_text=True),
    Column("machines", lambda one: one.across.machines),
    Column("saved %, mean machine", lambda one: _percent(one.across.ratio)),
    Column("saved %, next machine", lambda one: _percent(one.across.next_machine)),
    Column("I2 %", lambda one: 100 * one.across.i2),
    Column("p alike", lambda one: one.across.p_alike),
)
