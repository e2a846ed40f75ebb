"""What a meter's lag does to joules, and whether their bound holds.

    python benchmarks/lag.py

A run as the laboratory draws it: idle, commanded pulses, then power that alternates between 35 and 12 W,
slower and faster than a reading. The meter is up to 35 ms late, rises come later than falls, readings take
115 to 470 ms, labels come up to 40 ms late. Windows of 2 and 10 s lie anywhere. The lag
is found from the pulses alone, or not at all, and the prior stands in for it.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks.known_power import STEP_S, Power, answered, columns, noisy, on_rails, simulate
from energy.attribute import attribute
from energy.base import Trace
from energy.grade import WIDEST_BOUND
from energy.lag import Lag, lag_of, placed, plan
from energy.phases import phase_power
from energy.timeline import stream_trace

Floats = NDArray[np.float64]

SEEDS = 3
WINDOWS = 200
PULSES_AT_S = 3.0
WORK_S = 150.0
IDLE_W, LOW_W, HIGH_W = 3.0, 12.0, 35.0


@dataclass(frozen=True, kw_only=True)
class Meter:
    """How a simulated meter reads."""

    cadence_s: float = 0.115
    """Mean length of a reading."""
    lag_s: float = 0.0
    rise_s: float = 0.0
    """By how much rises come later than falls."""
    label_late_s: float = 0.0

    def __str__(self) -> str:
        """One line of a table."""
        figures = (self.cadence_s, self.lag_s, self.lag_s + self.rise_s, self.label_late_s)
        return "".join(f"{1e3 * figure:9.0f}" for figure in figures)


@dataclass(frozen=True)
class Recording:
    """A run: its power, its readings, the lag that pulses told, and the spans of its phases."""

    power: Power
    trace: Trace
    lag: Lag | None
    phases: dict[str, Floats]

    @property
    def work(self) -> tuple[float, float]:
        """From the first phase to the last."""
        return float(self.phases["prefill"][0, 0]), float(self.phases["decode"][-1, 1])


def recording(meter: Meter, prefill_s: float, decode_s: float, seed: int) -> Recording:
    """Idle, pulses, idle, then phases back to back: a square wave if alike, else 30 % longer or shorter."""
    chance = np.random.default_rng([seed, round(1e3 * meter.cadence_s)])
    pulses = (PULSES_AT_S + np.cumsum(plan(meter.cadence_s, chance)).reshape(-1, 2)) / STEP_S
    pulses = np.round(pulses).astype(int)
    begin = int(pulses[-1, 1]) + 3000
    jitter = 0.0 if prefill_s == decode_s else 0.3
    lengths = np.array([prefill_s, decode_s]) * chance.uniform(1 - jitter, 1 + jitter, (4000, 2))
    steps = begin + np.concatenate([[0], np.round(np.cumsum(lengths) / STEP_S).astype(int)])
    steps = steps[: 2 * int(np.searchsorted(steps[::2], begin + WORK_S / STEP_S)) + 1]
    watts = np.full(int(steps[-1]) + 3000, IDLE_W)
    for on, off in pulses:
        watts[on:off] = 15.0
    for number, (on, off) in enumerate(itertools.pairwise(steps)):
        watts[on:off] = LOW_W if number % 2 else HIGH_W
    power = on_rails(noisy(answered(watts, rise_s=meter.rise_s, response_s=0.003), chance))
    simulation = simulate(
        power,
        chance,
        interval_s=meter.cadence_s / 1.165,
        lag_s=meter.lag_s,
        label_late_s=meter.label_late_s,
    )
    trace = stream_trace(columns(simulation))
    lag = lag_of(trace.start_s, trace.end_s, trace.joules.sum(axis=1), power.start_s + pulses * STEP_S)
    edges_s = power.start_s + steps * STEP_S
    spans = np.column_stack([edges_s[:-1], edges_s[1:]])
    return Recording(power, trace, lag, {"prefill": spans[::2], "decode": spans[1::2]})


@dataclass(frozen=True)
class Marks:
    """Relative errors and bounds of windows, shape (m,)."""

    errors: Floats
    bounds: Floats

    def __str__(self) -> str:
        """Error at the median and 99th percentile, share inside the bound, median bound, bound / error."""
        errors, bounds = 100 * self.errors, 100 * self.bounds
        inside = 100 * np.mean(errors <= bounds)
        return (
            f"{np.median(errors):8.2f}{np.quantile(errors, 0.99):8.2f}{inside:8.1f}"
            f"{np.median(bounds):8.2f}{np.median(bounds) / np.quantile(errors, 0.99):8.1f}"
        )


def marked(run: Recording, window_s: float, lag: Lag | None, seed: int) -> Marks:
    """Windows of one length, anywhere in the work."""
    begin_s, end_s = run.work
    starts_s = np.random.default_rng(seed).uniform(begin_s + 0.5, end_s - window_s - 0.5, WINDOWS)
    windows = np.column_stack([starts_s, starts_s + window_s])
    trace = placed(run.trace, lag)
    found, bound = attribute(
        trace.start_s,
        trace.end_s,
        trace.joules,
        windows,
        alignment_s=trace.alignment_s,
        resolution_j=0.001,
    )
    truth_j = run.power.joules_in(windows).sum(axis=1)
    return Marks(np.abs(found.sum(axis=1) - truth_j) / truth_j, bound.sum(axis=1) / truth_j)


def meters() -> Iterator[Meter]:
    """The meters of the table: each property alone, then all of them together."""
    yield Meter()
    for cadence_s in (0.245, 0.47):
        yield Meter(cadence_s=cadence_s)
    for lag_s in (0.01, 0.027, 0.035):
        yield Meter(lag_s=lag_s)
    yield Meter(lag_s=-0.007, rise_s=0.034)
    for late_s in (0.002, 0.04):
        yield Meter(label_late_s=late_s)
    for cadence_s in (0.115, 0.245, 0.47):
        yield Meter(cadence_s=cadence_s, lag_s=0.01, rise_s=0.015, label_late_s=0.04)


SHAPES = {"35 W 0.15 s, 12 W 0.7 s": (0.15, 0.7), "square wave of 115 ms": (0.0575, 0.0575)}


def print_bounds() -> None:
    """Errors and bounds of windows, in per cent of the truth."""
    headings = ("median", "p99", "inside", "bound", "/p99")
    print(f"{'ms:  cadence  offset    onset  labels':44}" + "".join(f"{name:>8}" for name in headings))
    for (shape, lengths), window_s in itertools.product(SHAPES.items(), (2.0, 10.0)):
        print(f"\n{shape}, windows of {window_s:g} s")
        for meter in meters():
            runs = [recording(meter, *lengths, seed) for seed in range(SEEDS)]
            for name in ("pulses", "prior"):
                marks = [
                    marked(run, window_s, run.lag if name == "pulses" else None, seed)
                    for seed, run in enumerate(runs)
                ]
                errors, bounds = ([getattr(m, field) for m in marks] for field in ("errors", "bounds"))
                both = Marks(np.concatenate(errors), np.concatenate(bounds))
                print(f"{meter}  {name:6}{both}", flush=True)


def print_prefill() -> None:
    """Error of the prefill's power, the lag not known beforehand."""
    print(f"\n{'prefill':>8}{'lag':>6}{'found':>7}{'withheld':>10}{'largest error':>15}")
    for prefill_s, lag_s in itertools.product((0.06, 0.1, 0.2), (0.0, 0.027, 0.035)):
        errors = []
        for seed in range(SEEDS):
            run = recording(Meter(lag_s=lag_s), prefill_s, 0.9, seed)
            trace = placed(run.trace, run.lag)
            fit = phase_power(
                trace.start_s,
                trace.end_s,
                trace.joules.sum(axis=1),
                run.phases,
                run.work,
                alignment_s=trace.alignment_s,
            )["prefill"]
            if fit.watts is not None:
                errors.append(abs(fit.watts / HIGH_W - 1))
        largest = f"{100 * max(errors):.2f} %" if errors else "-"
        case = f"{1e3 * prefill_s:5.0f} ms{1e3 * lag_s:6.0f}"
        print(f"{case}{len(errors):7}{SEEDS - len(errors):10}{largest:>15}", flush=True)


def print_windows() -> None:
    """Share of windows whose bound is narrow enough for grade 2, by length."""
    lengths_s = (6.0, 10.0, 15.0, 20.0, 25.0, 30.0)
    print(f"\nbound below {100 * WIDEST_BOUND:g} %" + "".join(f"{length_s:6.0f} s" for length_s in lengths_s))
    for (shape, lengths), cadence_s in itertools.product(SHAPES.items(), (0.115, 0.245, 0.47)):
        run = recording(Meter(cadence_s=cadence_s, lag_s=-0.007, rise_s=0.034), *lengths, seed=0)
        narrow = [marked(run, length_s, run.lag, 0).bounds < WIDEST_BOUND for length_s in lengths_s]
        shares = "".join(f"{100 * np.mean(row):6.0f} %" for row in narrow)
        print(f"{1e3 * cadence_s:5.0f} ms, {shape}{shares}", flush=True)


if __name__ == "__main__":
    print_bounds()
    print_windows()
    print_prefill()
