from typing import get_args

import pytest

from analysis.isolation import Bound
from analysis.machine import simulated_cell


@pytest.mark.parametrize("answer", get_args(Bound))
def test_a_cell_is_of_the_class_that_it_says(answer: Bound) -> None:
    for seed in range(50):
        cell = simulated_cell(answer, seed=seed)
        work = {"read_bytes": cell.step.read_bytes, "operations": cell.step.operations}
        step_s = float(cell.machine.step_s(flops=cell.step.flops, **work))
        without_flops_s = float(cell.machine.step_s(flops=0.0, **work))
        reading = cell.step.read_bytes / cell.machine.bandwidth_bytes_per_s / step_s
        computing = cell.step.flops / cell.machine.flops_per_s / step_s
        if answer == "compute-bound":
            assert computing > 0.6
            assert without_flops_s < step_s
        else:
            assert without_flops_s == pytest.approx(step_s)
            assert {
                "memory-bound": reading > 0.8,
                "mixed": 0.5 < reading < 0.75,
                "overhead-bound": reading < 0.5,
            }[answer]


def test_the_same_seed_gives_the_same_rows() -> None:
    cell = simulated_cell("mixed", seed=1)
    assert cell.isolate(seed=2) == cell.isolate(seed=2)
    assert cell.isolate(seed=2) != cell.isolate(seed=3)
