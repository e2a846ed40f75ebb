"""The meter of one session: started first, trusted after its self-test, asked for the joules of windows."""

from __future__ import annotations

import time
from collections.abc import Collection, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import numpy as np

from backends.base import Served
from bench.errors import NoJoules, RunFailed
from bench.run import workloads
from bench.run.cooling import cool_down
from bench.run.joules import MeterTrust, Sources, Window, joules_of
from bench.run.observed import Joules
from bench.run.records import LagRecord, SelfTestRecord
from bench.run.sources import ChosenMeter, started
from energy.base import SourceInfo
from energy.cadence import seen_cadence
from energy.cputime import roots
from energy.lag import Lag
from energy.modelled import ModelledSource
from energy.polled import PolledSource
from energy.selftest import find_lag, judge_windows, outcome, put_loads

READING_DELAY_S = 3.0
"""How long after a window the reading that covers its end may take to arrive, beside its interval."""

_PATIENCE = 2
"""After so many windows in a row without a reading at their end the meter is taken for dead."""


class Meter:
    """A running meter, and what is known of it."""

    def __init__(self, meter: ChosenMeter) -> None:
        self.note = meter.note
        self._meter = meter
        self._open = ExitStack()
        self._source = meter.source
        self._trust = MeterTrust()
        self._silent: dict[str, str] = {}
        self._lag: Lag | None = None
        self._idle_w: float | None = None
        self._uncovered = 0
        self.thermal: str | None = None
        """Thermal pressure when the last window was closed; None where the meter does not tell it."""

    @property
    def info(self) -> SourceInfo:
        """What its joules are."""
        return self._source.info

    def start(self, folder: Path) -> None:
        """Start the meter; root, if there was any, is given up as soon as it runs."""
        self._open.enter_context(started(self._meter, folder))
        self._began_s = time.perf_counter()

    def count_servers(self, servers: Collection[Served]) -> None:
        """Where joules are modelled from CPU time: count that of servers too. A meter has all in it.

        Raises:
            NoJoules: their processes are not known.
        """
        if self.info.kind != "modelled":
            return
        for server in servers:
            if server.unknown or not isinstance(self._source, ModelledSource):
                raise NoJoules(
                    f"joules of the server at {server.url} are not estimated, as its CPU time is not known: "
                    f"{server.unknown or 'the source can not count it'}",
                    fix="run bench as the user who runs the server, or with a meter",
                )
        processes = {number for server in servers for number in server.processes}
        if isinstance(self._source, ModelledSource):
            self._source.count_also(roots(processes))

    def stop(self) -> None:
        """End it."""
        self._open.close()

    def cadence_s(self) -> float:
        """Seconds between readings, as seen since the start."""
        return seen_cadence(self._source, began_s=self._began_s)

    def self_test(self, *, seconds_s: float, session: int) -> SelfTestRecord | None:
        """Does each rail move when it should? None for a source that has no meter, or no time for it."""
        if not seconds_s or self.info.kind not in ("measured", "simulated"):
            return None
        start_s = time.perf_counter()
        windows = put_loads(self._source, workloads.commands(self.info.kind), seconds=seconds_s)
        findings = judge_windows(self._source.trace(), windows)
        tested = outcome(findings, self.info.rails)
        self._trust = MeterTrust(self_test=tested.word)
        self._silent = tested.silent
        return SelfTestRecord(
            session=session,
            start_s=start_s,
            end_s=time.perf_counter(),
            outcome=tested.word,
            reason=tested.reason,
            findings=findings,
            windows=windows,
        )

    def lag(self, where: str, *, session: int, most_s: float) -> LagRecord | None:
        """When does the meter show what was commanded? None for a source that has no meter.

        The pulses take no longer than `most_s`.
        """
        if self.info.kind not in ("measured", "simulated"):
            return None
        lag = find_lag(self._source, workloads.commands(self.info.kind)["cpu spin"], most_s=most_s)
        if where == "before":
            self._lag = lag
        return LagRecord(session=session, where=where, lag=lag)

    def idle(self, seconds_s: float) -> tuple[float, float, Joules]:
        """Let time pass; its start, end and joules. The first such power is the band for `cool_down`."""
        start_s = time.perf_counter()
        time.sleep(seconds_s)
        end_s = time.perf_counter()
        joules = self.joules(start_s, end_s)
        if self._idle_w is None and joules.total_j is not None:
            self._idle_w = joules.total_j / (end_s - start_s)
        return start_s, end_s, joules

    def cool_down(self, *, rest_s: float, limit_s: float) -> str | None:
        """Rest until the machine is cool and quiet; returns what was still wrong when time was up."""
        return cool_down(self._source, rest_s=rest_s, idle_w=self._idle_w, limit_s=limit_s)

    def joules(self, start_s: float, end_s: float) -> Joules:
        """Wait until a reading covers the window's end, then attribute."""
        covered = self._source.wait(end_s, timeout_s=READING_DELAY_S + 3 * self.info.interval_s)
        self._uncovered = 0 if covered else self._uncovered + 1
        sources = self.sources()
        self.thermal = sources.lead.trace.thermal[-1][1] if sources.lead.trace.thermal else None
        return joules_of([(start_s, end_s)], sources, self._trust)[0]

    def joules_again(self, windows: Sequence[Window], *, idle_stable: bool | None) -> list[Joules]:
        """The joules of windows whose readings are in, once it is known whether idle was stable."""
        return joules_of(windows, self.sources(), replace(self._trust, idle_stable=idle_stable))

    def edge(self) -> float | None:
        """Where a window opens or closes: a model is read at once; None: a meter reads when it reads."""
        if self.info.kind == "modelled" and isinstance(self._source, PolledSource):
            return self._source.read_now()
        return None

    def sources(self) -> Sources:
        """All readings so far, as they are attributed."""
        return Sources.running(self._source).without(self._silent).placed(self._lag)

    def check_measures(self) -> None:
        """Raise `NoJoules` if no slot can have a total: a rail was never read, or answered no load."""
        trace = self._source.trace()
        unread = {
            rail: "no reading so far has it"
            for rail in self.info.rails
            if rail not in trace.rails or np.isnan(trace.joules[:, trace.rails.index(rail)]).all()
        }
        reasons = {rail: why for rail, why in (unread | self._silent).items() if rail in self.info.rails}
        if reasons:
            why = "; ".join(dict.fromkeys(reasons.values()))
            raise NoJoules(
                f"no window of this run can have joules, as {self.info.name} can't read "
                f"{', '.join(reasons)}: {why}",
                fix="to run without a meter add: --energy modelled (to look at the meter: bench meter test)",
            )

    def check_alive(self) -> None:
        """Raise `RunFailed` if window after window has had no readings: hours of nothing help nobody."""
        if self._uncovered >= _PATIENCE:
            raise RunFailed(f"the meter {self.info.name} gives no readings any more")
