"""Joules from a model of this machine, where there is no meter: not a measurement, and marked so.

    joules = idle_w * seconds + watts_per_core * CPU seconds of the processes below this one and of servers

Both constants come from the settings, never from a guess at the chip. Work on a GPU is not seen.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable

from energy.base import EnergySource, SourceInfo
from energy.cputime import DescendantsCpu
from energy.polled import PolledSource


def modelled(
    *, idle_w: float = 2.0, watts_per_core: float = 4.0, interval_ms: int = 100, own_process: bool = False
) -> EnergySource:
    """Idle watts plus watts per busy core.

    Args:
        idle_w: watts of the machine with nothing running, e.g. 2.0.
        watts_per_core: watts that one busy core adds, e.g. 4.0.
        interval_ms: milliseconds between readings, e.g. 100.
        own_process: count this process too, as where the work is done in it, e.g. false.
    """
    cpu = [DescendantsCpu(os.getpid(), with_root=own_process)]

    def counter() -> dict[str, float | None]:
        if not all(tree.is_alive for tree in cpu):
            return {"cpu": None}
        used_s = sum(tree.seconds() for tree in cpu)
        return {"cpu": idle_w * time.perf_counter() + watts_per_core * used_s}

    also = " and of itself" if own_process else ""
    info = SourceInfo(
        name="modelled",
        kind="modelled",
        rails=("cpu",),
        boundary="modelled",
        interval_s=interval_ms / 1000,
        resolution_j=0.0,
        details={
            "idle_w": repr(idle_w),
            "watts_per_core": repr(watts_per_core),
            "sees": f"CPU time of the processes below the harness{also}; no GPU",
        },
    )
    return ModelledSource(info, counter, cpu)


class ModelledSource(PolledSource):
    """A model of this machine, to which processes elsewhere can be added."""

    def __init__(
        self,
        info: SourceInfo,
        read: Callable[[], dict[str, float | None]],
        cpu: list[DescendantsCpu],
    ) -> None:
        super().__init__(info, read)
        self._cpu = cpu

    def count_also(self, processes: Iterable[int]) -> None:
        """Count the CPU time of these and of all below them too; once one is gone, nothing is known."""
        self._cpu += [DescendantsCpu(number, with_root=True) for number in processes]
