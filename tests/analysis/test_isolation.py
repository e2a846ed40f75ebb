from collections import Counter
from dataclasses import replace
from typing import get_args

import pytest

from analysis.isolation import Bound, Figures, classify, judge_cell, memory_share
from analysis.rows import Step
from analysis.values import Estimate, Withheld
from benchmarks.isolation import Machine, judged, machine_with


def rows_of(answer: Bound, *, seed: int, noise: float = 0.02) -> list[Step]:
    return replace(machine_with(answer, seed=seed), noise=noise).isolate(seed=seed)


def figures(
    share: float, *, rise: float | None = 0.0, further: float | None = None, slices: float | None = None
) -> Figures:
    return Figures(share=share, rise=rise, further=further, slices=slices)


@pytest.mark.parametrize("answer", get_args(Bound))
def test_known_machines_are_judged_right(answer: Bound) -> None:
    verdicts = [judge_cell(rows_of(answer, seed=seed)).verdict for seed in range(60)]
    assert Counter(verdicts)[answer] >= 57


@pytest.mark.parametrize(
    ("chip", "model", "launch_s"),
    [("M4 Max", "8B 4-bit", 20e-6), ("M1", "8B 4-bit", 2e-6), ("M4 Max", "0.5B 4-bit", 5e-6)],
)
def test_launches_and_slow_kernels_are_not_taken_for_arithmetic(
    chip: str, model: str, launch_s: float
) -> None:
    pairs = judged(chip, model, launch_s, draws=40, seed=7)
    assert sum(answer == verdict for answer, verdict in pairs) >= 38
    assert not [pair for pair in pairs if pair[1] == "compute-bound" != pair[0]]


def test_the_rule() -> None:
    assert classify(figures(0.8)) == "memory-bound"
    assert classify(figures(0.6)) == "mixed"
    assert classify(figures(0.2, rise=0.1)) == "overhead-bound"
    assert classify(figures(0.2, rise=0.1, slices=0.9)) == "kernel-bound"
    assert classify(figures(0.6, slices=0.9)) == "kernel-bound"
    assert classify(figures(0.8, rise=0.7)) == "compute-bound"
    assert classify(figures(0.8, rise=0.7, further=0.6)) == "compute-bound"
    assert classify(figures(0.8, rise=0.7, further=0.1)) == "memory-bound"
    assert isinstance(classify(figures(0.2, rise=None)), Withheld)
    assert isinstance(classify(figures(1.4)), Withheld)


def test_products_after_the_step_would_have_been_called_arithmetic() -> None:
    """86 % reading and 8 % arithmetic, 600 launches of 15 us: the case that a serial probe got wrong."""
    machine = Machine(
        bandwidth_bytes_per_s=546e9,
        flops_per_s=18e12,
        reach=0.95,
        launch_s=15e-6,
        launches=600,
        hidden=1.0,
        wait_s=0.2e-3,
        second_kernel=1.3,
        read_bytes=8e9,
        flops=20e9,
        noise=0.02,
    )
    assert machine.answer == "memory-bound"
    assert judge_cell(machine.isolate(seed=1)).verdict == "memory-bound"


def test_a_published_bandwidth_stands_in_for_the_stream() -> None:
    machine = machine_with("memory-bound", seed=1)
    rows = [s for s in machine.isolate(seed=1) if s.test != "S1"]
    bandwidth = machine.bandwidth_bytes_per_s
    assert judge_cell(rows).verdict == "not estimated"
    assert judge_cell(rows, bandwidth_bytes_per_s=bandwidth).verdict == "memory-bound"
    assert isinstance(memory_share(rows, bandwidth_bytes_per_s=bandwidth), Estimate)


def test_reading_faster_than_memory_voids_the_verdict() -> None:
    rows = rows_of("memory-bound", seed=2)
    rows = [replace(s, read_bytes=s.read_bytes * 2) if s.test == "S3" else s for s in rows]
    verdict = judge_cell(rows)
    assert verdict.verdict == "not estimated"
    assert verdict.memory_share is None
    assert "times faster" in verdict.reason


def test_a_mask_that_saves_joules_voids_the_verdict() -> None:
    rows = rows_of("memory-bound", seed=3)
    rows = [replace(s, joules_j=(s.joules_j or 0) * 0.7) if s.test == "S9" and s.changed else s for s in rows]
    verdict = judge_cell(rows)
    assert verdict.verdict == "not estimated"
    assert "negative control" in verdict.reason


def test_no_decode_no_verdict() -> None:
    assert judge_cell([]).verdict == "not estimated"


def test_contradicting_evidence_is_listed() -> None:
    rows = rows_of("memory-bound", seed=4)
    rows = [replace(s, seconds_s=s.seconds_s * 1000) if s.test == "S10" else s for s in rows]
    verdict = judge_cell(rows)
    assert verdict.verdict == "memory-bound"
    assert "launches" in verdict.against


def test_the_reason_says_how_sure_a_compute_bound_step_is() -> None:
    sure = judge_cell(rows_of("compute-bound", seed=1, noise=0.005))
    assert sure.verdict == "compute-bound"
    assert "as many flops again cost" in sure.reason
    assert "reaches below" not in sure.reason
    unsure = judge_cell(rows_of("compute-bound", seed=1, noise=0.4))
    assert unsure.verdict != "compute-bound" or "reaches below the 50 %" in unsure.reason


def test_the_reason_says_where_the_rest_of_an_overhead_bound_step_goes() -> None:
    found = judge_cell(rows_of("overhead-bound", seed=1))
    assert "the products with its weights alone take" in found.reason
    assert "the launches alone" in found.reason


def test_a_verdict_says_that_arithmetic_is_not_ruled_out() -> None:
    rows = rows_of("overhead-bound", seed=1)
    found = judge_cell(scattered(rows, "S8", by=1.4))
    assert found.verdict == "overhead-bound"
    assert "the interval of the second token's cost reaches into compute-bound" in found.reason
    assert "compute-bound" not in judge_cell(rows).reason


def scattered(rows: list[Step], *tests: str, by: float) -> list[Step]:
    """The rows of these tests so many times longer and shorter in turn."""
    return [
        replace(step, seconds_s=step.seconds_s * (by if i % 2 else 1 / by)) if step.test in tests else step
        for i, step in enumerate(rows)
    ]


def test_a_figure_that_says_nothing_decides_nothing() -> None:
    """An interval from below a quarter to more than a whole step, of S8 or of S8 and S4."""
    rows = rows_of("overhead-bound", seed=1)
    assert judge_cell(scattered(rows, "S8", by=2.5)).verdict == "overhead-bound"  # S4 says as much
    found = judge_cell(scattered(rows, "S4", "S8", by=2.5))
    assert found.verdict == "not estimated"
    assert found.memory_share is not None
    assert "not memory-bound" in found.reason
    sure = judge_cell(scattered(rows_of("memory-bound", seed=1), "S4", "S8", by=2.5))
    assert sure.verdict == "memory-bound"  # which its bytes alone decide
    assert "another kernel" not in sure.reason


def test_a_kernel_bound_step_is_told_what_it_would_take() -> None:
    found = judge_cell(rows_of("kernel-bound", seed=1))
    assert "bandwidth not reached: time follows its bytes" in found.reason
    assert "kernels that reached it would bring a step to" in found.reason
