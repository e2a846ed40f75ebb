"""What a window of `bench.measure` costs beside its sampler, and whether its memory is flat.

    python benchmarks/measure_cost.py

A loop of empty windows is timed beside the same loop without them, by the CPU time of its thread, which
another process's load doesn't change. Then 100,000 windows are opened and closed, and the memory that Python
holds is compared with what it held after the first thousand.
"""

from __future__ import annotations

import gc
import time
import tracemalloc
from collections.abc import Callable

from bench import measure

WINDOWS = 100_000
FIRST = 1_000
ROUNDS = 5
ALLOWED_US = 50.0
ALLOWED_BYTES = 1_000_000


def with_block(count: int) -> None:
    """Windows as `with` blocks."""
    for _ in range(count):
        with measure("with"):
            pass


def by_name(count: int) -> None:
    """Windows as a training loop has them."""
    for _ in range(count):
        measure.begin("named")
        measure.end("named")


def nothing(count: int) -> None:
    """The loop alone."""
    for _ in range(count):
        pass


def cost_us(windows: Callable[[int], None], *, count: int = 10_000) -> float:
    """CPU microseconds of this thread for one window; the least of several rounds."""
    taken = []
    for _ in range(ROUNDS):
        began_s = time.thread_time()
        windows(count)
        taken.append((time.thread_time() - began_s) / count)
    return 1e6 * min(taken)


def held_bytes() -> int:
    """Memory that Python objects and arrays take."""
    gc.collect()
    return tracemalloc.get_traced_memory()[0]


def growth_bytes() -> int:
    """Memory that 100,000 windows leave behind, beside that of the first thousand."""
    tracemalloc.start()
    with_block(FIRST)
    before = held_bytes()
    with_block(WINDOWS - FIRST)
    grown = held_bytes() - before
    tracemalloc.stop()
    return grown


def main() -> None:
    """Print both."""
    measure.start("modelled")
    loop_us = cost_us(nothing)
    for name, windows in (("with measure()", with_block), ("begin and end", by_name)):
        print(f"{name}: {cost_us(windows) - loop_us:.1f} us a window ({ALLOWED_US:g} are allowed)")
    grown = growth_bytes()
    print(f"memory after {WINDOWS} windows: {grown / 1e3:+.0f} kB ({ALLOWED_BYTES / 1e3:g} are allowed)")
    print(measure.totals()["with"])
    measure.stop()


if __name__ == "__main__":
    main()
