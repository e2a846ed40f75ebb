"""Experiments that are drawn by lot: joules of runs whose truth is known, under one disturbance each.

A run has the slots of a real plan (`bench.suite.plan`): the ungated arm, its A/A copy and some gates, every
arm twice in a block. No gate changes anything; what it saves is taken off afterwards, which is the same as
joules multiply.

    quiet      2 % noise per slot
    drift      the machine slows by 10 % over the run, plus a random walk of 0.3 % per slot
    trend      it warms up: 15 % more joules, most of it within the first blocks
    outliers   5 % of the slots take up to 30 % more joules: something else ran
    slots      the noise of a slot is .9 of the one before plus something new (AR(1)); 2 % in all
    blocks     what an arm takes in a block follows its last one so, by .3 or .5; for no machine known
    pooled     several runs of five blocks, in each of which every arm takes 2 % more or less throughout
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.signal import lfilter

from analysis.blocks import BlockTable
from analysis.values import LEVEL, FloatArray
from bench.suite.plan import Arm, make_arms, make_blocks

NOISE = 0.02
UNGATED, AGAIN = "echo", "echo (A/A)"


@dataclass(frozen=True, kw_only=True)
class Setting:
    """What one line of a table is about."""

    name: str
    blocks: int
    disturbance: str = "quiet"
    gates: int = 1
    looks: tuple[int, ...] = ()
    """Blocks after which somebody looks; none is once, at the end."""
    level: float = LEVEL
    """Of the intervals, which pays for the looks."""
    runs: int = 1
    rho: float = 0.0
    """Of an AR(1) disturbance."""
    noise: float = NOISE
    """Of a slot, and so of the ratio of the A/A pair, whose arms have two slots a block each."""

    @cached_property
    def plan(self) -> list[Arm]:
        """The arms of the run."""
        gates = ["ungated", *(f"gate {number}" for number in range(self.gates))]
        return make_arms(["echo"], gates, baseline="ungated", a_a=True)

    @cached_property
    def arms(self) -> tuple[str, ...]:
        """Their labels: the ungated arm, the gates, the A/A copy."""
        return tuple(arm.label for arm in self.plan)

    @cached_property
    def run_of_block(self) -> tuple[str, ...]:
        """Name of the run that each block is of."""
        return tuple(f"run {block * self.runs // self.blocks}" for block in range(self.blocks))


def log_joules(setting: Setting, *, experiments: int, seed: int) -> FloatArray:
    """Log of each arm's joules per block where no gate saves anything, shape (experiments, arms, blocks)."""
    rng = np.random.default_rng([seed, setting.blocks, *setting.name.encode()])
    plan, arms = make_blocks(setting.plan, count=setting.blocks, seed=seed), setting.arms
    order = np.array([[arms.index(slot.arm.label) for slot in block] for block in plan])
    slots = disturbance(setting, experiments, order.size, rng)
    joules = np.exp(slots).reshape(experiments, *order.shape)
    each = [np.log((joules * (order == number)).sum(axis=-1)) for number in range(len(arms))]
    logs = np.stack(each, axis=1)
    if setting.disturbance == "blocks":
        logs += _ar1(logs.shape, setting.rho, rng)
    if setting.runs > 1:
        shift = rng.normal(0, NOISE, (*logs.shape[:2], setting.runs))
        logs += np.repeat(shift, setting.blocks // setting.runs, axis=-1)
    return logs


def table_of(setting: Setting, logs: FloatArray, *, savings: Sequence[float]) -> BlockTable:
    """The blocks of one experiment, or the first of them, as a report has them.

    Args:
        setting: of the experiment.
        logs: of it, shape (arms, blocks).
        savings: what each gate truly saves, as fractions.
    """
    factors = 1 - np.array([0.0, *savings, 0.0])
    runs = setting.run_of_block[: logs.shape[-1]]
    return BlockTable(arms=setting.arms, values=np.exp(logs) * factors[:, None], runs=runs, left_out={})


def disturbance(setting: Setting, experiments: int, slots: int, rng: np.random.Generator) -> FloatArray:
    """What happens to log-joules whichever arm is running, shape (experiments, slots)."""
    if setting.disturbance == "slots":
        return _ar1((experiments, slots), setting.rho, rng)
    if setting.disturbance == "blocks":
        return np.zeros((experiments, slots))
    found = rng.normal(0, setting.noise, (experiments, slots))
    progress = np.arange(slots) / slots
    if setting.disturbance == "drift":
        found += 0.10 * progress + np.cumsum(rng.normal(0, 0.003, (experiments, slots)), axis=1)
    if setting.disturbance == "trend":
        found += 0.15 * (1 - np.exp(-6 * progress))
    if setting.disturbance == "outliers":
        hit = rng.random((experiments, slots)) < 0.05
        found += hit * rng.uniform(0, np.log(1.3), (experiments, slots))
    return found


def _ar1(shape: tuple[int, ...], rho: float, rng: np.random.Generator) -> FloatArray:
    """Noise along the last axis, each value `rho` of the last one and something new; stationary."""
    new = rng.normal(0, NOISE * np.sqrt(1 - rho**2), shape)
    new[..., 0] /= np.sqrt(1 - rho**2)
    return np.asarray(lfilter([1.0], [1.0, -rho], new, axis=-1))
