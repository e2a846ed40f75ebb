from dataclasses import replace

import numpy as np
import pytest

from analysis.roofline import (
    EnergyModel,
    Stream,
    apple_bandwidth,
    fit_energy_model,
    measured_stream,
)
from analysis.rows import Step
from analysis.values import Estimate, Withheld
from benchmarks.isolation import IDLE_W, JOULES_PER_BYTE, JOULES_PER_FLOP, machine_with


@pytest.mark.parametrize(
    ("chip", "cores", "gb_per_s"),
    [
        ("Apple M1", 7, 68),
        ("M3 Pro", None, 150),
        ("Apple M3 Max", 30, 300),
        ("Apple M3 Max", 40, 400),
        ("Apple M3 Max", None, None),
        ("Apple M5 Max", 40, 614),
        ("Apple M3 Ultra", 80, 819),
        ("Apple M4 Ultra", 80, None),
        ("Intel Core i7", None, None),
    ],
)
def test_published_bandwidth(chip: str, cores: int | None, gb_per_s: float | None) -> None:
    assert apple_bandwidth(chip, cores) == (None if gb_per_s is None else gb_per_s * 1e9)


def test_the_stream_is_measured_within_three_per_cent() -> None:
    close = 0
    for seed in range(100):
        machine = machine_with("memory-bound", seed=seed)
        stream = measured_stream(machine.isolate(seed=1000 + seed))
        assert isinstance(stream, Stream)
        close += abs(stream.bandwidth_bytes_per_s.point / machine.bandwidth_bytes_per_s - 1) < 0.03
        assert isinstance(stream.joules_per_byte, Estimate)
    assert close >= 95


def test_too_few_windows_are_no_bandwidth() -> None:
    window = Step(test="S1", seconds_s=0.5, read_bytes=50e9)
    assert isinstance(measured_stream([window] * 5), Withheld)
    stream = measured_stream([window] * 6)
    assert isinstance(stream, Stream)
    assert isinstance(stream.joules_per_byte, Withheld)


def test_the_energy_model_is_recovered() -> None:
    held = np.zeros(3)
    for seed in range(40):
        model = fit_energy_model(machine_with("mixed", seed=seed).isolate(seed=seed))
        assert isinstance(model, EnergyModel)
        held += (
            model.joules_per_flop.contains(JOULES_PER_FLOP),
            model.joules_per_byte.contains(JOULES_PER_BYTE),
            model.idle_w.contains(IDLE_W),
        )
    assert held.min() >= 34


def test_one_shape_of_step_does_not_tell_flops_from_bytes() -> None:
    step = Step(test="S3", seconds_s=0.01, read_bytes=1e9, flops=2e9, joules_j=0.1)
    rows = [
        replace(step, seconds_s=0.01 * n, read_bytes=1e9 * n, flops=2e9 * n, joules_j=0.1 * n)
        for n in range(1, 9)
    ]
    assert isinstance(fit_energy_model(rows), Withheld)
    assert isinstance(fit_energy_model([replace(step, joules_j=None)]), Withheld)


def test_a_price_below_zero_is_withheld() -> None:
    rows = [
        replace(step, joules_j=step.joules_j - 20e-12 * step.flops + 10 * step.seconds_s)
        for step in replace(machine_with("mixed", seed=3), noise=0.001).isolate(seed=3)
        if step.joules_j is not None
    ]
    found = fit_energy_model(rows)
    assert isinstance(found, Withheld)
    assert "prices flops below zero" in found.reason
