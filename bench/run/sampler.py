"""The one meter of a program that measures itself, and what its windows come to by name."""

from __future__ import annotations

import math
import shutil
import threading
from dataclasses import dataclass
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.errors import UserError
from bench.run import privilege, sources
from bench.run.joules import Sources, sum_of
from bench.run.meter import Meter
from bench.run.observed import Joules
from bench.run.sources import ChosenMeter
from bench.show.words import bound, joules, kind_label
from bench.suite import plugins
from energy.base import SourceInfo

PENDING = 65_536
"""Windows whose joules nobody has asked for yet; when there are so many they are added up."""
TOUCH_S, TOUCH_SHARE = 1e-4, 0.01
"""A window that begins so soon after the last of its name, and so soon beside its length, goes on with it."""
SELF_TEST_S = 5.0
OWN = {"own_process": True}
"""Of sources that model power from CPU time: here the work is done in this process."""
FROM_CPU_TIME = ("modelled", "simulated")


@dataclass(frozen=True, kw_only=True)
class NameTotal:
    """All windows of one name."""

    count: int
    seconds: float
    joules: float | None
    """None where nothing is known of them; `not_estimated` says why."""
    bound: float | None
    kind: str
    not_estimated: str | None = None

    @property
    def watts(self) -> float | None:
        """Mean power."""
        return None if self.joules is None or not self.seconds else self.joules / self.seconds

    def __repr__(self) -> str:
        figure = (
            f"no joules ({self.not_estimated})" if self.joules is None else _figure(self.joules, self.bound)
        )
        return f"<{self.count} windows: {figure} in {self.seconds:.4g} s; {kind_label([self.kind])}>"


@dataclass
class _Sum:
    count: int = 0
    seconds: float = 0.0
    pieces: int = 0
    """Windows, with those that touch taken as one."""
    joules: float = 0.0
    bound: float = 0.0
    unknown: int = 0


class Sampler:
    """A running meter.

    Raises:
        SourceUnavailable: it can't run here.
    """

    def __init__(self, energy: str, options: dict[str, Any], *, self_test: bool) -> None:
        privilege.lower(allow_root=True, for_meter=True)  # the program goes on as the user who typed sudo
        self._meter = Meter(chosen(energy, options))
        self._scratch = Path(
            mkdtemp(prefix="joulebench-")
        )  # removed by `stop` alone: a forked child must not
        try:
            self._meter.start(self._scratch)
            if self_test:
                self._meter.self_test(seconds_s=SELF_TEST_S, session=1)
                self._meter.lag("before", session=1, most_s=60.0)
        except BaseException:
            self.stop()
            raise
        self._names: dict[str, int] = {}
        self._sums: list[_Sum] = []
        self._edges = np.empty((PENDING, 2))
        self._of = np.empty(PENDING, dtype=np.intp)
        self._pending = 0
        self._lock = threading.Lock()
        self._reading = threading.RLock()
        self._is_stopped = False

    @property
    def info(self) -> SourceInfo:
        """What the joules are."""
        return self._meter.info

    @property
    def note(self) -> str:
        """Why this source."""
        return self._meter.note

    def stop(self) -> None:
        """End the meter; nothing of it is left."""
        self._is_stopped = True
        self._meter.stop()
        shutil.rmtree(self._scratch, ignore_errors=True)

    def joules(self, start_s: float, end_s: float) -> Joules:
        """Joules of one window; waits for the readings that cover it.

        Raises:
            UserError: the sampler was stopped.
        """
        with self._reading:
            if self._is_stopped:
                raise UserError(
                    "the sampler was stopped, and what it read is gone", fix="ask before measure.stop()"
                )
            return self._meter.joules(start_s, end_s)

    def add(self, name: str, start_s: float, end_s: float) -> None:
        """A window of that name has ended."""
        with self._lock:
            number = self._names.get(name)
            if number is None:
                number = self._names[name] = len(self._sums)
                self._sums.append(_Sum())
            if self._pending == PENDING:
                self._add_up(until_s=self._covered_s())
            at = self._pending
            self._edges[at, 0], self._edges[at, 1], self._of[at] = start_s, end_s, number
            self._pending = at + 1

    def totals(self) -> dict[str, NameTotal]:
        """All windows so far by name; waits for the readings that cover the last."""
        with self._lock:
            self._add_up(until_s=math.inf)
            return {name: self._total(self._sums[number]) for name, number in self._names.items()}

    def _covered_s(self) -> float:
        """When the last reading ended that has another after it, so that windows before it can be priced."""
        with self._reading:
            end_s = self._meter.sources().lead.trace.end_s
        covered_s = float(end_s[-2]) if len(end_s) > 1 else -math.inf
        return covered_s if covered_s >= self._edges[:, 1].min() else math.inf

    def _add_up(self, *, until_s: float) -> None:
        """Attribute the windows that ended until then, and forget them; waits for their readings."""
        edges, of = self._edges[: self._pending], self._of[: self._pending]
        ended = edges[:, 1] <= until_s
        later, later_of = edges[~ended].copy(), of[~ended].copy()
        edges, of = edges[ended], of[ended]
        if len(edges):
            with self._reading:
                self.joules(float(edges[:, 0].min()), float(edges[:, 1].max()))
                read = self._meter.sources()
            self._sum_up(edges, of, read)
        self._pending = len(later)
        self._edges[: self._pending], self._of[: self._pending] = later, later_of

    def _sum_up(self, edges: NDArray[np.float64], of: NDArray[np.intp], read: Sources) -> None:
        for number in np.unique(of).tolist():
            mine = edges[of == number]
            whole = joined(mine[np.argsort(mine[:, 0], kind="stable")])
            found, into = sum_of(whole, read), self._sums[number]
            into.count += len(mine)
            into.pieces += len(whole)
            into.seconds += float((mine[:, 1] - mine[:, 0]).sum())
            into.joules += found.joules_j
            into.bound += found.bound_j
            into.unknown += found.unknown

    def _total(self, into: _Sum) -> NameTotal:
        why = None
        if into.unknown:
            why = f"{into.unknown} of {into.pieces} windows have no readings, or a fault touches them"
        elif into.bound >= into.joules:
            each_ms = 1e3 * into.seconds / max(1, into.pieces)
            why = f"windows of {each_ms:.3g} ms, apart, are too short for this meter's readings"
        return NameTotal(
            count=into.count,
            seconds=into.seconds,
            joules=None if why else into.joules,
            bound=None if why else into.bound,
            kind=self.info.kind,
            not_estimated=why,
        )


def joined(windows: NDArray[np.float64]) -> NDArray[np.float64]:
    """Windows that touch as one, so that only the ends of the whole cut readings.

    Args:
        windows: (start, end), shape (m, 2), ascending.
    """
    gap_s, length_s = windows[1:, 0] - windows[:-1, 1], windows[1:, 1] - windows[1:, 0]
    touches = (gap_s >= 0) & (gap_s <= TOUCH_S) & (gap_s <= TOUCH_SHARE * length_s)
    first = np.concatenate([[True], ~touches])
    last = np.concatenate([~touches, [True]])
    return np.column_stack([windows[first, 0], windows[last, 1]])


def chosen(energy: str, options: dict[str, Any]) -> ChosenMeter:
    """The source that was asked for; one that models power from CPU time counts this process too."""
    if energy in FROM_CPU_TIME:
        return sources.choose(energy, {**OWN, **options})
    found = sources.choose(energy, options)
    if found.source.info.kind != "modelled":
        return found
    return ChosenMeter(source=plugins.create("energy", "modelled", dict(OWN)), note=found.note)


def words(found: Joules, seconds: float) -> str:
    """`4.02 J (± 0.12) in 2 s, 2.01 W; measured, grade 1 sampled`."""
    if found.total_j is None:
        return f"no joules in {seconds:.4g} s ({found.withheld})"
    said = f"{_figure(found.total_j, found.bound_j)} in {seconds:.4g} s, {found.total_j / seconds:.3g} W"
    return f"{said}; {kind_label([found.kind])}, grade {found.grade} {found.grade_name}"


def _figure(joules_j: float, bound_j: float | None) -> str:
    return f"{joules(joules_j)} J (± {bound(joules_j, bound_j)})"
