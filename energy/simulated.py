"""A stand-in for powermetrics, and the source that runs it.

    python -m energy.simulated -f plist -b 0 -i 100 -n 600 -s cpu_power
        --watch-descendants-of PID --truth FILE

It takes the real tool's command line and writes the real tool's stream, late and jittered as the real one,
so everything between a meter and a joule figure runs unchanged on a machine without a meter. Its power is
known: idle watts plus a constant times the CPU time of the processes that it watches; the exact joules go
to a truth file. What it prints is not a measurement and is marked as simulated.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import sys
import time
from pathlib import Path

from energy.base import EnergySource
from energy.cputime import DescendantsCpu
from energy.documents import apple_silicon
from energy.powermetrics import Meter, PowermetricsSource
from energy.truth import Truth, TruthWriter, read_truth

__all__ = ["Truth", "read_truth", "simulated"]

TRUTH = "power.truth"
RAILS = ("cpu", "gpu", "ane")
STEP_S = 0.01
GPU_SHARE_OF_IDLE = 0.25

HELP = """Usage: powermetrics [-d] [-i sample_interval] [-o order] [-t wakeup_cost]

The following samplers are supported by --samplers:

    cpu_power         cpu power and frequency info
    thermal           thermal pressure notifications
    gpu_power         gpu power and frequency info
    ane_power         dedicated rail ane power and frequency info
"""


def simulated(
    *, idle_w: float = 2.0, watts_per_core: float = 4.0, interval_ms: int = 100, seed: int = 0
) -> EnergySource:
    """The stand-in, run and read exactly as powermetrics is.

    Args:
        idle_w: watts with nothing running, e.g. 2.0.
        watts_per_core: watts of one core kept busy by a descendant of this process, e.g. 4.0.
        interval_ms: milliseconds between readings asked for, e.g. 100.
        seed: of the jitter, e.g. 0.
    """

    def own_arguments(folder: Path) -> list[str]:
        return [
            *("--watch-descendants-of", str(os.getpid()), "--truth", str(folder.resolve() / TRUTH)),
            *("--idle-w", repr(idle_w), "--watts-per-core", repr(watts_per_core), "--seed", str(seed)),
        ]

    meter = Meter(
        name="simulated",
        kind="simulated",
        command=(sys.executable, "-P", "-m", "energy.simulated"),
        needs_root=False,
        own_arguments=own_arguments,
    )
    return PowermetricsSource(meter, interval_ms=interval_ms)


class StandIn:
    """Integrates the model's power in small steps and prints an interval's joules when it ends."""

    def __init__(self, options: argparse.Namespace) -> None:
        self._options = options
        self._cpu = DescendantsCpu(options.watch_descendants_of)
        self._chance = random.Random(options.seed)
        self._truth = TruthWriter(options.truth, RAILS) if options.truth else None
        self._now_ns = time.perf_counter_ns()
        self._cpu_s = self._cpu.seconds()
        self._joules = (0.0, 0.0, 0.0)
        self._note()

    def run(self) -> None:
        """Print documents until there are enough, or until nobody reads them."""
        for number in range(self._options.n):
            begin_ns, begin_j, begin_cpu_s = self._now_ns, self._joules, self._cpu_s
            self._run_until(begin_ns + round(self._interval_s(number) * 1e9))
            document = apple_silicon(
                elapsed_ns=self._now_ns - begin_ns,
                timestamp_s=time.time(),
                energies_mj=_counted(begin_j, self._joules),
                active_cores=(self._cpu_s - begin_cpu_s) / (self._now_ns - begin_ns) * 1e9,
                cores=max(8, os.cpu_count() or 1),
            )
            if self._truth:
                self._truth.flush()
            _write_all(b"\0" * (number > 0) + document)

    def _interval_s(self, number: int) -> float:
        """100 ms asked gives 103-130; the first interval is anything."""
        stretch = self._chance.uniform(1.03, 1.30) if number else self._chance.uniform(0.3, 1.5)
        return float(self._options.i) / 1000 * stretch

    def _run_until(self, end_ns: int) -> None:
        while self._now_ns < end_ns:
            time.sleep(max(0.0, min(STEP_S, (end_ns - time.perf_counter_ns()) * 1e-9)))
            self._step()

    def _step(self) -> None:
        now_ns, cpu_s = time.perf_counter_ns(), self._cpu.seconds()
        idle_j = self._options.idle_w * (now_ns - self._now_ns) * 1e-9
        work_j = self._options.watts_per_core * (cpu_s - self._cpu_s)
        cpu_j, gpu_j, ane_j = self._joules
        self._joules = (
            cpu_j + idle_j * (1 - GPU_SHARE_OF_IDLE) + work_j,
            gpu_j + idle_j * GPU_SHARE_OF_IDLE,
            ane_j,
        )
        self._now_ns, self._cpu_s = now_ns, cpu_s
        self._note()

    def _note(self) -> None:
        if self._truth:
            self._truth.add(self._now_ns * 1e-9, self._joules)


def _counted(begin_j: tuple[float, ...], end_j: tuple[float, ...]) -> dict[str, int]:
    """Whole millijoules by rail, as a running counter of millijoules gives them."""
    pairs = zip(RAILS, begin_j, end_j, strict=True)
    return {rail: int(end * 1000) - int(begin * 1000) for rail, begin, end in pairs}


def _write_all(content: bytes) -> None:
    while content:
        content = content[os.write(sys.stdout.fileno(), content) :]


def _options(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="energy.simulated", add_help=False, allow_abbrev=False)
    parser.add_argument("-h", "--help", action="store_true")
    parser.add_argument("-i", type=int, default=5000)
    parser.add_argument("-n", type=int, default=sys.maxsize)
    parser.add_argument("-s")
    parser.add_argument("-f", choices=["plist"], default="plist")
    parser.add_argument("-b", type=int)
    parser.add_argument("--handle-invalid-values", action="store_true")
    parser.add_argument("--watch-descendants-of", type=int, default=os.getppid())
    parser.add_argument("--truth", type=Path)
    parser.add_argument("--idle-w", type=float, default=2.0)
    parser.add_argument("--watts-per-core", type=float, default=4.0)
    parser.add_argument("--seed", type=int, default=0)
    return parser.parse_args(arguments)


def main(arguments: list[str]) -> None:
    """Run the stand-in. It dies of its closed pipe as the real tool does."""
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    options = _options(arguments)
    if options.help:
        print(HELP)
    else:
        StandIn(options).run()


if __name__ == "__main__":
    main(sys.argv[1:])
