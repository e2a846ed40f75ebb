"""What the memory delivers, and what a step costs in joules per byte and per operation.

Bytes are counted from shapes (streamed weights with their scales, one embedding row, the output head
once, KV), not from file sizes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from analysis.regression import least_squares
from analysis.rows import Step
from analysis.values import LEVEL, Estimate, FloatArray, Withheld
from analysis.words import listed

GB = 1e9
FEWEST_WINDOWS = 6
"""Below six values no pair of order statistics holds the median with 95 %."""

# GB/s as Apple publishes them. Chips of one name are sold with differing memory buses, told apart by
# their GPU cores; None stands for any number of them. There is no M4 Ultra.
_APPLE_GB_PER_S: dict[str, dict[int | None, float]] = {
    "M1": {None: 68},
    "M2": {None: 100},
    "M3": {None: 100},
    "M4": {None: 120},
    "M5": {None: 153},
    "M1 Pro": {None: 200},
    "M2 Pro": {None: 200},
    "M3 Pro": {None: 150},
    "M4 Pro": {None: 273},
    "M5 Pro": {None: 307},
    "M1 Max": {None: 400},
    "M2 Max": {None: 400},
    "M3 Max": {30: 300, 40: 400},
    "M4 Max": {32: 410, 40: 546},
    "M5 Max": {32: 460, 40: 614},
    "M1 Ultra": {None: 800},
    "M2 Ultra": {None: 800},
    "M3 Ultra": {None: 819},
}


@dataclass(frozen=True, kw_only=True)
class Stream:
    """What this machine's memory delivers, measured over buffers far larger than the caches (S1)."""

    bandwidth_bytes_per_s: Estimate
    """Median over windows, with the interval of its order statistics."""
    joules_per_byte: Estimate | Withheld


@dataclass(frozen=True, kw_only=True)
class EnergyModel:
    """E = lambda x flops + mu x bytes + idle power x seconds."""

    joules_per_flop: Estimate
    joules_per_byte: Estimate
    idle_w: Estimate
    r2: float
    rows: int


def apple_bandwidth(chip: str, gpu_cores: int | None) -> float | None:
    """Published bytes per second of an Apple chip; None where it is not known.

    Args:
        chip: as the system names it, such as `Apple M3 Max`.
        gpu_cores: tells chips of one name apart; None if not known.
    """
    by_cores = _APPLE_GB_PER_S.get(chip.removeprefix("Apple ").strip(), {})
    gb_per_s = by_cores.get(gpu_cores, by_cores.get(None))
    return None if gb_per_s is None else gb_per_s * GB


def measured_stream(steps: Sequence[Step]) -> Stream | Withheld:
    """Bandwidth and joules per byte from the windows of S1."""
    windows = [step for step in steps if step.test == "S1" and step.seconds_s > 0]
    rates = np.array([step.read_bytes / step.seconds_s for step in windows])
    bandwidth = median(rates)
    if isinstance(bandwidth, Withheld):
        return Withheld(f"bandwidth not measured: {bandwidth.reason}")
    prices = [step.joules_j / step.read_bytes for step in windows if step.joules_j is not None]
    return Stream(bandwidth_bytes_per_s=bandwidth, joules_per_byte=median(np.array(prices)))


def median(values: FloatArray) -> Estimate | Withheld:
    """Median with the distribution-free interval of its order statistics; shape (n,), in their unit."""
    if len(values) < FEWEST_WINDOWS:
        return Withheld(f"{len(values)} windows have no interval (needs {FEWEST_WINDOWS})")
    low, high = np.asarray(stats.quantile_test(values, p=0.5).confidence_interval(LEVEL))
    return Estimate(float(np.median(values)), float(low), float(high))


def fit_energy_model(steps: Sequence[Step]) -> EnergyModel | Withheld:
    """Fit the papers' energy model, with idle power, to steps with known joules of differing shape.

    Noise is taken as proportional to the joules. Rows whose flops, bytes and seconds rise together
    (one model at one setting) can't tell the three apart and are refused.
    """
    used = [step for step in steps if step.joules_j is not None and step.joules_j > 0]
    if not used:
        return Withheld("no step has joules: the energy model can't be fitted")
    columns = {
        "flops": np.array([step.flops for step in used]),
        "bytes": np.array([step.read_bytes for step in used]),
        "seconds": np.array([step.seconds_s for step in used]),
    }
    joules = np.array([step.joules_j for step in used], dtype=np.float64)
    fit = least_squares(joules, columns, relative=True)
    if isinstance(fit, Withheld):
        return fit
    below = [name for name, term in fit.terms.items() if term.value.high < 0]
    if below:
        return Withheld(
            f"the fit prices {listed(below)} below zero, which can't be: these windows do not tell flops, "
            "bytes and seconds apart"
        )
    flop, byte, second = (_at_least_zero(fit.terms[name].value) for name in columns)
    return EnergyModel(
        joules_per_flop=flop,
        joules_per_byte=byte,
        idle_w=second,
        r2=fit.r2,
        rows=fit.rows,
    )


def _at_least_zero(price: Estimate) -> Estimate:
    """No work gives joules back: the interval's part below zero is left out, which loses no coverage."""
    return Estimate(*(max(0.0, end) for end in (price.point, price.low, price.high)))
