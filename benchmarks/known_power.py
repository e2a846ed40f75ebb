"""A simulated meter over a power that is known exactly, without a process and without waiting.

    power   watts of each rail, a step at a time: steps, ramps, bursts, ripple, noise
    meter   reads it over jittered intervals, cuts to whole millijoules, labels with whole seconds,
            and delivers late, sometimes in bursts
    truth   joules between any two instants, to the last digit

What is measured through it can be marked. Everything follows from a seed.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from energy.decode import Columns

Floats = NDArray[np.float64]

STEP_S = 0.001
"""Power is constant for this long."""

RAILS = ("cpu", "gpu", "ane")
TOKEN_S = (0.015, 0.045)
"""Periods of the ripple that decoding token by token puts on power."""


@dataclass(frozen=True)
class Power:
    """Watts of each rail, shape (steps, rails), from `start_s` on the harness clock."""

    start_s: float
    watts: Floats
    rails: tuple[str, ...] = RAILS

    @property
    def end_s(self) -> float:
        """When the simulation ends."""
        return self.start_s + len(self.watts) * STEP_S

    def joules_until(self, instants_s: Floats) -> Floats:
        """Exact joules since the start at instants of shape (m,), as (m, rails)."""
        sums_j = np.concatenate([np.zeros((1, self.watts.shape[1])), np.cumsum(self.watts, axis=0) * STEP_S])
        steps = np.arange(len(sums_j)) * STEP_S + self.start_s
        return np.column_stack([np.interp(instants_s, steps, column) for column in sums_j.T])

    def joules_in(self, windows: Floats) -> Floats:
        """Exact joules in windows of shape (m, 2), as (m, rails)."""
        difference: Floats = self.joules_until(windows[:, 1]) - self.joules_until(windows[:, 0])
        return difference


def bursts(seconds: float, chance: np.random.Generator, *, idle_w: float = 3.0) -> tuple[Floats, Floats]:
    """Work that comes and goes: bursts of 50 ms to many seconds, 10 to 35 W high, with idle between.

    Returns:
        Watts of shape (steps,), and the (start, end) of each burst in seconds, shape (bursts, 2).
    """
    count = round(seconds / STEP_S)
    watts = np.full(count, idle_w)
    edges: list[tuple[float, float]] = []
    position = 0
    while position < count:
        position += _steps(chance, (0.05, 0.3, 2.0))
        end = position + _steps(chance, (0.05, 0.3, 2.0, 6.0))
        watts[position:end] = chance.uniform(10.0, 35.0)
        edges.append((position * STEP_S, end * STEP_S))
        position = end
    return watts, np.array([edge for edge in edges if edge[1] < seconds])


def slots(seconds: float, chance: np.random.Generator, *, idle_w: float = 3.0) -> tuple[Floats, Floats]:
    """Work as a benchmark does it: seconds of idle, a short prefill, seconds of decoding. As `bursts`."""
    count = round(seconds / STEP_S)
    watts = np.full(count, idle_w)
    edges: list[tuple[float, float]] = []
    position = 0
    while position < count:
        begin = position + round(chance.uniform(1.0, 2.5) / STEP_S)
        prefill = begin + round(chance.uniform(0.05, 0.4) / STEP_S)
        position = begin + round(chance.uniform(2.0, 8.0) / STEP_S)
        watts[begin:position] = chance.uniform(10.0, 35.0)
        watts[begin:prefill] *= chance.uniform(0.8, 1.5)
        edges.append((begin * STEP_S, position * STEP_S))
    return watts, np.array([edge for edge in edges if edge[1] < seconds - 1])


def ramped(watts: Floats, ramp_s: float) -> Floats:
    """Steps made ramps of this length: power does not change at once. Work still begins when it began."""
    width = max(1, round(ramp_s / STEP_S))
    padded = np.concatenate([np.full(width - 1, watts[0]), watts])
    return np.convolve(padded, np.ones(width) / width, "valid")


def answered(watts: Floats, *, rise_s: float = 0.0, response_s: float = 0.0) -> Floats:
    """What a machine draws in answer to a command: every rise comes late by `rise_s`, a fall does not.

    Power then follows exponentially with the time constant `response_s`.
    """
    from scipy.ndimage import minimum_filter1d
    from scipy.signal import lfilter

    steps = round(rise_s / STEP_S)
    late = minimum_filter1d(watts, steps + 1, mode="nearest", origin=steps // 2) if steps else watts
    if response_s == 0:
        return late
    keeps = float(np.exp(-STEP_S / response_s))
    followed: Floats = lfilter([1 - keeps], [1, -keeps], late, zi=[keeps * late[0]])[0]
    return followed


def rippled(watts: Floats, chance: np.random.Generator, *, depth: float = 0.15) -> Floats:
    """Work made of tokens: power goes up and down by this share, tens of times a second."""
    period_s = chance.uniform(*TOKEN_S)
    square = np.sign(np.sin(2 * np.pi * np.arange(len(watts)) * STEP_S / period_s))
    return np.where(watts > 2 * watts.min(), watts * (1 + depth * square), watts)


def noisy(
    watts: Floats, chance: np.random.Generator, *, share: float = 0.03, memory_s: float = 0.015
) -> Floats:
    """Noise with a short memory, as a share of power; never below zero."""
    length = round(4 * memory_s / STEP_S)
    kernel = np.exp(-np.arange(length) * STEP_S / memory_s)
    noise = np.convolve(chance.normal(size=len(watts)), kernel, "same") / np.sqrt((kernel**2).sum())
    noised: Floats = np.maximum(0.0, watts * (1 + share * noise))
    return noised


def on_rails(watts: Floats, *, start_s: float = 1000.0, gpu_share: float = 0.8) -> Power:
    """Power of a chip: most of it on the GPU, some on the CPU, none on the neural engine."""
    split = np.array([1 - gpu_share, gpu_share, 0.0])
    return Power(start_s, watts[:, None] * split)


@dataclass(frozen=True)
class Simulation:
    """What a simulated meter told about a power, in the order of its intervals; n readings.

    `joules` (n, rails) are as printed, `end_s` (n,) exact ends, `arrival_s` (n,) when documents had
    arrived, `label_s` (n,) the whole seconds on the documents, by a wall clock `wall_ahead_s` ahead.
    """

    power: Power
    start_s: Floats
    end_s: Floats
    joules: Floats
    active_s: Floats
    arrival_s: Floats
    label_s: Floats
    wall_ahead_s: float


def simulate(
    power: Power,
    chance: np.random.Generator,
    *,
    interval_s: float = 0.1,
    late_share: float = 0.05,
    late_s: float = 0.5,
    publish_every_s: float = 0.0,
    lag_s: float = 0.0,
    label_late_s: float = 0.0,
) -> Simulation:
    """Read a power as powermetrics would.

    Args:
        power: what is to be read.
        chance: where jitter and lateness come from.
        interval_s: seconds asked for between readings; 3 to 30 % more come.
        late_share: share of documents that are held up; those behind one arrive with it, in a burst.
        late_s: the most by which one is held up.
        publish_every_s: the counters move only so often, as on some chips of macOS 27; 0 is always.
        lag_s: the counters show what was true so long ago.
        label_late_s: the whole second is taken up to so long after the interval's end, at random.
    """
    count = int((power.end_s - power.start_s) / (1.03 * interval_s))
    lengths_s = chance.uniform(1.03, 1.30, count) * interval_s
    lengths_s[0] *= chance.uniform(0.3, 1.2)
    edges_s = power.start_s + np.concatenate([[0.0], np.cumsum(lengths_s)])
    edges_s = edges_s[edges_s <= power.end_s]
    joules_until = power.joules_until(_published(edges_s - lag_s, power.start_s, publish_every_s))
    start_s, end_s = edges_s[:-1], edges_s[1:]
    wall_ahead_s = 1.7e9 + chance.uniform()
    labelled_late_s = chance.uniform(0, label_late_s, len(end_s)) if label_late_s else 0.0
    busy = np.diff(power.joules_until(edges_s), axis=0) / (end_s - start_s)[:, None] > 0.05
    return Simulation(
        power=power,
        start_s=start_s,
        end_s=end_s,
        joules=np.floor(np.diff(joules_until, axis=0) * 1000) / 1000,
        active_s=busy * ((end_s - start_s) * 0.8)[:, None],
        arrival_s=_arrivals(end_s, chance, late_share, late_s),
        label_s=np.floor(end_s + labelled_late_s + wall_ahead_s),
        wall_ahead_s=wall_ahead_s,
    )


def columns(simulation: Simulation, *, drift: float = 0.0) -> Columns:
    """The simulation as a decoded recording; the meter's own clock goes slow by `drift` seconds a second."""
    count = len(simulation.end_s)
    active_s = simulation.active_s.copy()
    active_s[:, simulation.power.rails.index("ane")] = np.nan
    return Columns(
        rails=simulation.power.rails,
        session=np.ones(count),
        arrival_s=simulation.arrival_s,
        wall_s=simulation.arrival_s + simulation.wall_ahead_s,
        sleepless_s=simulation.arrival_s,
        elapsed_s=(simulation.end_s - simulation.start_s) * (1 - drift),
        label_s=simulation.label_s,
        is_delta=np.ones(count, dtype=np.bool_),
        joules=simulation.joules,
        active_s=active_s,
    )


def _steps(chance: np.random.Generator, means_s: tuple[float, ...]) -> int:
    return max(1, round(float(chance.choice(means_s)) * chance.exponential() / STEP_S))


def _published(edges_s: Floats, start_s: float, every_s: float) -> Floats:
    """The instants whose counters are on show at some instants."""
    if every_s == 0:
        return edges_s
    return start_s + np.floor((edges_s - start_s) / every_s) * every_s


def _arrivals(end_s: Floats, chance: np.random.Generator, late_share: float, late_s: float) -> Floats:
    """Two milliseconds and more after the end; a held-up document holds up those behind it."""
    latency_s = 0.002 + chance.exponential(0.003, len(end_s))
    held = chance.random(len(end_s)) < late_share
    latency_s[held] += chance.uniform(0, late_s, int(held.sum()))
    return np.maximum.accumulate(end_s + latency_s)
