"""Choosing the energy source of a run."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import Any

from bench import plugins
from energy.base import EnergySource, SourceUnavailable

REAL_METERS = ("powermetrics",)
"""Sources that read a meter of this machine, best first."""


@dataclass(frozen=True, kw_only=True)
class Meter:
    """A source that was found usable, and why it was chosen."""

    source: EnergySource
    note: str


def choose(name: str, options: dict[str, Any]) -> Meter:
    """The source of that name, or for `auto` the best real meter, else the model.

    Raises:
        UserError: unknown source or option.
        SourceUnavailable: the named source can't run here.
    """
    if name == "auto":
        return _best(options)
    source: EnergySource = plugins.create("energy", name, options)
    source.check()
    return Meter(source=source, note=f"{name}, as asked for")


def _best(options: dict[str, Any]) -> Meter:
    reasons = []
    for name in REAL_METERS:
        source: EnergySource = plugins.create("energy", name, options)
        try:
            source.check()
        except SourceUnavailable as error:
            reasons.append(f"{name}: {error}")
            continue
        return Meter(source=source, note=f"{name}, the best meter of this machine")
    modelled = plugins.create("energy", "modelled", {})
    why = "this is not a Mac" if sys.platform != "darwin" else "; ".join(reasons)
    return Meter(
        source=modelled,
        note=f"no meter can be read ({why}): joules are MODELLED from CPU time, not measured",
    )
