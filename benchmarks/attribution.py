"""How far joules are off: this package's attribution beside the ways in which it is usually done.

    python benchmarks/attribution.py

A laboratory meter reads powers that are known exactly: bursts of 50 ms to many seconds, ramps, the ripple of
decoding, noise; intervals of 103-130 ms, whole-second labels, documents that come late. A thousand windows of
2 to 60 s, placed anywhere, are attributed by each method; so are windows of 10 s, and windows that open and
close with the work, as the windows of a benchmark do.

The meter of this table is on time. What lag, late labels and slow cadences do, and whether the bound
holds then: python benchmarks/lag.py
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks.known_power import (
    STEP_S,
    Simulation,
    bursts,
    columns,
    noisy,
    on_rails,
    ramped,
    rippled,
    simulate,
    slots,
)
from energy.attribute import attribute
from energy.base import Trace
from energy.lag import PRIOR_S
from energy.phases import phase_power
from energy.timeline import stream_trace

Floats = NDArray[np.float64]

TRACES = 20
TRACE_S = 300.0
WINDOWS = 1000
DRIFT = 40e-6
PREFILL_STEPS = 60
SLOTS = 40


@dataclass(frozen=True)
class Case:
    """One simulated recording and what this package makes of it."""

    simulation: Simulation
    trace: Trace
    work: Floats
    spawn_s: float


def cases(shape: Callable[..., tuple[Floats, Floats]], seed: int) -> Iterator[Case]:
    """Simulated recordings, all different."""
    for number in range(TRACES):
        chance = np.random.default_rng([seed, number])
        watts, work = shape(TRACE_S, chance)
        watts = noisy(rippled(ramped(watts, chance.uniform(0.001, 0.04)), chance), chance)
        simulation = simulate(on_rails(watts), chance)
        trace = stream_trace(columns(simulation, drift=chance.uniform(-DRIFT, DRIFT)))
        spawn_s = simulation.start_s[0] - chance.uniform(0.05, 0.6)
        yield Case(simulation, trace, work + simulation.power.start_s, spawn_s)


def ours(case: Case, windows: Floats) -> tuple[Floats, Floats]:
    """Total joules and bound, each of shape (m,)."""
    trace = case.trace
    joules, bound = attribute(
        trace.start_s,
        trace.end_s,
        trace.joules,
        windows,
        alignment_s=trace.alignment_s,
        resolution_j=0.001,
    )
    return joules.sum(axis=1), bound.sum(axis=1)


def proportional(case: Case, windows: Floats) -> Floats:
    """The same readings in the same places, edges clipped in proportion to time."""
    return _clipped(case.trace.start_s, case.trace.end_s, case.trace.joules.sum(axis=1), windows)


def sample_after_the_end(case: Case, windows: Floats) -> Floats:
    """The power of the reading that arrives after the window, times its length."""
    after = np.searchsorted(case.simulation.arrival_s, windows[:, 1])
    return _power_w(case)[after] * (windows[:, 1] - windows[:, 0])


def nominal_interval(case: Case, windows: Floats) -> Floats:
    """Power times the 100 ms that were asked for, of the readings that arrive in the window."""
    return _between(case.simulation.arrival_s, _power_w(case) * 0.1, windows)


def burst_every_15_s(case: Case, windows: Floats) -> Floats:
    """One second of readings every fifteen stands for all fifteen."""
    simulation = case.simulation
    starts_s = np.arange(simulation.start_s[0], simulation.end_s[-1] - 1, 15.0)
    total_j = simulation.joules.sum(axis=1)
    seen_j = _between(simulation.arrival_s, total_j, np.column_stack([starts_s, starts_s + 1]))
    seen_s = _between(
        simulation.arrival_s,
        simulation.end_s - simulation.start_s,
        np.column_stack([starts_s, starts_s + 1]),
    )
    return _clipped(starts_s, starts_s + 15, 15 * seen_j / seen_s, windows)


def anchored_on_spawn(case: Case, windows: Floats) -> Floats:
    """Readings laid end to end from the moment at which the meter was started."""
    simulation = case.simulation
    shift_s = case.spawn_s - simulation.start_s[0]
    return _clipped(
        simulation.start_s + shift_s, simulation.end_s + shift_s, simulation.joules.sum(axis=1), windows
    )


def power_times_arrival_gap(case: Case, windows: Floats) -> Floats:
    """Each reading's power times the time since the previous one arrived."""
    gap_s = np.diff(case.simulation.arrival_s, prepend=case.simulation.start_s[0])
    return _between(case.simulation.arrival_s, _power_w(case) * gap_s, windows)


METHODS: dict[str, Callable[[Case, Floats], Floats]] = {
    "this package": lambda case, windows: ours(case, windows)[0],
    "edges in proportion": proportional,
    "power x arrival gap": power_times_arrival_gap,
    "anchored on spawn": anchored_on_spawn,
    "nominal interval": nominal_interval,
    "1 s burst every 15 s": burst_every_15_s,
    "one sample after the end": sample_after_the_end,
}


def _power_w(case: Case) -> Floats:
    simulation = case.simulation
    power_w: Floats = simulation.joules.sum(axis=1) / (simulation.end_s - simulation.start_s)
    return power_w


def _between(instants_s: Floats, values: Floats, windows: Floats) -> Floats:
    """Sum of values whose instants lie in each window."""
    sums = np.concatenate([[0.0], np.cumsum(values)])
    found: Floats = (
        sums[np.searchsorted(instants_s, windows[:, 1])] - sums[np.searchsorted(instants_s, windows[:, 0])]
    )
    return found


def _clipped(start_s: Floats, end_s: Floats, joules: Floats, windows: Floats) -> Floats:
    edges = np.concatenate([start_s[:1], end_s])
    sums = np.concatenate([[0.0], np.cumsum(joules)])
    found: Floats = np.interp(windows[:, 1], edges, sums) - np.interp(windows[:, 0], edges, sums)
    return found


def anywhere(case: Case, chance: np.random.Generator, shortest_s: float, longest_s: float) -> Floats:
    """Windows placed at random."""
    count = WINDOWS // TRACES
    begin_s = case.trace.start_s[0] + 1
    start_s = chance.uniform(begin_s, begin_s + TRACE_S - longest_s - 5, count)
    return np.column_stack([start_s, start_s + chance.uniform(shortest_s, longest_s, count)])


def with_the_work(case: Case) -> Floats:
    """Windows that open and close with a slot of work."""
    inside = (case.work[:, 0] > case.trace.start_s[0] + 1) & (case.work[:, 1] < case.trace.end_s[-1] - 1)
    windows: Floats = case.work[inside] + np.array([-0.002, 0.002])
    return windows


@dataclass
class Marks:
    """Errors of every method over one kind of windows, in joules and as shares of the truth."""

    errors_j: dict[str, list[float]]
    truths_j: list[float]
    bounds_j: list[float]

    def add(self, case: Case, windows: Floats) -> None:
        """Attribute windows by every method and mark the results."""
        truth_j = case.simulation.power.joules_in(windows).sum(axis=1)
        for name, method in METHODS.items():
            self.errors_j.setdefault(name, []).extend(np.abs(method(case, windows) - truth_j))
        self.bounds_j.extend(ours(case, windows)[1])
        self.truths_j.extend(truth_j)


def marks(seed: int) -> tuple[dict[str, Marks], list[float]]:
    """Marks by kind of window, and the alignment error of every recording in seconds."""
    kinds = {kind: Marks({}, [], []) for kind in ("2 to 60 s", "10 s", "slots of work")}
    misplaced_s: list[float] = []
    for case in cases(bursts, seed):
        chance = np.random.default_rng(len(misplaced_s))
        kinds["2 to 60 s"].add(case, anywhere(case, chance, 2.0, 60.0))
        kinds["10 s"].add(case, anywhere(case, chance, 10.0, 10.0))
        count = len(case.trace.end_s)
        misplaced_s.append(float(np.abs(case.trace.end_s - case.simulation.end_s[:count]).max()))
    for case in cases(slots, seed + 1):
        kinds["slots of work"].add(case, with_the_work(case))
    return kinds, misplaced_s


def slot_of_requests(chance: np.random.Generator) -> tuple[Simulation, Floats, Floats, tuple[float, float]]:
    """Sixty requests: a 60 ms prefill and half a second or more of decoding each, with gaps between.

    Returns:
        The simulation, the spans of prefill and of decoding, and the slot.
    """
    position, prefill, decode = 20_000, [], []
    watts = np.full(150_000, 3.0)
    high_w, low_w = chance.uniform(20, 35), chance.uniform(12, 20)
    for _ in range(60):
        begin = position + int(chance.uniform(20, 100))
        position = begin + PREFILL_STEPS + int(chance.uniform(500, 1500))
        watts[begin : begin + PREFILL_STEPS] = high_w
        watts[begin + PREFILL_STEPS : position] = low_w
        prefill.append((begin, begin + PREFILL_STEPS))
        decode.append((begin + PREFILL_STEPS, position))
    power = on_rails(noisy(rippled(watts, chance), chance))
    prefill_s = power.start_s + np.array(prefill) * STEP_S
    decode_s = power.start_s + np.array(decode) * STEP_S
    return simulate(power, chance), prefill_s, decode_s, (power.start_s + 20, float(decode_s[-1, 1]))


def prefill_errors(slots_tried: int) -> tuple[Floats, int, int]:
    """Relative errors of the prefill's power, how many intervals hold the truth, how many are withheld."""
    errors, held, withheld = [], 0, 0
    for seed in range(slots_tried):
        simulation, prefill_s, decode_s, window = slot_of_requests(np.random.default_rng([9, seed]))
        trace = stream_trace(columns(simulation))
        power = phase_power(
            trace.start_s,
            trace.end_s,
            trace.joules.sum(axis=1),
            {"prefill": prefill_s, "decode": decode_s},
            window,
            alignment_s=trace.alignment_s + PRIOR_S,
        )["prefill"]
        truth_w = float(simulation.power.joules_in(prefill_s).sum() / (60 * PREFILL_STEPS * STEP_S))
        if power.watts is None or power.low_w is None or power.high_w is None:
            withheld += 1
            continue
        errors.append(power.watts / truth_w - 1)
        held += power.low_w <= truth_w <= power.high_w
    return np.abs(errors), held, withheld


def print_table(kinds: dict[str, Marks]) -> None:
    """A row for each method, a pair of columns for each kind of window."""
    print(f"{'relative error, %':26}" + "".join(f"{kind:>26}" for kind in kinds))
    print(f"{'':26}" + f"{'median':>16}{'p99':>10}" * len(kinds))
    for name in METHODS:
        cells = ""
        for found in kinds.values():
            relative = 100 * np.array(found.errors_j[name]) / np.array(found.truths_j)
            cells += f"{np.median(relative):16.3f}{np.quantile(relative, 0.99):10.3f}"
        print(f"{name:26}{cells}")


def print_bounds(kinds: dict[str, Marks]) -> None:
    """What the stated bounds are worth."""
    print(
        f"\n{'stated bound':16}{'windows':>9}{'holds truth':>13}{'error p99':>11}{'median':>9}{'widest':>9}"
    )
    for kind, found in kinds.items():
        errors_j, bounds_j = np.array(found.errors_j["this package"]), np.array(found.bounds_j)
        p99_j = float(np.quantile(errors_j, 0.99))
        print(
            f"{kind:16}{len(errors_j):9}{100 * np.mean(errors_j <= bounds_j):11.1f} %{p99_j:9.3f} J"
            f"{np.median(bounds_j):7.3f} J{bounds_j.max():7.3f} J = {bounds_j.max() / p99_j:.1f} x p99"
        )


def main() -> None:
    """Print the tables."""
    kinds, misplaced_s = marks(1)
    print_table(kinds)
    print_bounds(kinds)
    print(f"\nalignment: within {1000 * max(misplaced_s):.1f} ms in {TRACES} recordings of {TRACE_S:.0f} s")
    errors, held, withheld = prefill_errors(SLOTS)
    print(
        f"prefill of 60 ms, 60 times a slot: error median {100 * np.median(errors):.2f} %, "
        f"largest {100 * errors.max():.2f} %; interval holds the truth in {held} of {SLOTS}, "
        f"withheld {withheld}"
    )


if __name__ == "__main__":
    main()
