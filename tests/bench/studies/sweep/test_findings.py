"""A sweep: a run folder with rows, cliff and figure, that can be made again from the run."""

from __future__ import annotations

import csv
import json
import re
import shutil
from contextlib import chdir
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest

from analysis.values import Estimate, Withheld
from backends.cut import FULL, Cut
from bench.errors import UserError
from bench.report.arm_row import ArmRow
from bench.run import store
from bench.run.records import SlotRecord
from bench.studies.cuts.cut_options import points_of
from bench.studies.cuts.quality import Mean, TextQuality
from bench.studies.cuts.texts import TextChoice
from bench.studies.sweep.findings import JudgedSweep, SweptArm, answers_of, cliffs_of, with_pareto
from bench.studies.sweep.run import SweepRequest, prepare
from bench.studies.sweep.tables import cliff_line, to_csv
from tests.bench.at_hand import QUICK, quick
from tests.bench.processes import AS_ROOT
from tests.bench.suites import write_suite
from tests.tiny_models import save_tiny_llama

READING = ("--text", "text.txt", "--window", "64", "--stride", "32", "--windows", "6")
SUITE: dict[str, Any] = {
    **QUICK,
    "backends": ["torch"],
    "backend_options": {"torch": {"device": "cpu"}},
    "models": {"full": {"name": "tiny"}},
    "gates": {"ungated": {}},
    "prompt_lines": [json.dumps({"id": n, "text": f"question {n}, and more", "reference": n}) for n in "ab"],
}


def arm(
    cut: Cut, rise: float, *, joules: float = 1.0, outcome: str = "effective", gate: str = ""
) -> SweptArm:

    blank: dict[str, Any] = dict.fromkeys(field.name for field in fields(ArmRow))
    row = ArmRow(**{**blank, "backend": "torch", "gate": gate or repr(cut), "a_a": False})
    mean = Mean(mean=rise, interval=Withheld("x"), count=1)
    text = TextQuality(
        windows=1, tokens=1, ungated=mean, gated=mean, rise=mean, kl=0.0, top1=1.0, unchanged=False
    )
    return SweptArm(
        row=replace(row, joules_per_token=joules, kind="modelled"),
        cut=cut,
        outcome=outcome,
        reason="",
        tokens_per_s=1.0,
        bytes_per_token=1.0,
        text=None if outcome == "ungated" else text,
    )


def judged(arms: list[SweptArm], *swept: str) -> JudgedSweep:
    return JudgedSweep(
        run="r",
        suite="s",
        swept=swept,
        text_name="t",
        cost="",
        arms=arms,
        cliffs=[],
        warnings=[],
        layers=30,
        loaded_bits=32,
    )


UNGATED = arm(FULL, 0.0, outcome="ungated", gate="ungated")


def test_the_cliff_is_the_largest_share_with_a_rise_above_one_percent() -> None:
    arms = [UNGATED, *(arm(Cut(kv_keep=k), rise) for k, rise in ((0.9, 0.001), (0.7, 0.02), (0.5, 0.2)))]
    [cliff] = cliffs_of(judged(arms, "kv_keep"))
    assert cliff.strength == 0.7
    assert "0.7 (torch, along kv_keep)" in cliff_line(cliff)
    [none] = cliffs_of(judged(arms[:2], "kv_keep"))
    assert none.strength is None
    assert "no cliff down to 0.9" in none.reason


def test_a_grid_has_a_cliff_along_each_cut_for_each_value_of_the_other() -> None:
    grid = [Cut(kv_keep=k, mlp_keep=m) for k in (0.5, 1.0) for m in (0.5, 1.0)]
    arms = [UNGATED, *(arm(cut, 0.5) for cut in grid if cut != FULL)]
    found = cliffs_of(judged(arms, "kv_keep", "mlp_keep"))
    along = {(cliff.key, cliff.beside): cliff.strength for cliff in found}
    assert along["kv_keep", ""] == 0.5
    assert along["mlp_keep", ""] == 0.5
    assert along["kv_keep", "mlp_keep=0.5"] is None  # as bad at kv_keep 1.0: no rise along kv_keep
    assert len(found) == 4


def test_an_inactive_point_is_neither_on_the_cliff_nor_in_the_pareto_set() -> None:
    arms = [UNGATED, arm(Cut(kv_keep=0.5), 0.0, joules=0.1, outcome="gate inactive")]
    [cliff] = cliffs_of(judged(arms, "kv_keep"))
    assert cliff.reason.startswith("gate inactive")
    marked, cost = with_pareto(arms)
    assert [one.pareto for one in marked] == [True, False]
    assert cost == "modelled J per generated token"


def test_a_point_is_in_the_pareto_set_unless_another_is_cheaper_and_better() -> None:
    arms = [
        UNGATED,
        arm(Cut(kv_keep=0.9), 0.01, joules=0.8),
        arm(Cut(kv_keep=0.8), 0.05, joules=0.9),
        arm(Cut(kv_keep=0.5), 0.1, joules=0.5),
    ]
    marked, _ = with_pareto(arms)
    assert [one.pareto for one in marked] == [True, True, False, True]


def judged_as(one: SweptArm, verdict: str, saved: float, *, rise: Estimate | None = None) -> SweptArm:
    """The arm with a verdict on its joules, and a perplexity with an interval."""
    row = replace(one.row, verdict=verdict, joules_saved_percent=saved)
    row = replace(row, saved_low_percent=saved - 2, saved_high_percent=saved + 2)
    text = one.text and replace(
        one.text, tokens=512, rise=replace(one.text.rise, interval=rise or Withheld("x"))
    )
    return replace(one, row=row, text=text)


def test_what_differs_from_the_ungated_point_by_noise_alone_is_not_worth_having() -> None:
    worse_and_dearer = judged_as(arm(Cut(kv_keep=0.9), -0.001, joules=1.01), "equivalent", -1.0)
    cheaper_by_noise = judged_as(arm(Cut(kv_keep=0.8), 0.02, joules=0.99), "inconclusive", 1.0)
    saves = judged_as(arm(Cut(kv_keep=0.5), 0.1, joules=0.5), "saves", 50.0)
    better = judged_as(
        arm(Cut(kv_keep=0.7), -0.05, joules=1.2), "costs", -20.0, rise=Estimate(-0.05, -0.07, -0.03)
    )
    marked, _ = with_pareto([UNGATED, worse_and_dearer, cheaper_by_noise, saves, better])
    assert [one.pareto for one in marked] == [True, False, False, True, True]


def test_the_answer_names_the_most_that_is_saved_before_quality_gives_way() -> None:
    mild = judged_as(arm(Cut(kv_keep=0.9), 0.004, gate="mild"), "saves", 10.0)
    harsh = judged_as(arm(Cut(kv_keep=0.5), 0.3, gate="harsh"), "saves", 50.0)
    unsure = judged_as(arm(Cut(kv_keep=0.8), 0.002, gate="unsure"), "inconclusive", 3.0)
    dear = judged_as(arm(Cut(kv_keep=0.8), 0.002, gate="dear"), "costs", -3.0)

    def answer(*arms: SweptArm) -> str:
        (said,) = answers_of(judged([UNGATED, *arms]))
        return said

    assert answer(mild, harsh) == (
        "On torch mild saves most within 1.0 % of the ungated perplexity: 10.0 % (8.0 % to 12.0 %) of the "
        "joules per token, perplexity +0.4 % over 512 tokens."
    )
    assert "no cut saves joules" in answer(harsh)
    assert "costs more quality: harsh" in answer(harsh)
    assert "not" not in answer(mild)
    assert "shown yet (inconclusive)" in answer(unsure)
    assert answer(dear).startswith("On torch no cut saves joules")
    assert "no cut took effect" in answer(replace(mild, outcome="gate inactive"))


@pytest.fixture(scope="module")
def swept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sweep")
    save_tiny_llama(folder / "tiny")
    (folder / "text.txt").write_text("the quick brown fox jumps over the lazy dog. " * 20)
    write_suite(folder, **SUITE)
    done = quick("sweep", "suite.toml", "--cut", "kv_keep=0.5:1.0:0.5", *READING, *AS_ROOT, cwd=folder)
    assert done.returncode == 0, done.stderr
    (folder / "said.txt").write_text(done.stdout)
    return folder


def run_of(folder: Path) -> Path:
    return next(file.parent for file in (folder / "results").glob("*/run.json"))


def test_a_sweep_is_a_run_whose_gates_are_its_points(swept: Path) -> None:
    run = store.read(run_of(swept))
    assert run.header.gates == ["ungated", "kv_keep=0.5"]
    assert Path(run.header.suite.path) == (swept / "suite.toml").resolve()
    assert len(run.finished_blocks) == 1
    assert {slot.a_a for slot in run.of(SlotRecord)} == {True, False}


def test_its_tables_say_what_they_show(swept: Path) -> None:
    said = (swept / "said.txt").read_text()
    shown = (
        "modelled, NOT a measurement",
        "noise",
        "blocks",
        "perplexity over text.txt, ",
        "tokens",
        "cliff:",
    )
    for words in shown:
        assert words in said, words
    # none at all where this machine was too busy for ten readings in a window
    assert re.search(r"(1 whole block is|0 whole blocks are) not enough for a claim", said)


def test_its_folder_holds_the_rows_and_the_figure(swept: Path) -> None:
    folder = run_of(swept) / "sweep"
    assert {file.name for file in folder.iterdir()} == {"sweep.csv", "sweep.json", "sweep.svg", "sweep.png"}
    with (folder / "sweep.csv").open(newline="") as file:
        rows = {(row["gate"], row["a_a"]): row for row in csv.DictReader(file)}
    cut = rows["kv_keep=0.5", "False"]
    assert cut["outcome"] == "effective"
    assert cut["kind"] == "modelled"
    assert float(cut["bytes_ratio"]) < 1
    assert float(cut["kl_nats"]) > 0
    assert cut["kl_nats_low"] == ""
    assert float(cut["perplexity_rise_low"]) <= float(cut["perplexity_rise"])
    assert rows["ungated", "False"]["perplexity"] == ""
    drawn = (folder / "sweep.svg").read_text(encoding="utf-8")
    assert "NOT\u00a0a\u00a0measurement" in drawn
    assert "$" not in drawn


def test_a_sweep_that_lost_its_quality_gets_it_again_from_the_run(swept: Path) -> None:
    folder = run_of(swept)
    before = json.loads((folder / "sweep" / "sweep.json").read_text())
    shutil.rmtree(folder / "sweep")
    done = quick("sweep", "--resume", str(folder), *AS_ROOT, cwd=swept)
    assert done.returncode == 0, done.stderr
    again = json.loads((folder / "sweep" / "sweep.json").read_text())
    assert [one["text"] for one in again["configurations"]] == [
        one["text"] for one in before["configurations"]
    ]
    assert not [file for file in folder.iterdir() if file.name.startswith(".sweep")]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "no cut is given"),
        (["--cut", "kv_keep=1.0"], "every point is the whole model"),
        (["--cut", "kv_keep=0:1:0.5"], "kv_keep = 0; give a fraction"),
        (["--cut", "drop_blocks=9"], "layer 9, but the model has layers 0 to 7"),
        (["--cut", "kv_keep=0.5", "--cut", "kv_policy=snapkv"], "fewer than snapkv_window = 32"),
        (["--cut", "kv_keep=0.5", "--stride", "64"], "window 64, stride 64"),
        (["--resume", "."], "not a run folder"),
    ],
)
def test_a_mistake_is_one_line_and_leaves_nothing(tmp_path: Path, arguments: list[str], said: str) -> None:
    (tmp_path / "text.txt").write_text("words " * 50)
    write_suite(tmp_path)
    before = sorted(tmp_path.rglob("*"))
    done = quick("sweep", "suite.toml", *READING, *arguments, *AS_ROOT, cwd=tmp_path)
    assert done.returncode == 2, done.stderr
    assert said in done.stderr.strip().splitlines()[-1]
    assert "Traceback" not in done.stderr
    assert sorted(tmp_path.rglob("*")) == before


def test_a_window_that_exceeds_the_context_is_refused_before_anything_runs(swept: Path) -> None:
    cut = points_of(["kv_keep=0.5"])
    suite = str(swept / "suite.toml")
    reading = TextChoice(text=None, window=128, stride=64, windows=1)
    request = SweepRequest(suite=suite, points=cut, reading=reading)
    models = chdir(swept)  # the suite names its model by a relative path
    with models, pytest.raises(UserError, match="window 128 exceeds the context of the model, 96"):
        prepare(request, None, progress=lambda *_: None)


def test_a_gate_is_no_formula_in_the_csv() -> None:
    (row,) = csv.DictReader(to_csv(judged([arm(FULL, 0.0, gate="=cmd")])).splitlines())
    assert row["gate"] == "'=cmd"
