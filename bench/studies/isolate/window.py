"""One timed window of an isolation test: whole steps until it is long enough, device idle at both ends."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Any

from backends.cut import Cut
from bench.run.workers.messages import Message


@dataclass(frozen=True, kw_only=True)
class Plan:
    """How long and how often; from `configs/isolate.toml`."""

    window_s: float
    stream_bytes: int
    tests: tuple[str, ...] = ("S1", "S2", "S3", "S4", "S6", "S7", "S8", "S10")
    """Which are run; S5 is a figure of two others, and S9 goes with S2."""


@dataclass(frozen=True, kw_only=True)
class CallWork:
    """What one call of a setting did."""

    steps: int
    read_bytes: float
    """Of all these steps."""
    flops: float


@dataclass(frozen=True, kw_only=True)
class Tested:
    """Which test, at which value."""

    test: str
    batch: int = 1
    context: int = 0
    changed: bool = False
    layers: float = 1.0
    """Share of the layers that run."""
    also: tuple[str, ...] = ()
    """Other tests of which this is the plain side, so that it is timed once for all of them."""


@dataclass(frozen=True, kw_only=True)
class TimedWindow(Tested):
    """One timed window; `read_bytes` and `flops` are per step."""

    start_s: float
    end_s: float
    steps: int
    read_bytes: float
    flops: float


@dataclass(frozen=True, kw_only=True)
class CellOpened:
    """The tests that are not available, and why."""

    missing: dict[str, str]


@dataclass(frozen=True, kw_only=True)
class OpenCell(Message[CellOpened]):
    """Set up the tests of the loaded model."""

    cut: Cut
    plan: Plan


@dataclass(frozen=True, kw_only=True)
class RoundDone:
    """One window of every test."""

    windows: list[TimedWindow]


@dataclass(frozen=True, kw_only=True)
class NextRound(Message[RoundDone]):
    """Measure one window of every test."""

    number: int


@dataclass(frozen=True, kw_only=True)
class Setting(Tested):
    """One test at one value."""

    run: Callable[[Any], CallWork]
    """Does the steps and waits until the device is idle."""
    prepare: Callable[[], Any] = lambda: None
    """Whatever has to happen before each window, outside it."""
    per_round: int = 1


def measure(setting: Setting, synchronize: Callable[[], None], *, window_s: float) -> TimedWindow:
    """Repeat a setting until the window is long enough. Preparation lies outside."""
    total = CallWork(steps=0, read_bytes=0, flops=0)
    prepared = setting.prepare()
    synchronize()
    start_s = end_s = time.perf_counter()
    while end_s - start_s < window_s:
        done = setting.run(prepared)
        total = CallWork(
            steps=total.steps + done.steps,
            read_bytes=total.read_bytes + done.read_bytes,
            flops=total.flops + done.flops,
        )
        synchronize()
        end_s = time.perf_counter()
    return TimedWindow(
        **{field.name: getattr(setting, field.name) for field in fields(Tested)},
        start_s=start_s,
        end_s=end_s,
        steps=total.steps,
        read_bytes=total.read_bytes / total.steps,
        flops=total.flops / total.steps,
    )
