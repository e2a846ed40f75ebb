"""The program that stands in for powermetrics: its command line, its stream, its ways of failing.

Power is integrated as it happens: idle watts, plus a constant times the CPU time of the processes below the
watched one. As in a real machine, work that follows a rest draws nothing until the machine is awake, power
follows the work as a first-order response, and counters can be shown late. Real Macs have shown onsets 27
ms late and offsets 7 ms early; nothing here can be early. Whatever else is asked for happens to the stream
alone; the truth file stays true.
"""

from __future__ import annotations

import argparse
import math
import os
import random
import sys
import time
from collections import deque
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TextIO

from energy.cputime import DescendantsCpu
from energy.lab.documents import SHAPES, Told, document

RAILS = ("cpu", "gpu", "ane")
STEP_S = 0.01
GPU_SHARE_OF_IDLE = 0.25
FAULT_LASTS_S = 1.5
REST_S, AWAKE_CORES = 0.04, 0.05
"""A rest is this long with less than this of a core at work; shorter gaps are those of a busy machine."""

HELP = """Usage: powermetrics [-d] [-i sample_interval] [-o order] [-t wakeup_cost]

The following samplers are supported by --samplers:

    cpu_power         cpu power and frequency info
    thermal           thermal pressure notifications
    gpu_power         gpu power and frequency info
    ane_power         dedicated rail ane power and frequency info
"""

Joules = tuple[float, float, float]


class TruthWriter:
    """Writes the exact joules as power is simulated, so that a measurement can be marked.

    The file is text: a heading `time_s` and `<rail>_j` parted by tabs, then a line every ten milliseconds or
    so with the harness time and the joules since the start. Between two lines power is constant.
    """

    def __init__(self, path: Path, rails: tuple[str, ...]) -> None:
        self._file: TextIO = path.open("a", encoding="ascii")
        if self._file.tell() == 0:
            self._file.write("\t".join(["time_s", *(f"{rail}_j" for rail in rails)]) + "\n")

    def add(self, time_s: float, joules: tuple[float, ...]) -> None:
        """Note the joules of all rails up to an instant."""
        self._file.write("\t".join(f"{value:.9f}" for value in (time_s, *joules)) + "\n")

    def flush(self) -> None:
        """Hand everything to the operating system."""
        self._file.flush()

    def close(self) -> None:
        """Close the file."""
        self._file.close()


class Integrator:
    """Integrates power in small steps and notes the truth."""

    def __init__(self, options: argparse.Namespace) -> None:
        self._options = options
        self._cpu = DescendantsCpu(options.watch_descendants_of, with_root=options.watch_itself)
        self._truth = TruthWriter(options.truth, RAILS) if options.truth else None
        self.now_ns = self._begin_ns = time.perf_counter_ns()
        self.cpu_s = self._cpu.seconds()
        self.joules: Joules = (0.0, 0.0, 0.0)
        self.published: Joules = self.joules
        self._work_w = self._rested_s = self._asleep_s = 0.0
        self._shown_later = deque([(self.now_ns, self.joules)])
        self._note()

    def run_until(self, end_ns: int) -> None:
        """Sleep and integrate until an instant."""
        while self.now_ns < end_ns:
            time.sleep(max(0.0, min(STEP_S, (end_ns - time.perf_counter_ns()) * 1e-9)))
            self._step()

    def flush(self) -> None:
        """Hand the truth so far to the operating system."""
        if self._truth:
            self._truth.flush()

    def close(self) -> None:
        """Close the truth file."""
        if self._truth:
            self._truth.close()

    def _step(self) -> None:
        now_ns, cpu_s = time.perf_counter_ns(), self._cpu.seconds()
        seconds = (now_ns - self.now_ns) * 1e-9
        idle_j = self._options.idle_w * seconds
        work_j = self._drawn_j(cpu_s - self.cpu_s, seconds)
        cpu_j, gpu_j, ane_j = self.joules
        self.joules = (
            cpu_j + idle_j * (1 - GPU_SHARE_OF_IDLE) + work_j,
            gpu_j + idle_j * GPU_SHARE_OF_IDLE,
            ane_j,
        )
        self._publish(now_ns)
        self.now_ns, self.cpu_s = now_ns, cpu_s
        self._note()

    def _drawn_j(self, cores_s: float, seconds: float) -> float:
        """Joules drawn in a step in which the work used so much CPU time, evenly.

        P' = (asked - P) / tau, so P(t) = asked + (P(0) - asked) exp(-t / tau), which is integrated.
        """
        if seconds == 0:
            return 0.0
        asked_w: float = (
            self._options.watts_per_core * cores_s / seconds * self._awake_share(cores_s, seconds)
        )
        tau_s: float = 1e-3 * self._options.response_ms
        keeps = math.exp(-seconds / tau_s) if tau_s else 0.0
        missing_w, self._work_w = self._work_w - asked_w, asked_w + (self._work_w - asked_w) * keeps
        return asked_w * seconds + missing_w * tau_s * (1 - keeps)

    def _awake_share(self, cores_s: float, seconds: float) -> float:
        """Share of a step in which the machine is awake."""
        if cores_s < AWAKE_CORES * seconds:
            self._rested_s += seconds
            return 1.0
        if self._rested_s >= REST_S:
            self._asleep_s = 1e-3 * self._options.onset_ms
        asleep_s = min(self._asleep_s, seconds)
        self._rested_s, self._asleep_s = 0.0, self._asleep_s - asleep_s
        return 1 - asleep_s / seconds

    def _shown(self, now_ns: int) -> Joules:
        """The joules that were drawn until as long ago as the meter is late."""
        then_ns = now_ns - round(1e6 * self._options.lag_ms)
        self._shown_later.append((now_ns, self.joules))
        while len(self._shown_later) > 2 and self._shown_later[1][0] <= then_ns:
            self._shown_later.popleft()
        (before_ns, before), (after_ns, after) = self._shown_later[0], self._shown_later[1]
        share = min(1.0, max(0.0, (then_ns - before_ns) / max(1, after_ns - before_ns)))
        cpu_j, gpu_j, ane_j = (b + share * (a - b) for b, a in zip(before, after, strict=True))
        return cpu_j, gpu_j, ane_j

    def _publish(self, now_ns: int) -> None:
        """Counters are on show as they move, or every so many seconds."""
        shown = self._shown(now_ns)
        every_ns = self._options.publish_every * 1e9
        if (
            every_ns == 0
            or (now_ns - self._begin_ns) // every_ns > (self.now_ns - self._begin_ns) // every_ns
        ):
            self.published = shown

    def _note(self) -> None:
        if self._truth:
            self._truth.add(self.now_ns * 1e-9, self.joules)


class StandIn:
    """Prints an interval's joules when it ends, until there are enough or nobody reads them."""

    def __init__(self, options: argparse.Namespace) -> None:
        self._options = options
        self._chance = random.Random(options.seed)
        self._shape = SHAPES[options.shape]
        self._meter = Integrator(options)
        self._begin_s = time.perf_counter()
        self._printed = 0
        self._fault, self._fault_at_s = options.fault
        self._happened = False

    def run(self) -> None:
        """Print the documents that were asked for."""
        for number in range(self._options.n):
            told = self._interval(number)
            self._meter.flush()
            if self._chance.random() < self._options.late_share:
                time.sleep(self._chance.uniform(0, self._options.late))
            self._print(told)
        self._meter.close()

    def _interval(self, number: int) -> Told:
        """Measure one interval; 100 ms asked gives 103-130, and the first is anything."""
        stretch = self._chance.uniform(1.03, 1.30) if number else self._chance.uniform(0.3, 1.5)
        meter = self._meter
        begin_ns, begin_j, begin_cpu_s = meter.now_ns, meter.published, meter.cpu_s
        meter.run_until(begin_ns + round(self._options.i * 1e6 * stretch))
        elapsed_ns = meter.now_ns - begin_ns
        return Told(
            elapsed_ns=elapsed_ns,
            label_s=time.time(),
            energies_mj=_counted(begin_j, meter.published),
            active_cores=(meter.cpu_s - begin_cpu_s) / elapsed_ns * 1e9,
            gpu_active=0.5,
        )

    def _print(self, told: Told) -> None:
        """Print a document, or what the fault that was ordered makes of it."""
        since_s = time.perf_counter() - self._begin_s - self._fault_at_s
        if self._fault in LASTING and 0 <= since_s < FAULT_LASTS_S:
            told = LASTING[self._fault](told)
        content = document(told, self._shape)
        if self._fault in ONCE and since_s >= 0 and not self._happened:
            self._happened = True
            content = ONCE[self._fault](content)
        if content:
            _write_all(b"\0" * (self._printed > 0) + content)
            self._printed += 1


def _counted(begin_j: Joules, end_j: Joules) -> dict[str, int]:
    """Whole millijoules by rail, as a running counter of millijoules gives them."""
    pairs = zip(RAILS, begin_j, end_j, strict=True)
    return {rail: int(end * 1000) - int(begin * 1000) for rail, begin, end in pairs}


def _die(content: bytes) -> bytes:
    os._exit(1)


def _fall_silent(content: bytes) -> bytes:
    time.sleep(2.0)
    return content


LASTING: dict[str, Callable[[Told], Told]] = {
    "invalid": lambda told: replace(told, invalid=True),
    "dead-rail": lambda told: replace(told, energies_mj={**told.energies_mj, "gpu": 0}),
    "missing-rail": lambda told: replace(told, without=frozenset({"gpu"})),
}
ONCE: dict[str, Callable[[bytes], bytes]] = {
    "lost": lambda content: b"",
    "cut": lambda content: content[: len(content) // 2],
    "twice": lambda content: content + b"\0" + content,
    "lifetime": lambda content: content.replace(b"<true/>", b"<false/>", 1) + b"\0" + content,
    "silence": _fall_silent,
    "death": _die,
}


def _write_all(content: bytes) -> None:
    while content:
        content = content[os.write(sys.stdout.fileno(), content) :]


def _ordered(order: str) -> tuple[str, float]:
    """`death@20`: what is to happen, and so many seconds after the start."""
    kind, _, at_s = order.partition("@")
    if kind not in LASTING | ONCE:
        raise argparse.ArgumentTypeError(f"{kind!r} is none of {', '.join(LASTING | ONCE)}")
    return kind, float(at_s or 0)


def _options(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="energy.lab.simulated", add_help=False, allow_abbrev=False)
    parser.add_argument("-h", "--help", action="store_true")
    parser.add_argument("-i", type=int, default=5000)
    parser.add_argument("-n", type=int, default=sys.maxsize)
    parser.add_argument("-s")
    parser.add_argument("-f", choices=["plist"], default="plist")
    parser.add_argument("-b", type=int)
    parser.add_argument("--handle-invalid-values", action="store_true")
    parser.add_argument("--watch-descendants-of", type=int, default=os.getppid())
    parser.add_argument("--watch-itself", action="store_true")
    parser.add_argument("--truth", type=Path)
    parser.add_argument("--idle-w", type=float, default=2.0)
    parser.add_argument("--watts-per-core", type=float, default=4.0)
    parser.add_argument("--onset-ms", type=float, default=27.0)
    parser.add_argument("--response-ms", type=float, default=3.0)
    parser.add_argument("--lag-ms", type=float, default=0.0)
    parser.add_argument("--shape", choices=sorted(SHAPES), default="m1")
    parser.add_argument("--publish-every", type=float, default=0.0)
    parser.add_argument("--late", type=float, default=0.0)
    parser.add_argument("--late-share", type=float, default=0.05)
    parser.add_argument("--fault", type=_ordered, default=("none", 0.0))
    parser.add_argument("--seed", type=int, default=0)
    return parser.parse_args(arguments)


def main(arguments: list[str]) -> None:
    """Run the stand-in."""
    options = _options(arguments)
    if options.help:
        print(HELP)
    else:
        StandIn(options).run()
