"""CPU time of the processes below one process, cheaply and often."""

from __future__ import annotations

import os
import sys
import time

import psutil

SCAN_S = 1.0
"""Listing all processes costs milliseconds, so new ones are looked for this often and no oftener."""


class DescendantsCpu:
    """CPU seconds used by all descendants of a process, those that have ended included.

    A process counts from when it is first seen, at most `SCAN_S` after its birth.
    """

    def __init__(self, root: int) -> None:
        self._root = root
        self._used_s: dict[int, float] = {}
        self._total_s = 0.0
        self._next_scan_s = 0.0

    def seconds(self) -> float:
        """CPU seconds since the first call; never falls."""
        now_s = time.perf_counter()
        if now_s >= self._next_scan_s:
            self._scan()
            self._next_scan_s = now_s + SCAN_S
        for pid, before_s in list(self._used_s.items()):
            used_s = cpu_s(pid)
            if used_s is None or used_s < before_s:  # ended, or its number was given to another process
                del self._used_s[pid]
            else:
                self._total_s += used_s - before_s
                self._used_s[pid] = used_s
        return self._total_s

    def _scan(self) -> None:
        try:
            children = psutil.Process(self._root).children(recursive=True)
        except psutil.NoSuchProcess:
            return
        for child in children:
            if child.pid != os.getpid() and child.pid not in self._used_s:
                used_s = cpu_s(child.pid)
                if used_s is not None:
                    self._used_s[child.pid] = used_s


def cpu_s(pid: int) -> float | None:
    """CPU seconds of one process, all its threads; None when it is gone.

    Linux has a clock for every process, in nanoseconds: its number is made from the process number as
    `clock_getcpuclockid(3)` makes it. Elsewhere psutil asks the kernel.
    """
    try:
        if sys.platform == "linux":
            return time.clock_gettime((~pid << 3) | 2)
        times = psutil.Process(pid).cpu_times()
        return float(times.user + times.system)
    except (OSError, psutil.Error):
        return None
