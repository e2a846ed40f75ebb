"""A simulated machine that is isolated like a real one, and whose answer is known.

A stand-in: its timings follow the step model exactly, apart from noise, so a rule that judges it wrongly
is wrong. Nothing that it says is a measurement.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from analysis.isolation import Bound
from analysis.roofline import Roofline
from analysis.rows import Step

BANDWIDTH_BYTES_PER_S = 100e9
JOULES_PER_BYTE = 60e-12
JOULES_PER_FLOP = 1e-12
IDLE_W = 0.5
KV_BYTES_PER_TOKEN = 46_080.0
WINDOWS = 25
"""Of the stream. The median of this many is within 2 % of the truth at 3 % noise."""
REPEATS = 9


@dataclass(frozen=True, kw_only=True)
class SimulatedCell:
    """A model on a machine: its constants, and the plain decode step."""

    machine: Roofline
    step: Step
    """At batch 1, without noise."""
    noise: float
    """Standard deviation of log-seconds and log-joules."""

    def isolate(self, *, seed: int) -> list[Step]:
        """The rows of S1 to S10, each repeated, with noise."""
        rng = np.random.default_rng(seed)
        return [
            self._noisy(step, rng)
            for step in self._plain_steps()
            for _ in range(WINDOWS if step.test == "S1" else REPEATS)
        ]

    def _noisy(self, step: Step, rng: np.random.Generator) -> Step:
        seconds_s, joules_j = self._truth(step)
        slow, dear = np.exp(rng.normal(0, self.noise, 2))
        return replace(step, seconds_s=seconds_s * slow, joules_j=joules_j * slow * dear)

    def _truth(self, step: Step) -> tuple[float, float]:
        flops = 0.0 if step.test == "S1" else step.flops
        seconds_s = float(
            self.machine.step_s(read_bytes=step.read_bytes, flops=flops, operations=step.operations)
        )
        return seconds_s, JOULES_PER_FLOP * flops + JOULES_PER_BYTE * step.read_bytes + IDLE_W * seconds_s

    def _plain_steps(self) -> Iterator[Step]:
        plain = self.step
        yield replace(plain, test="S1", read_bytes=50e9, flops=0.0, operations=1)
        yield replace(plain, test="S2", operations=plain.operations // 4)
        yield replace(plain, test="S3")
        yield from (
            replace(plain, test="S4", batch=batch, flops=plain.flops * batch) for batch in (1, 2, 4, 8, 16)
        )
        yield from (
            replace(plain, test="S5", read_bytes=plain.read_bytes * width) for width in (0.25, 0.5, 1, 2)
        )
        for context in (0, 1024, 4096):
            kv_bytes = KV_BYTES_PER_TOKEN * context
            yield replace(plain, test="S6", context=context, read_bytes=plain.read_bytes + kv_bytes)
        for kept in (1.0, 0.75, 0.5):
            yield replace(plain, test="S7", read_bytes=plain.read_bytes * kept, flops=plain.flops * kept)
        yield from (replace(plain, test="S8", flops=plain.flops * more) for more in (1.0, 1.5, 2.0))
        yield from (replace(plain, test="S9", changed=masked) for masked in (False, True))
        yield replace(plain, test="S10", read_bytes=plain.read_bytes / 1e3, flops=plain.flops / 1e3)


def simulated_cell(answer: Bound, *, seed: int, noise: float = 0.03) -> SimulatedCell:
    """A cell drawn at random from the machines whose answer is `answer`.

    The share of the step that the memory (or the arithmetic) takes is drawn from the inside of its
    class: 0.82 to 0.97, 0.55 to 0.7 for mixed, 0.05 to 0.42 for overhead.
    """
    rng = np.random.default_rng(seed)
    ends = {
        "memory-bound": (0.82, 0.97),
        "compute-bound": (0.65, 0.95),
        "mixed": (0.55, 0.70),
        "overhead-bound": (0.05, 0.42),
    }
    share = rng.uniform(*ends[answer])
    launching_s = rng.uniform(2e-3, 20e-3)
    longer_s = launching_s * share / (1 - share)
    # the arithmetic is well hidden behind the reading, or the reading behind the arithmetic
    hidden_s = longer_s * rng.uniform(0.02, 0.5 if answer == "compute-bound" else 0.2)
    reading_s, computing_s = (hidden_s, longer_s) if answer == "compute-bound" else (longer_s, hidden_s)
    read_bytes = reading_s * BANDWIDTH_BYTES_PER_S
    operations = int(rng.integers(200, 600))
    flops = 2 * read_bytes
    machine = Roofline(
        bandwidth_bytes_per_s=BANDWIDTH_BYTES_PER_S,
        flops_per_s=flops / computing_s,
        fixed_s=0.2 * launching_s,
        operation_s=0.8 * launching_s / operations,
    )
    step = Step(test="S3", seconds_s=0.0, read_bytes=read_bytes, flops=flops, operations=operations)
    return SimulatedCell(machine=machine, step=step, noise=noise)
