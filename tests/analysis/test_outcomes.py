from dataclasses import replace

import pytest

from analysis.outcomes import Outcome, elasticity, gather
from analysis.rows import Step
from analysis.values import Estimate, Withheld
from benchmarks.isolation import machine_with

STEP = Step(test="S8", seconds_s=1.0, read_bytes=1e9, flops=1e9)


def steps(*seconds_by_flops: tuple[float, float]) -> list[Step]:
    return [replace(STEP, flops=flops, seconds_s=s) for flops, s in seconds_by_flops for _ in range(3)]


def test_elasticity_is_the_first_step_up() -> None:
    value = elasticity(steps((1e9, 1.0), (1.5e9, 1.25), (9e9, 50.0)), of="seconds_s", to="flops")
    assert isinstance(value, Estimate)
    assert value.point == pytest.approx(0.5)


def test_one_level_has_no_elasticity() -> None:
    assert isinstance(elasticity(steps((1e9, 1.0)), of="seconds_s", to="flops"), Withheld)
    assert isinstance(elasticity([], of="seconds_s", to="flops"), Withheld)
    assert isinstance(elasticity(steps((1e9, 1.0), (2e9, 1.0)), of="joules_j", to="flops"), Withheld)


def test_every_test_of_a_full_isolation_has_a_figure() -> None:
    machine = replace(machine_with("memory-bound", seed=0), launch_s=1e-6, second_kernel=1.0, reach=0.95)
    machine = replace(machine, noise=0.002)
    evidence = gather(machine.isolate(seed=0), bandwidth_bytes_per_s=None)
    assert [item.test for item in evidence] == [
        "S2",
        "S4",
        "S4",
        "S4",
        "S5",
        "S6",
        "S7",
        "S7",
        "S8",
        "S9",
        "S10",
    ]
    assert all(isinstance(item.value, Estimate) for item in evidence)
    assert all(item.fits_memory_bound for item in evidence)


@pytest.mark.parametrize(
    ("seconds", "fits"),
    [((1.0, 1.01), True), ((1.6, 1.62), False), ((0.9, 2.0), None)],
)
def test_only_a_whole_interval_fits_or_speaks_against(seconds: tuple[float, ...], fits: bool | None) -> None:
    """S2 over S3, which takes one second: 0.75 to 1.1 fits; an interval on both sides can't tell."""
    decode = [Step(test="S3", seconds_s=s, read_bytes=1e9) for s in (1.0, 1.001)]
    weights = [Step(test="S2", seconds_s=s, read_bytes=1e9) for s in seconds]
    (found,) = [e for e in gather([*decode, *weights], bandwidth_bytes_per_s=1e9) if e.name == "weights"]
    assert found.fits_memory_bound is fits
    assert found.times_to_settle is None  # two rows that lie so far apart tell nothing


def test_what_cannot_be_told_says_how_much_longer_it_takes() -> None:
    decode = [Step(test="S3", seconds_s=s, read_bytes=1e9) for s in (1.0, 1.001, 0.999, 1.0)]
    weights = [Step(test="S2", seconds_s=s, read_bytes=1e9) for s in (0.9, 1.0, 1.1, 1.2)]

    def found(rows: int) -> Outcome:
        steps = [*rows * decode, *rows * weights]
        return next(e for e in gather(steps, bandwidth_bytes_per_s=1e9) if e.name == "weights")

    open_one = found(1)
    assert open_one.fits_memory_bound is None
    assert open_one.times_to_settle is not None
    assert found(open_one.times_to_settle).fits_memory_bound


def test_the_first_slice_counts_where_launches_hide_behind_the_step() -> None:
    """A thinner step comes down upon its launches; the line through all slices would say nothing scales."""
    machine = replace(
        machine_with("memory-bound", seed=0),
        **{"hidden": 1.0, "launches": 500, "launch_s": 10e-6, "wait_s": 0.0, "noise": 0.005},
        **{"read_bytes": 1e9, "flops": 1e9, "bandwidth_bytes_per_s": 200e9, "reach": 0.8},
    )
    (slices,) = [e for e in gather(machine.isolate(seed=1), bandwidth_bytes_per_s=None) if e.name == "slices"]
    assert isinstance(slices.value, Estimate)
    assert slices.value.point == pytest.approx(1.0, abs=0.1)


def test_without_a_bandwidth_there_is_nothing_to_hold_against() -> None:
    rows = [s for s in machine_with("mixed", seed=0).isolate(seed=0) if s.test != "S1"]
    assert gather(rows, bandwidth_bytes_per_s=None) == ()
    assert gather(rows, bandwidth_bytes_per_s=100e9) != ()


def test_a_test_that_is_short_of_rows_says_so() -> None:
    rows = machine_with("mixed", seed=0).isolate(seed=0)
    kept = [s for s in rows if s.test in ("S1", "S3")] + [s for s in rows if s.test == "S10"][:1]
    (item,) = gather(kept, bandwidth_bytes_per_s=None)
    assert isinstance(item.value, Withheld)
    assert item.fits_memory_bound is None
