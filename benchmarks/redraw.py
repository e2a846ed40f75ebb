"""What the live display costs inside a window: its CPU seconds per second, as a share of one core.

    python benchmarks/redraw.py

The display draws on a terminal of its own (80x24 and 160x50), at the pace of a usual model (2 requests a
second) and of very fast ones (20 and 200). At the first two, 64 MB are read before each request, since a
model leaves nothing of the display in the caches. What goes on between requests is not counted. Nor is
what reading the clock costs, which is what a display that does nothing seems to cost.
"""

from __future__ import annotations

import os
import pty
import threading
import time
from typing import NamedTuple

import numpy as np
from rich.console import Console

from bench.run.display.live import LiveDisplay
from bench.run.display.plain import Display
from bench.run.observed import Joules
from bench.run.records import RequestRecord, SlotRecord
from bench.run.remaining import Remaining
from bench.suite.plan import PlannedSlot, make_arms, make_blocks

ALLOWED = 0.001
"""A thousandth of a core."""
PACES = ((2.0, 30.0), (20.0, 20.0), (200.0, 20.0))
"""Requests a second, and seconds."""
SIZES = ((80, 24), (160, 50))
PROMPTS = 50
JOULES = Joules(
    total_j=512.3,
    bound_j=1.2,
    rails_j={"cpu": 312.1, "gpu": 200.2, "ane": 0.0},
    readings=600,
    kind="simulated",
    boundary="soc_cpu_gpu_ane",
    grade=0,
    grade_name="simulated",
    grade_reasons=[],
)


class Cost(NamedTuple):
    """Of one display at one pace."""

    share: float
    """CPU seconds per second of the window."""
    longest_s: float
    """CPU seconds of the dearest request."""


def main() -> None:
    """Print a line per size and pace."""
    print("terminal  requests/s   share of a core   of the clock   longest request")
    for width, height in SIZES:
        for per_s, seconds_s in PACES:
            clock = _slot(Display(), per_s=per_s, seconds_s=seconds_s)
            live = measure((width, height), per_s=per_s, seconds_s=seconds_s)
            share = live.share - clock.share
            verdict = "ok" if share < ALLOWED else "TOO MUCH"
            print(
                f"{width:>4}x{height:<3} {per_s:>11.0f}   {share:>15.4%}   {clock.share:>12.4%}   "
                f"{live.longest_s * 1e3:>12.2f} ms   {verdict}"
            )


def measure(size: tuple[int, int], *, per_s: float, seconds_s: float) -> Cost:
    """Run one slot of so many seconds on a terminal that somebody reads."""
    leader, follower = pty.openpty()
    threading.Thread(target=_read, args=(leader,), daemon=True).start()
    with os.fdopen(follower, "w", encoding="utf-8") as terminal:
        console = Console(file=terminal, force_terminal=True, width=size[0], height=size[1])
        with LiveDisplay(console) as live:
            return _slot(live, per_s=per_s, seconds_s=seconds_s)


def _slot(display: Display, *, per_s: float, seconds_s: float) -> Cost:
    slots = make_blocks(
        make_arms(["torch"], ["ungated", "length"], baseline="ungated", a_a=True), count=5, seed=1
    )
    remaining = Remaining(slots, idle_s=20.0, slot_least_s=61.0)
    for slot in slots[0]:
        display.slot_started(slot, remaining=remaining)
        remaining.slot_took(slot, seconds_s=61.0 + slot.position)
        display.slot_done(_done(slot), [], thermal="Nominal")
    display.slot_started(slots[1][0], remaining=remaining)
    display.window_opens()
    weights = np.ones(64_000_000 // 8)
    costs_s = []
    opened_s = time.perf_counter()
    for number in range(int(per_s * seconds_s)):
        _wait_until(opened_s + number / per_s)
        if per_s < 100:
            weights.sum()
        request = _request(slots[1][0], number, opened_s)
        began_s = time.thread_time()
        display.request_done(request, of=PROMPTS)
        costs_s.append(time.thread_time() - began_s)
    return Cost(sum(costs_s) / (time.perf_counter() - opened_s), max(costs_s))


def _wait_until(instant_s: float) -> None:
    time.sleep(max(0.0, instant_s - time.perf_counter()))


def _request(slot: PlannedSlot, number: int, opened_s: float) -> RequestRecord:
    return RequestRecord(
        session=1,
        block=slot.block,
        position=slot.position,
        pass_number=number // PROMPTS + 1,
        backend=slot.arm.backend,
        gate=slot.arm.gate,
        a_a=slot.arm.a_a,
        prompt_id=f"prompt-{number % PROMPTS}",
        model="full",
        prompt_tokens=64,
        tokens=list(range(64)),
        forwards=63,
        start_s=opened_s,
        gated_s=opened_s,
        prefilled_s=opened_s,
        end_s=time.perf_counter(),
    )


def _done(slot: PlannedSlot) -> SlotRecord:
    return SlotRecord(
        session=1,
        block=slot.block,
        position=slot.position,
        backend=slot.arm.backend,
        gate=slot.arm.gate,
        a_a=slot.arm.a_a,
        passes=1,
        start_s=0.0,
        end_s=60.0,
        joules=JOULES,
    )


def _read(leader: int) -> None:
    try:
        while os.read(leader, 65_536):
            pass
    except OSError:  # the other end was closed
        os.close(leader)


if __name__ == "__main__":
    main()
