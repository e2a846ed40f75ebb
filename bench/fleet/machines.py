"""What a fleet has found: a row for each configuration on each machine, and what many machines say together.

No joules of two machines are ever put into one figure. From five machines on their ratios have a summary.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from scipy import stats

from analysis.across import AcrossMachines, MachineEffect, across
from analysis.verdict import VERDICTS
from bench.fleet.job import JobSeen
from bench.report.arm_row import ArmRow
from bench.report.story import Story


@dataclass(frozen=True, kw_only=True)
class MachineRow:
    """A configuration on a machine."""

    host: str
    suite: str
    run: str
    """Folder."""
    row: ArmRow
    effect: MachineEffect | None
    """Against what it is compared with; None without an interval."""


@dataclass(frozen=True, kw_only=True)
class OnMachines:
    """A configuration of a suite on all machines that have an interval of it, with joules of one boundary."""

    suite: str
    configuration: str
    against: str
    boundary: str
    kind: str
    across: AcrossMachines


def rows_of_fleet(jobs: Iterable[JobSeen]) -> Iterator[MachineRow]:
    """The rows of every run that is here, its joules attributed anew from the raw readings."""
    for job in jobs:
        if job.run is None:
            continue
        story = Story.of(job.run)
        level = story.slots[0].level if story.slots else math.nan
        for row in story.summary.rows:
            if not row.a_a:
                effect = _effect(row, level)
                yield MachineRow(host=job.host, suite=job.suite, run=str(job.run), row=row, effect=effect)


def together(rows: Sequence[MachineRow]) -> list[OnMachines]:
    """Where five machines or more have an interval of one configuration, what they say together."""
    alike: dict[tuple[str, str, str, str, str], list[MachineEffect]] = {}
    for one in rows:
        row = one.row
        if one.effect is not None and row.against is not None:
            key = (one.suite, row.label, row.against, row.boundary, row.kind)
            alike.setdefault(key, []).append(one.effect)
    found = []
    for (suite, configuration, against, boundary, kind), effects in alike.items():
        summary = across(effects)
        if summary is not None:
            found.append(
                OnMachines(
                    suite=suite,
                    configuration=configuration,
                    against=against,
                    boundary=boundary,
                    kind=kind,
                    across=summary,
                )
            )
    return found


def _effect(row: ArmRow, level: float) -> MachineEffect | None:
    """The log-ratio behind a saving: its interval is t's, with blocks - 1 degrees of freedom."""
    saved = (row.joules_saved_percent, row.saved_low_percent, row.saved_high_percent)
    if row.verdict not in VERDICTS or None in saved:
        return None
    point, most, least = (1 - percent / 100 for percent in saved if percent is not None)
    if least <= 0 or most <= least:
        return None
    reach = math.log(most / least) / 2
    t = float(stats.t.ppf((1 + level) / 2, row.blocks - 1))
    return MachineEffect(log_ratio=math.log(point), standard_error=reach / t)
