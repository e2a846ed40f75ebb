"""The isolation tests on a tiny model: what is counted, what is missing, what is said."""

from __future__ import annotations

import io
import json
import re
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from analysis.isolation import judge_cell
from analysis.roofline import fit_energy_model, measured_stream
from backends.cut import Cut
from backends.echo import load as echo
from backends.torch import load as on_torch
from bench.errors import UserError
from bench.run.sources import choose
from bench.studies.isolate import cells
from bench.studies.isolate import run as isolation
from bench.studies.isolate.cells import CellPlan
from bench.studies.isolate.run import CellReport, Rows
from bench.studies.isolate.steps import Cell
from bench.studies.isolate.tables import show, to_csv, to_json
from bench.studies.isolate.window import CallWork, Plan, Setting, TimedWindow, measure
from benchmarks.isolation import machine_with
from tests.bench.at_hand import at_hand
from tests.tiny_models import save_tiny_llama

PLAN = Plan(window_s=0.02, stream_bytes=4_000_000)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_tiny_llama(tmp_path_factory.mktemp("llama"))


def by_test_of(windows: list[TimedWindow]) -> dict[str, TimedWindow]:
    return {window.test: window for window in windows}


def report_of(steps: list, **changes: object) -> CellReport:
    fields = {
        "plan": CellPlan(backend="torch", model="m", precision="float32"),
        "verdict": judge_cell(steps),
        "stream": measured_stream(steps),
        "energy": fit_energy_model(steps),
        "steps": tuple(steps),
        "missing": {"S5": "one precision only"},
        "kind": "simulated",
        "boundary": "package",
    }
    return CellReport(**{**fields, **changes})  # type: ignore[arg-type]


def test_every_test_of_a_torch_model_has_windows_with_counted_work(folder: Path) -> None:
    backend = on_torch.load(folder=folder)
    cell = Cell(model=backend, cut=Cut(), plan=PLAN, tiny=backend)
    cell.open()
    windows = cell.round(0)
    assert {w.test for w in windows} >= {"S1", "S2", "S3", "S4", "S7", "S8", "S9", "S10"}
    assert by_test_of(windows)["S3"].also == ("S6", "S7")
    assert all(w.end_s - w.start_s >= PLAN.window_s and w.steps >= 1 for w in windows)
    by_test = by_test_of(windows)
    assert by_test["S1"].read_bytes == PLAN.stream_bytes
    shape = backend.shape()
    assert by_test["S3"].read_bytes >= shape.weight_bytes
    assert by_test["S2"].read_bytes == pytest.approx(shape.weight_bytes, rel=0.1)
    batches = {w.batch: w.flops for w in windows if "S4" in (w.test, *w.also)}
    assert sorted(batches) == [1, 2, 4, 8, 16]
    assert batches[16] > 8 * batches[1]
    one, two = ([w for w in windows if w.test == "S8" and w.batch == batch] for batch in (1, 2))
    assert len(one) == len(two) == 2
    assert two[0].read_bytes < 1.1 * one[0].read_bytes
    assert two[0].flops > 1.5 * one[0].flops
    thinner = [w for w in windows if w.test == "S7" and w.changed and w.layers == 1.0]
    assert len({w.read_bytes for w in thinner}) == 3
    assert {w.layers for w in windows if w.test == "S7" and w.changed} == {1.0, 0.75, 0.5}
    ablated = [w.read_bytes for w in windows if w.test == "S7" and w.changed]
    assert max(ablated) < by_test["S3"].read_bytes
    assert by_test["S9"].changed
    assert by_test["S2"].also == ("S9",)


def test_quantised_cells_name_what_they_can_not_do(folder: Path) -> None:
    backend = on_torch.load(folder=folder)
    cell = Cell(model=backend, cut=Cut(weight_bits=8), plan=PLAN, tiny=None)
    cell.open()
    assert "quantised" in cell.missing["S2"]
    assert "tiny" in cell.missing["S10"]


def test_a_kernel_that_the_device_has_not_is_named_and_left_out(folder: Path) -> None:
    cell = Cell(model=echo.load(cpu_s_per_token=0.0001), cut=Cut(), plan=PLAN, tiny=None)

    def run(_: object) -> CallWork:
        raise NotImplementedError("no kernel for the MPS device")

    assert not cell._works(Setting(test="S1", run=run))
    assert cell.missing["S1"] == "no kernel for the MPS device"


def test_a_stand_in_has_no_probes_and_says_so(folder: Path) -> None:
    cell = Cell(model=echo.load(cpu_s_per_token=0.0001), cut=Cut(), plan=PLAN, tiny=None)
    cell.open()
    assert "no stream" in cell.missing["S1"]
    assert "'echo'" in cell.missing["S2"]


def test_a_window_is_whole_steps_and_per_step() -> None:
    setting = Setting(test="S1", run=lambda _: CallWork(steps=2, read_bytes=10.0, flops=4.0))
    window = measure(setting, lambda: None, window_s=0.005)
    assert isinstance(window, TimedWindow)
    assert window.steps % 2 == 0
    assert (window.read_bytes, window.flops) == (5.0, 2.0)


def test_the_report_holds_verdict_evidence_figures_and_what_is_missing() -> None:
    steps = machine_with("memory-bound", seed=1).isolate(seed=1)
    console = Console(width=120, file=io.StringIO(), force_terminal=False)
    show([report_of(steps)], console)
    text = console.file.getvalue()  # type: ignore[attr-defined]
    words = (
        "memory-bound",
        "NOT a measurement",
        "gate efficiency",
        "pJ/byte",
        "decode",
        "! S5: one precision only",
    )
    for word in (*words, "4.15 of a step at 16 bits a weight"):
        assert word in " ".join(text.split())
    assert to_csv([report_of(steps)]).count("\n") == len(steps) + 1
    hostile = CellPlan(backend="torch", model="=cmd", precision="float32")
    assert ",'=cmd," in to_csv([report_of(steps, plan=hostile)])
    assert json.loads(json.dumps(to_json([report_of(steps)])))[0]["verdict"]["verdict"] == "memory-bound"


def test_the_answer_stands_first_and_no_price_is_below_zero() -> None:
    said = set()
    for bound in ("memory-bound", "overhead-bound", "mixed"):
        for seed in range(8):
            steps = machine_with(bound, seed=seed).isolate(seed=seed)
            noisy = [
                replace(s, joules_j=s.joules_j and s.joules_j * (1 + 0.3 * (-1) ** n))
                for n, s in enumerate(steps)
            ]
            console = Console(width=80, file=io.StringIO(), force_terminal=False)
            report = report_of(noisy)
            show([report], console)
            text = " ".join(console.file.getvalue().split())  # type: ignore[attr-defined]
            assert text.startswith(f"A decode step of m in float32 on torch is {report.verdict.verdict}: ")
            assert not re.search(r"-\d[^ ]*( \[[^]]*\])? (pJ|W)|\[-[^]]*\] (pJ|W)|withheld", text), text
            said |= {"at most" in line for line in text.split("energy = ")[1:]}
    assert True in said, "no draw had a price that reaches zero"


def test_without_joules_energy_is_withheld_and_the_verdict_stands() -> None:
    steps = [replace(s, joules_j=None) for s in machine_with("overhead-bound", seed=2).isolate(seed=2)]
    report = report_of(steps)
    assert report.verdict.verdict == "overhead-bound"
    console = Console(width=120, file=io.StringIO(), force_terminal=False)
    show([report], console)
    assert "not estimated" in console.file.getvalue()  # type: ignore[attr-defined]


def test_a_whole_isolation_of_a_tiny_model(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    suite = cells.IsolateSuite.model_validate(
        {
            "name": "tiny",
            "window_s": 0.06,
            "rounds": 2,
            "stream_bytes": 4_000_000,
            "cells": [{"backend": "torch", "model": str(folder)}],
        }
    )
    monkeypatch.setattr(isolation, "_tiny_model", lambda *_: folder)  # which a process would make
    said: list[str] = []
    with at_hand(most=2000):  # a round is one answer
        (report,) = isolation.isolate(suite, choose("modelled", {"interval_ms": 5}), said.append)
    assert {step.test for step in report.steps} >= {"S1", "S3", "S7", "S9", "S10"}
    assert report.kind == "modelled"
    assert report.verdict.reason
    assert any(step.joules_j for step in report.steps)
    assert "one precision" in report.missing["S5"]
    assert re.fullmatch(r"a reading every \d+ ms: windows of 0.\d+ s", said[0])
    assert re.search(r"round 2 of 2, \d+ s each$", said[-1])


def test_the_precision_test_is_the_decode_steps_of_the_same_model_at_every_precision() -> None:
    cells = [CellPlan(backend="torch", model="m", precision=p) for p in ("float32", "bfloat16")]
    cells.append(CellPlan(backend="mlx", model="m", precision="float32"))
    steps = machine_with("memory-bound", seed=1).isolate(seed=1)
    measured = [Rows(steps, {}, "cpu") for _ in cells]
    decodes = sum(step.test == "S3" for step in steps)
    assert len(isolation._precisions(cells[0], cells, measured)) == 2 * decodes
    assert isolation._precisions(cells[2], cells, measured) == []


def test_a_memory_has_one_bandwidth_whatever_library_reads_it() -> None:
    cells = [CellPlan(backend=backend, model="m") for backend in ("torch", "mlx", "mlx")]
    steps = machine_with("mixed", seed=1).isolate(seed=1)
    slow = [replace(s, seconds_s=6 * s.seconds_s) if s.test == "S1" else s for s in steps]
    measured = [Rows(steps, {}, "cpu"), Rows(slow, {}, "cpu"), Rows(slow, {}, "metal")]
    shared = [isolation._with_shared(c, r, cells, measured) for c, r in zip(cells, measured, strict=True)]
    assert [r for r in shared[1] if r.test == "S1"] == measured[0].stream
    assert [r for r in shared[2] if r.test == "S1"] == measured[2].stream  # another kind of device
    report = isolation._judge(cells[1], shared[1], measured[1], "simulated", "package")
    assert "another library here more" in report.missing["S1 of its own"]
    assert report.verdict.verdict == "mixed"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("name = 'x'\ncells = []", "cells"),
        ("name = 'x'\nronds = 3\ncells = [{backend = 'torch', model = 'm'}]", "did you mean 'rounds'"),
        ("name = 'x'\ncells = [{backend = 'torch', model = 'm', precision = '3bit'}]", "3bit"),
        ("name = ", "not valid TOML"),
    ],
)
def test_a_bad_suite_is_told_in_one_line(tmp_path: Path, text: str, says: str) -> None:
    file = tmp_path / "isolate.toml"
    file.write_text(text)
    with pytest.raises(UserError, match=says):
        cells.load(str(file))


def test_the_bundled_suite_is_valid_and_narrows() -> None:
    suite = cells.load("isolate")
    assert {cell.backend for cell in cells.narrow(suite, backends=["mlx"], rounds=2).cells} == {"mlx"}
    with pytest.raises(UserError, match="no cell of backend 'torhc'; did you mean 'torch'"):
        cells.narrow(suite, backends=["torhc"], rounds=None)
    with pytest.raises(UserError, match="rounds = 1"):
        cells.narrow(suite, backends=None, rounds=1)
