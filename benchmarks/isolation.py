"""Is the isolation right? Simulated machines of known answer, judged by the rule of `analysis.isolation`.

    python -m benchmarks.isolation [--draws 100]

A step of a simulated machine takes

    t = visible launches + max(bytes / (bandwidth x reach), flops / arithmetic rate)

as on a real GPU: kernels reach a part of the stream's bandwidth, launches cost 2 to 30 us each and hide
behind the work as far as the library queues ahead, two tokens take another kernel than one, every wait for
the device costs time, and all times are noisy. Chips, models and launch costs span what Macs have
(68 GB/s and 2.6 TFLOPS to 546 GB/s and 18; 300 to 600 launches a step). Nothing here is a measurement.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import product

import numpy as np
from rich.console import Console
from rich.table import Table

from analysis.isolation import Bound, judge_cell
from analysis.rows import Step

CHIPS = {"M1": (68e9, 2.6e12), "M2 Pro": (200e9, 6.8e12), "M3 Max": (400e9, 14e12), "M4 Max": (546e9, 18e12)}
"""Bytes per second and flops per second (float16) of the GPU."""
MODELS = {"135M fp32": (0.54e9, 0.27e9), "0.5B 4-bit": (0.28e9, 1e9), "1B bf16": (2.5e9, 2.5e9)} | {
    "8B 4-bit": (4.5e9, 16e9)
}
"""Bytes and flops of a decode step at batch 1."""
LAUNCH_S = (2e-6, 5e-6, 10e-6, 20e-6, 30e-6)
NEAR = 0.02
"""A draw so close to a limit has no right answer and is drawn again."""

MLP_SHARE = 0.65
PRODUCTS_SHARE = 0.55
"""Of a step's bytes that are the MLP's, and of its launches that are products with weights."""
SLICES = (0.25, 0.5, 0.75)
"""Of the MLP that S7 leaves out."""
KV_BYTES_PER_TOKEN = 46_080.0
READS_PER_WAIT = 100
REPEATS = {"S1": 12, "S3": 8, "S7": 8, "S8": 8}
"""Windows of each setting; 4 where not named."""
JOULES_PER_BYTE, JOULES_PER_FLOP, IDLE_W = 60e-12, 1e-12, 0.5


@dataclass(frozen=True, kw_only=True)
class Machine:
    """A machine with a model on it, and what its library makes of both."""

    bandwidth_bytes_per_s: float
    flops_per_s: float
    """That the kernels reach."""
    reach: float
    """Share of the bandwidth that the products reach."""
    launch_s: float
    launches: int
    """Of a step."""
    hidden: float
    """Share of the launches that can hide behind the work of the device."""
    wait_s: float
    """Of each wait for the device: once a step."""
    second_kernel: float
    """Time of the kernel for more than one token over that for one."""
    read_bytes: float
    flops: float
    noise: float
    """Standard deviation of log-seconds and log-joules."""

    def step_s(
        self, *, read_bytes: float, flops: float, launches: float | None = None, batch: int = 1
    ) -> float:
        """Seconds of a step, without noise."""
        working_s = max(read_bytes / self.bandwidth_bytes_per_s / self.reach, flops / self.flops_per_s)
        working_s *= self.second_kernel if batch > 1 else 1.0
        launching_s = self.launch_s * (self.launches if launches is None else launches)
        seen_s = (1 - self.hidden) * launching_s + self.hidden * max(0.0, launching_s - working_s)
        return working_s + seen_s + self.wait_s

    @property
    def answer(self) -> Bound | None:
        """What a step answers to, without noise; None too close to a limit to say.

        Launches that hide behind the work show as soon as the work gets less. So a step answers to its bytes
        by what it gives back for the first slice, and to arithmetic by what as much again costs.
        """
        step_s = self.step_s(read_bytes=self.read_bytes, flops=self.flops)
        share = self.read_bytes / self.bandwidth_bytes_per_s / step_s
        less = MLP_SHARE * SLICES[0]
        sliced_s = self.step_s(read_bytes=self.read_bytes * (1 - less), flops=self.flops * (1 - less))
        to_bytes = (1 - sliced_s / step_s) / less
        to_flops = self.step_s(read_bytes=self.read_bytes, flops=2 * self.flops) / step_s - 1
        if min(abs(share - 0.75), abs(share - 0.5), abs(to_bytes - 0.75), abs(to_flops - 0.5)) < NEAR:
            return None
        if to_flops >= 0.5:
            return "compute-bound"
        if share >= 0.75:
            return "memory-bound"
        if to_bytes >= 0.75:
            return "kernel-bound"
        return "mixed" if share >= 0.5 else "overhead-bound"

    def isolate(self, *, seed: int) -> list[Step]:
        """The rows of S1 to S10, each repeated, with noise."""
        rng = np.random.default_rng(seed)
        return [self._noisy(step, rng) for step in self._steps() for _ in range(REPEATS.get(step.test, 4))]

    def _noisy(self, step: Step, rng: np.random.Generator) -> Step:
        slow, dear = np.exp(rng.normal(0, self.noise, 2))
        joules_j = JOULES_PER_FLOP * step.flops + JOULES_PER_BYTE * step.read_bytes + IDLE_W * step.seconds_s
        return replace(step, seconds_s=step.seconds_s * slow, joules_j=joules_j * slow * dear)

    def _step(
        self,
        test: str,
        *,
        more_bytes: float = 0.0,
        less: float = 0.0,
        layers: float = 1.0,
        batch: int = 1,
        context: int = 0,
        changed: bool = False,
    ) -> Step:
        read_bytes = self.read_bytes * (1 - less) * layers + more_bytes
        flops = self.flops * (1 - less) * layers * batch
        return Step(
            test=test,
            seconds_s=self.step_s(
                read_bytes=read_bytes, flops=flops, launches=self.launches * layers, batch=batch
            ),
            read_bytes=read_bytes,
            flops=flops,
            batch=batch,
            context=context,
            changed=changed,
            layers=layers,
        )

    def _steps(self) -> Iterator[Step]:
        yield self._stream()
        plain, masked = self._products(changed=False), self._products(changed=True)
        yield from (replace(plain, test="S2"), plain, masked)
        yield self._step("S3")
        yield from (self._step("S4", batch=batch) for batch in (1, 2, 4, 8, 16))
        yield from (self._step("S5", more_bytes=self.read_bytes * more) for more in (-0.75, -0.5, 0.0, 1.0))
        for context in (0, 1024, 4096):
            yield self._step("S6", context=context, more_bytes=KV_BYTES_PER_TOKEN * context)
        yield self._step("S7")
        yield from (self._step("S7", less=MLP_SHARE * cut, changed=True) for cut in SLICES)
        yield from (self._step("S7", layers=layers, changed=True) for layers in (0.75, 0.5))
        yield from (self._step("S8", batch=batch, changed=batch > 1) for batch in (1, 2))
        launching_s = self.step_s(read_bytes=self.read_bytes / 1e3, flops=self.flops / 1e3)
        yield replace(self._step("S10"), seconds_s=launching_s)

    def _stream(self) -> Step:
        size_bytes = 1e9
        waiting_s = self.launch_s + self.wait_s / READS_PER_WAIT
        seconds_s = size_bytes / self.bandwidth_bytes_per_s + waiting_s
        return Step(test="S1", seconds_s=seconds_s, read_bytes=size_bytes)

    def _products(self, *, changed: bool) -> Step:
        seconds_s = self.step_s(
            read_bytes=self.read_bytes, flops=self.flops, launches=PRODUCTS_SHARE * self.launches
        )
        return replace(self._step("S9", changed=changed), seconds_s=seconds_s)


def draw(
    chip: str, model: str, launch_s: float, *, rng: np.random.Generator, slow_arithmetic: bool = False
) -> Machine:
    """A machine of one cell whose answer is not too close to a limit.

    Args:
        chip: of `CHIPS`.
        model: of `MODELS`.
        launch_s: seconds of a launch.
        rng: draws all else.
        slow_arithmetic: let the arithmetic take longer than the reading, as in kernels without matrix units.
    """
    (bandwidth, peak), (read_bytes, flops) = CHIPS[chip], MODELS[model]
    while True:
        reach = rng.uniform(0.8, 0.97) if rng.random() < 0.5 else rng.uniform(0.3, 0.45)
        reading_s = read_bytes / bandwidth / reach
        rate = flops / reading_s / rng.uniform(1.2, 4.0) if slow_arithmetic else peak * rng.uniform(0.3, 0.9)
        machine = Machine(
            bandwidth_bytes_per_s=bandwidth,
            flops_per_s=rate,
            reach=reach,
            launch_s=launch_s,
            launches=int(rng.integers(300, 600)),
            hidden=float(rng.choice([0.0, 0.5, 1.0])),
            wait_s=rng.uniform(50e-6, 300e-6),
            second_kernel=1.0 if slow_arithmetic else rng.uniform(1.0, 1.7),
            read_bytes=read_bytes,
            flops=flops,
            noise=0.02,
        )
        if machine.answer is not None:
            return machine


def machine_with(answer: Bound, *, seed: int) -> Machine:
    """A machine of this answer, of any chip, model and launch cost."""
    rng = np.random.default_rng(seed)
    while True:
        chip, model = rng.choice(list(CHIPS)), rng.choice(list(MODELS))
        slow = answer == "compute-bound"
        machine = draw(chip, model, float(rng.choice(LAUNCH_S)), rng=rng, slow_arithmetic=slow)
        if machine.answer == answer:
            return machine


def judged(chip: str, model: str, launch_s: float, *, draws: int, seed: int) -> list[tuple[Bound, str]]:
    """Answers and verdicts of machines of one cell; one in five is slow at arithmetic."""
    rng = np.random.default_rng(seed)
    pairs: list[tuple[Bound, str]] = []
    for number in range(draws):
        machine = draw(chip, model, launch_s, rng=rng, slow_arithmetic=number % 5 == 0)
        assert machine.answer is not None
        pairs.append((machine.answer, judge_cell(machine.isolate(seed=seed + number)).verdict))
    return pairs


def main() -> None:
    """Print, per cell, how many of the draws are judged right."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--draws", type=int, default=100)
    draws = parser.parse_args().draws
    table = Table("chip", "model", *(f"{launch_s * 1e6:g} us" for launch_s in LAUNCH_S))
    everything: list[tuple[Bound, str]] = []
    for seed, (chip, model) in enumerate(product(CHIPS, MODELS)):
        cells = [judged(chip, model, launch_s, draws=draws, seed=1000 * seed) for launch_s in LAUNCH_S]
        everything += [pair for cell in cells for pair in cell]
        table.add_row(chip, model, *(f"{sum(a == v for a, v in cell)}" for cell in cells))
    console = Console()
    console.print(f"right of {draws} draws, per launch cost", table)
    for answer in sorted({answer for answer, _ in everything}):
        mine = [verdict for right, verdict in everything if right == answer]
        console.print(f"{answer}: {mine.count(answer)} of {len(mine)} right")


if __name__ == "__main__":
    main()
