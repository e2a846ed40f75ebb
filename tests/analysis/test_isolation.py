from collections import Counter
from dataclasses import replace
from typing import get_args

import pytest

from analysis.isolation import Bound, classify, judge_cell, memory_share
from analysis.machine import simulated_cell
from analysis.values import Estimate, Withheld


@pytest.mark.parametrize("answer", get_args(Bound))
def test_known_machines_are_judged_right(answer: Bound) -> None:
    verdicts = [judge_cell(simulated_cell(answer, seed=seed).isolate(seed=500 + seed)) for seed in range(100)]
    assert Counter(v.verdict for v in verdicts)[answer] >= 95
    assert sum(bool(v.against) for v in verdicts) <= 10


def test_the_rule() -> None:
    assert classify(0.8, compute_elasticity=0.0) == "memory-bound"
    assert classify(0.6, compute_elasticity=0.0) == "mixed"
    assert classify(0.2, compute_elasticity=0.1) == "overhead-bound"
    assert classify(0.8, compute_elasticity=0.7) == "compute-bound"
    assert isinstance(classify(0.2, compute_elasticity=None), Withheld)
    assert isinstance(classify(1.4, compute_elasticity=0.0), Withheld)


def test_a_published_bandwidth_stands_in_for_the_stream() -> None:
    rows = [s for s in simulated_cell("memory-bound", seed=1).isolate(seed=1) if s.test != "S1"]
    assert judge_cell(rows).verdict == "withheld"
    assert judge_cell(rows, bandwidth_bytes_per_s=100e9).verdict == "memory-bound"
    assert isinstance(memory_share(rows, bandwidth_bytes_per_s=100e9), Estimate)


def test_reading_faster_than_memory_voids_the_verdict() -> None:
    rows = simulated_cell("memory-bound", seed=2).isolate(seed=2)
    rows = [replace(s, read_bytes=s.read_bytes * 2) if s.test == "S3" else s for s in rows]
    verdict = judge_cell(rows)
    assert verdict.verdict == "withheld"
    assert verdict.memory_share is None
    assert "times faster" in verdict.reason


def test_a_mask_that_saves_joules_voids_the_verdict() -> None:
    rows = simulated_cell("memory-bound", seed=3).isolate(seed=3)
    rows = [replace(s, joules_j=(s.joules_j or 0) * 0.7) if s.test == "S9" and s.changed else s for s in rows]
    verdict = judge_cell(rows)
    assert verdict.verdict == "withheld"
    assert "negative control" in verdict.reason


def test_no_decode_no_verdict() -> None:
    assert judge_cell([]).verdict == "withheld"


def test_contradicting_evidence_is_listed() -> None:
    rows = simulated_cell("memory-bound", seed=4).isolate(seed=4)
    rows = [replace(s, seconds_s=s.seconds_s * 1000) if s.test == "S10" else s for s in rows]
    verdict = judge_cell(rows)
    assert verdict.verdict == "memory-bound"
    assert verdict.against == ("launches",)


def test_the_reason_says_how_sure_a_compute_bound_step_is() -> None:
    sure = judge_cell(simulated_cell("compute-bound", seed=1, noise=0.005).isolate(seed=1))
    assert sure.verdict == "compute-bound"
    assert "as many flops again cost" in sure.reason
    assert "reaches below" not in sure.reason
    unsure = judge_cell(simulated_cell("compute-bound", seed=1, noise=0.4).isolate(seed=1))
    assert unsure.verdict != "compute-bound" or "reaches below the 50%" in unsure.reason


def test_the_reason_says_where_the_rest_of_an_overhead_bound_step_goes() -> None:
    found = judge_cell(simulated_cell("overhead-bound", seed=1).isolate(seed=1))
    assert "the products with its weights alone take" in found.reason
    assert "the launches alone" in found.reason


def test_a_verdict_says_that_arithmetic_is_not_ruled_out() -> None:
    rows = simulated_cell("overhead-bound", seed=1).isolate(seed=1)
    scattered = [
        replace(step, seconds_s=step.seconds_s * (2.5 if i % 2 else 0.4)) if step.test == "S8" else step
        for i, step in enumerate(rows)
    ]
    found = judge_cell(scattered)
    assert found.verdict == "overhead-bound"
    assert "the interval of the compute test reaches into compute-bound" in found.reason
    assert "compute-bound" not in judge_cell(rows).reason
