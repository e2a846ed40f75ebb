"""Every table, at every width of a terminal: no column is lost, no cell is cut, no heading is a tower."""

from __future__ import annotations

import io
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.console import Console

from analysis.quality import Mean
from analysis.values import Estimate, Withheld
from backends.cut import FULL, Cut
from bench.cli.doctor import findings_table as doctor
from bench.cli.doctor.checks import CheckResult
from bench.report.export import collect_summary
from bench.report.export.collect import Collected
from bench.show.table import HEADING_LINES, Column, Table, drawn, show
from bench.studies.cuts import against_whole, redundancy, redundancy_shown
from bench.studies.cuts.quality import AnswerQuality, TextQuality
from bench.studies.isolate import tables as isolate
from bench.studies.spectral import tables as spectral
from bench.studies.spectral.points import ArmStudy, judge_arm
from bench.studies.spectral.study_prompts import generated
from bench.studies.sweep import tables as sweep
from benchmarks.isolation import machine_with
from tests.bench.studies.isolate.test_run import report_of
from tests.bench.studies.spectral.test_points import measured
from tests.bench.studies.sweep.test_findings import arm, judged

Print = Callable[[Console], None]


def mean(value: float) -> Mean:
    return Mean(mean=value, interval=Estimate(value, 0.9 * value, 1.1 * value), count=9)


ANSWERS = AnswerQuality(
    prompts=9,
    agreement=mean(0.912),
    diverged=1,
    first_divergence=mean(12.3),
    kl=mean(0.0123),
    top1=Mean(mean=0.3, interval=Withheld("one prompt has no spread"), count=1),
    score=None,
    ungated_score=mean(0.61),
)
TEXT = TextQuality(
    windows=3,
    tokens=99,
    ungated=mean(21.2),
    gated=mean(23.4),
    rise=mean(0.104),
    kl=0.0111,
    top1=0.9,
    unchanged=False,
)


def swept(console: Console) -> None:
    arms = [arm(FULL, 0.0, outcome="ungated", gate="ungated"), arm(Cut(kv_keep=0.5), 0.1, gate="half_of_all")]
    sweep.show(judged(arms, "kv_keep"), console)


def judged_cut(console: Console) -> None:
    quality = against_whole.CutQuality(
        model="m",
        backend="torch",
        cut={"kv_keep": 0.5},
        outcome="effective",
        reason="",
        prompts_sha256="",
        answers=ANSWERS,
        text_name="text.txt",
        text_sha256="",
        text=TEXT,
        warning=None,
    )
    against_whole.show(quality, console)


def profiled(console: Console) -> None:
    changes = np.random.default_rng(0).random((3, 6))
    found = redundancy.Profile(
        model="m",
        backend="torch",
        text_name="text.txt",
        text_sha256="",
        pieces=3,
        tokens=100,
        layers=redundancy.label_layers(changes),
        ranking=redundancy.rank(changes),
        stability=0.9,
    )
    redundancy_shown.show(found, console)


def isolated(console: Console) -> None:
    isolate.show([report_of(machine_with("memory-bound", seed=1).isolate(seed=1))], console)


@cache
def studied() -> tuple[ArmStudy, ...]:
    return tuple(judge_arm(measured(generated(40))))


def correlated(console: Console) -> None:
    spectral.show(studied(), console)


def collected(console: Console) -> None:
    row: dict[str, Any] = dict.fromkeys(collect_summary.GROUP)
    row |= {"chip": "Apple M1 Max", "gpu_cores": 32, "suite": "routing-smollm"}
    row |= {"configuration": "torch constant (A/A)"}
    row |= {"boundary": "cpu+gpu", "kind": "measured", "grade": 2, "runs": 3, "windows": 36, "requests": 432}
    row |= {"generated_tokens": 27648, "joules_per_request": 12.3, "joules_per_token": None}
    found = Collected(file=Path("runs.parquet"), runs=3, slots=36, **_empty(Collected))
    collect_summary.show(found, [row], console)


def _empty(kind: type) -> dict[str, Any]:
    """Nothing in every field that is not given above."""
    return dict.fromkeys(set(kind.__annotations__) - {"file", "runs", "slots"}, ())


def examined(console: Console) -> None:
    found = [
        CheckResult(what="load", state="note", found="2.18 over the last minute", fix="quit other programs")
    ]
    show([Table.of(doctor._COLUMNS, found, title="")], console)


TOLD: tuple[tuple[Print, tuple[str, ...]], ...] = (
    (swept, ("tok/s", "MB/token", "verdict", "perplexity", "rise", "KL", "top-1", "score", "Pareto")),
    (judged_cut, ("mean", "95 %", "21.2", "19.08 to 23.32", "91.2 %", "82.1 % to 100.3 %")),
    (profiled, ("layer", "attention", "mlp", "block", "label")),
    (isolated, ("backend", "precision", "verdict", "figure", "fits", "phase", "ms/token", "J/token")),
    (correlated, ("points", "permuted", "rho", "alone", "given", "OLS", "r2", "shuffled table")),
    (collected, ("machine", "suite", "grade", "windows", "27648", "12.3", "not estimated", "J/request")),
    (examined, ("note", "load", "-> quit other programs")),
)


@pytest.mark.parametrize("width", [60, 80, 100, 120, 140])
@pytest.mark.parametrize(("told", "words"), TOLD, ids=lambda one: getattr(one, "__name__", ""))
def test_at_no_width_a_column_is_lost(told: Print, words: tuple[str, ...], width: int) -> None:
    console = Console(file=io.StringIO(), width=width, force_terminal=False)
    told(console)
    assert isinstance(console.file, io.StringIO)
    said = console.file.getvalue()
    paths = ("wrote ",)  # are never folded
    assert max(len(line) for line in said.splitlines() if not line.startswith(paths)) <= width
    assert "…" not in said
    for word in words:
        assert word in said, word


def test_no_heading_is_a_tower() -> None:
    columns: tuple[Column[str], ...] = (
        Column("", str),
        Column("joules of a new token per pass", lambda _: 1),
        Column("and below it another one", lambda _: 2, is_under=True),
    )
    console = Console(file=io.StringIO(), width=200)
    console.print(drawn(Table.of(columns, ["a"], title="")))
    assert isinstance(console.file, io.StringIO)
    head = console.file.getvalue().split("─")[0].splitlines()
    assert len([line for line in head if line.strip()]) <= HEADING_LINES


def test_what_was_not_measured_is_listed_as_a_dash() -> None:
    console = Console(file=io.StringIO(), width=30)
    columns: tuple[Column[str], ...] = (
        Column("", str),
        Column("a_long_heading", lambda _: None),
        Column("another_heading", lambda _: 3),
    )
    show([Table.of(columns, ["row"], title="")], console)
    assert isinstance(console.file, io.StringIO)
    assert [line.split() for line in console.file.getvalue().splitlines() if "heading" in line] == [
        ["a_long_heading", "-"],
        ["another_heading", "3"],
    ]
