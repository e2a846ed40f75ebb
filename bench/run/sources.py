"""Choosing the energy source of a run."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from bench.run import awake, privilege
from bench.suite import plugins
from energy import machine
from energy.base import EnergySource, SourceUnavailable
from energy.powermetrics import PowermetricsSource
from energy.together import Together

REAL_METERS = ("powermetrics", "ioreport", "rapl")
"""Sources that read a meter of this machine, best first."""
_NOT_OF_A_MAC = ("rapl",)


def real_meters() -> tuple[str, ...]:
    """Those of `REAL_METERS` that a machine of this kind can have; elsewhere all, for what they say."""
    return tuple(name for name in REAL_METERS if not (machine.is_mac() and name in _NOT_OF_A_MAC))


@dataclass(frozen=True, kw_only=True)
class ChosenMeter:
    """A source that was found usable, and why it was chosen."""

    source: EnergySource
    note: str
    shared: Shared | None = None
    """Who keeps it running for several runs; None: it is started for one and ended with it."""


def choose(name: str, options: dict[str, Any], *, cross_check: Sequence[str] = ()) -> ChosenMeter:
    """The source of that name, or for `auto` the best real meter, else the model.

    Args:
        name: `auto` or an energy source.
        options: of that source.
        cross_check: further sources, with their default options, that run beside it and check it.

    Raises:
        UserError: unknown source or option.
        SourceUnavailable: the named source can't run here.
    """
    lead = _best(options) if name == "auto" else _named(name, options)
    if not cross_check:
        return lead
    others = [_named(other, {}).source for other in cross_check]
    return ChosenMeter(
        source=Together(lead.source, others), note=f"{lead.note}; checked by {', '.join(cross_check)}"
    )


class Shared:
    """One meter for all runs of a command: sudo is asked once, and root is given up when the first begins.

    Use as a context manager around the runs. A source that has to be root nowhere is started for each.
    """

    def __init__(self) -> None:
        self._asked: object = None
        self._chosen: ChosenMeter | None = None
        self._runs = False

    def __enter__(self) -> Shared:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def choose(self, name: str, options: dict[str, Any], *, cross_check: Sequence[str] = ()) -> ChosenMeter:
        """As `choose`; what was chosen before where the same is asked for."""
        asked = name, options, list(cross_check)
        if self._chosen is None or asked != self._asked:
            self.stop()
            self._asked = asked
            self._chosen = replace(choose(name, options, cross_check=cross_check), shared=self)
        return self._chosen

    def start(self, folder: Path) -> None:
        """Start it, or let it go on in another folder."""
        assert self._chosen is not None
        source = self._chosen.source
        if self._runs and isinstance(source, PowermetricsSource):
            source.go_on_in(folder)
            return
        if self._runs:
            source.stop()
        source.start(folder)
        self._runs = True

    def stop(self) -> None:
        """End it."""
        if self._chosen is not None and self._runs:
            self._chosen.source.stop()
            self._runs = False


@contextmanager
def started(meter: ChosenMeter, folder: Path) -> Iterator[EnergySource]:
    """The meter, running, on a machine that stays awake; root, if there was any, is given up once it runs.

    Args:
        meter: what was chosen.
        folder: for its stream; made here, and so by the user who typed the command.
    """
    folder.mkdir(parents=True, exist_ok=True)
    if meter.shared is None:
        meter.source.start(folder)
    else:
        meter.shared.start(folder)
    owner = os.getpid()
    try:
        privilege.give_up()
        with awake.kept():
            yield meter.source
    finally:
        # a forked child drops this frame, and its parent's meter runs on
        if os.getpid() == owner and meter.shared is None:
            meter.source.stop()


def _named(name: str, options: dict[str, Any]) -> ChosenMeter:
    source: EnergySource = plugins.create("energy", name, options)
    source.check()
    return ChosenMeter(source=source, note=f"{name}, as asked for")


def _best(options: dict[str, Any]) -> ChosenMeter:
    reasons, fixes = [], list[str | None]()
    for name in real_meters():
        try:
            meter = _named(name, options)
        except SourceUnavailable as error:
            reasons.append(f"{name}: {error.what}")  # what to use is chosen below
            fixes.append(error.fix)
            continue
        return ChosenMeter(source=meter.source, note=f"{name}, the best meter of this machine")
    modelled = plugins.create("energy", "modelled", {})
    why = "; ".join(reasons) if machine.is_mac() else f"this is not a Mac; {reasons[-1]}"
    to_measure = f" (to measure: {fixes[0]})" if machine.is_mac() and fixes[0] else ""
    return ChosenMeter(
        source=modelled,
        note=f"no meter can be read ({why}): joules are MODELLED from CPU time, not measured{to_measure}",
    )
