"""CPU time of the processes below one process, cheaply and often."""

from __future__ import annotations

import os
import resource
import sys
import time
from collections.abc import Collection
from dataclasses import dataclass

import psutil

REAPED_S = 0.1
"""Asking for the time of a process's ended children takes 30 microseconds, so it is done this often."""

SCAN_S = 1.0
"""Listing all processes costs milliseconds, so new ones are looked for this often and no oftener."""


@dataclass
class _Seen:
    """A process as it was read last."""

    parent: int
    own_s: float
    reaped_s: float
    """CPU seconds of its children that have ended and were waited for, and of theirs."""
    told_s: float = 0.0
    """Of `reaped_s`, what was counted already while those children ran."""
    counted_s: float = 0.0
    """Of `reaped_s`, what was counted when they were waited for."""
    unseen_s: float = 0.0
    """Used between its birth and when it was first seen: counted when it is waited for."""


class DescendantsCpu:
    """CPU seconds used by all descendants of a process, those that have ended included.

    A process counts from when it is first seen, at most `SCAN_S` after its birth, and if it ended unseen from
    when it was waited for: the system then adds its time to its parent's. Linux tells that of every process
    (to 10 ms), other systems of this one alone.

    Args:
        root: the process.
        with_root: count the process itself too.
    """

    def __init__(self, root: int, *, with_root: bool = False) -> None:
        self._root, self._with_root = root, with_root
        self._seen: dict[int, _Seen] = {}
        self._total_s = 0.0
        self._is_first = True
        self._next_scan_s = self._next_reaped_s = 0.0

    @property
    def is_alive(self) -> bool:
        """Whether the root still runs."""
        return cpu_s(self._root) is not None

    def seconds(self) -> float:
        """CPU seconds since the first call; never falls."""
        now_s = time.perf_counter()
        if now_s >= self._next_scan_s:
            self._scan()
            self._next_scan_s = now_s + SCAN_S
        gone, asks = [], now_s >= self._next_reaped_s
        if asks:
            self._next_reaped_s = now_s + REAPED_S
        for pid, seen in self._seen.items():  # parents first: one that ends between is not counted in both
            used_s = cpu_s(pid)
            if used_s is None or used_s < seen.own_s:  # ended, or its number was given to another process
                gone.append(pid)
                continue
            if pid != self._root or self._with_root:
                self._total_s += used_s - seen.own_s
            seen.own_s = used_s
            if asks or pid == os.getpid():
                seen.reaped_s = max(seen.reaped_s, reaped_s(pid))
        for pid in reversed(gone):  # children first
            self._tell_parent(pid)
        for seen in self._seen.values():
            new_s = max(0.0, seen.reaped_s - seen.told_s - seen.counted_s)
            self._total_s += new_s
            seen.counted_s += new_s
        return self._total_s

    def _tell_parent(self, pid: int) -> None:
        """The parent of one that ended, if it waited for it, is told all of its time, most of it counted."""
        seen = self._seen.pop(pid)
        parent = self._seen.get(seen.parent)
        if parent is not None:
            of_its_own = max(0.0, seen.told_s - (seen.reaped_s - seen.counted_s))
            parent.told_s += seen.own_s + seen.reaped_s - seen.unseen_s + of_its_own

    def _scan(self) -> None:
        try:
            root = psutil.Process(self._root)
            processes = [root, *root.children(recursive=True)]
        except psutil.NoSuchProcess:
            return
        for process in processes:
            pid = process.pid
            is_meter = pid == os.getpid() != self._root
            if is_meter or pid in self._seen or (used_s := cpu_s(pid)) is None:
                continue
            before_s = reaped_s(pid)
            self._seen[pid] = _Seen(
                parent=_parent(process),
                own_s=used_s,
                reaped_s=before_s,
                counted_s=before_s,
                unseen_s=0.0 if self._is_first else used_s + before_s,
            )
        self._is_first = False


def roots(processes: Collection[int]) -> list[int]:
    """Those that are below none of the others, nor below this process, whose descendants count anyway."""
    found, others = [], {*processes, os.getpid()}
    for number in sorted(processes):
        try:
            above = {process.pid for process in psutil.Process(number).parents()}
        except psutil.Error:
            above = set()
        if not above & others:
            found.append(number)
    return found


def _parent(process: psutil.Process) -> int:
    try:
        return process.ppid()
    except psutil.Error:
        return 0


def reaped_s(pid: int) -> float:
    """CPU seconds of a process's children that ended and were waited for; 0 where the system hides it."""
    if pid == os.getpid():
        used = resource.getrusage(resource.RUSAGE_CHILDREN)
        return used.ru_utime + used.ru_stime
    try:
        times = psutil.Process(pid).cpu_times()
        return float(times.children_user + times.children_system)
    except (OSError, psutil.Error):
        return 0.0


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
