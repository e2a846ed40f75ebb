"""Figures that can't be true are not measured, and are named: of any source, at any place."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from energy.base import Boundary, SourceInfo, Trace
from energy.chip import limit_w
from energy.recording import Header, Recording, Stamp
from energy.replay import load, read_kept
from tests.energy.lab.mishaps import deliveries, record
from tests.energy.lab.test_mishaps import SMALL, SOURCE, simulation

COUNTERS = SourceInfo(
    name="ioreport",
    kind="measured",
    rails=("cpu", "gpu", "ane", "dram"),
    boundary="soc_plus_dram",
    interval_s=0.1,
    resolution_j=0.001,
    details={"chip": "Apple M4 Max"},
)
PLACES = 100


def counted(folder: Path, joules: np.ndarray) -> Trace:
    """A recording of counters without a witness, a tenth of a second each, as it is read again."""
    folder.mkdir()
    recording = Recording(folder, Header("readings", COUNTERS))
    for number, row in enumerate(joules.tolist()):
        line = {"elapsed_s": 0.1, "joules": dict(zip(COUNTERS.rails, row, strict=True))}
        end_s = 1000 + (number + 1) * 0.1
        recording.append(json.dumps(line).encode() + b"\n", Stamp(end_s, end_s + 1e9, end_s))
    recording.close()
    return load(folder)[0]


def steady(readings: int = 300) -> np.ndarray:
    return np.tile([0.6, 1.2, 0.0, 0.1], (readings, 1))


def kinds(trace: Trace, at_s: float) -> set[tuple[str, str | None]]:
    return {(f.kind, f.rail) for f in trace.faults if f.start_s <= at_s <= f.end_s}


@pytest.mark.parametrize(
    ("value_j", "kind"), [(-5964.0, "impossible figure"), (50_072.0, "implausible"), (32.0, "implausible")]
)
def test_a_reset_or_a_jump_of_a_counter_is_a_fault_wherever_it_is(tmp_path: Path, value_j: float, kind: str):
    chance = np.random.default_rng(1)
    for number in range(PLACES // 10):
        rows = np.unique([0, 299, *chance.choice(np.arange(2, 298, 2), 8, replace=False)])
        rails = chance.integers(0, 4, len(rows))
        joules = steady()
        joules[rows, rails] = value_j
        trace = counted(tmp_path / str(number), joules)
        for row, rail in zip(rows, rails, strict=True):
            assert kinds(trace, 1000 + row * 0.1 + 0.05) == {(kind, COUNTERS.rails[rail])}
        assert np.isnan(trace.joules).sum() == len(rows) == 10
        assert np.isnan(trace.joules[rows, rails]).all()


def test_a_counter_that_freezes_is_a_fault_wherever_it_is(tmp_path: Path):
    chance, may_freeze = np.random.default_rng(2), (0, 1, 3)
    for number in range(PLACES // len(may_freeze) + 1):
        froze = {rail: int(chance.integers(1, 240)) for rail in may_freeze}
        joules = steady()
        for rail, row in froze.items():
            joules[row:, rail] = 0.0
        trace = counted(tmp_path / str(number), joules)
        for row in froze.values():
            frozen = {COUNTERS.rails[rail] for rail, since in froze.items() if since <= row + 30}
            assert kinds(trace, 1000 + row * 0.1 + 3) == {("frozen rail", rail) for rail in frozen}
        for rail, row in froze.items():
            assert np.isnan(trace.joules[row:, rail]).all()
            assert not np.isnan(trace.joules[:row, rail]).any()


def test_a_part_that_rests_for_a_moment_and_an_engine_that_is_off_are_no_fault(tmp_path: Path):
    joules = steady()
    joules[100:140, 1] = 0.0
    joules[:20, 2] = 0.1
    assert counted(tmp_path / "rests", joules).faults == ()


@pytest.mark.parametrize(
    ("chip", "watts", "kind"),
    [("Apple M1", 120.0, "implausible"), ("Apple M4 Max", 120.0, None), ("Apple M2 Ultra", 500.0, None)],
)
def test_the_limit_is_that_of_the_class_of_chip(chip: str, watts: float, kind: str | None, tmp_path: Path):
    joules = steady(50)
    joules[20, 0] = watts / 10
    info = SourceInfo(**{**COUNTERS.__dict__, "details": {"chip": chip}})
    recording = Recording(tmp_path, Header("readings", info))
    for number, row in enumerate(joules.tolist()):
        at = Stamp(*[1000 + number * 0.1] * 3)
        recording.reading(0.1, dict(zip(info.rails, row, strict=True)), at)
    recording.close()
    assert {fault.kind for fault in load(tmp_path)[0].faults} == ({kind} if kind else set())


def spoilt(told, name: str):
    """A document of which one figure of the GPU can't be true."""
    energies = dict(told.energies_mj)
    if name == "thousandfold":
        return {"energies_mj": {**energies, "gpu": 1000 * energies["gpu"]}, "powers_mj": energies}
    if name == "spike":
        return {"energies_mj": {**energies, "gpu": 140_000}}
    return {"energies_mj": {**energies, "gpu": -energies["gpu"]}}


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("thousandfold", "self-contradiction"),
        ("spike", "implausible"),
        ("negative", "impossible figure"),
    ],
)
def test_a_document_that_can_not_be_true_is_found_live_and_in_a_bare_stream(
    tmp_path: Path, name: str, kind: str
):
    for seed in range(4):
        simulated, chance = simulation(seed)
        sent = deliveries(simulated)
        rows = sorted(int(row) for row in chance.choice(np.arange(20, len(sent) - 20, 3), 25, replace=False))
        for row in rows:
            sent[row] = replace(sent[row], told=replace(sent[row].told, **spoilt(sent[row].told, name)))
        folder = tmp_path / str(seed)
        folder.mkdir()
        record(sent, folder, source=SOURCE, shape=SMALL)
        for trace in (load(folder)[0], read_kept(folder / "power.raw")[0]):
            of_gpu = [fault for fault in trace.faults if fault.rail == "gpu"]
            assert {fault.kind for fault in of_gpu} == {kind}
            assert np.flatnonzero(np.isnan(trace.joules[:, trace.rails.index("gpu")])).tolist() == rows


@pytest.mark.parametrize(
    ("chip", "boundary", "watts"),
    [
        ("Apple M3", "soc_cpu_gpu_ane", 100),
        ("Apple M2 Pro", "soc_cpu_gpu_ane", 150),
        ("Apple M4 Max", "soc_cpu_gpu_ane", 300),
        ("Apple M2 Ultra", "soc_cpu_gpu_ane", 600),
        ("Intel Xeon", "package", 1000),
        ("Apple M3", "wall", 1500),
    ],
)
def test_what_a_chip_a_package_and_a_machine_may_draw(chip: str, boundary: Boundary, watts: float) -> None:
    assert limit_w(replace(COUNTERS, boundary=boundary, details={"chip": chip})) == watts
