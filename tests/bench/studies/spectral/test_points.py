"""Points of a spectral study from a small model, and what is said about them."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.console import Console
from typer.testing import CliRunner

from analysis.correlation import Correlation, Permutation
from analysis.rows import SpectralPoint
from analysis.spectral import Spectrum, spectrum
from analysis.values import Withheld
from bench.cli.app import app
from bench.errors import UserError
from bench.studies.spectral.points import CSV_COLUMNS, Measured, from_csv, ids_of, judge_arm, point_of, to_csv
from bench.studies.spectral.study_prompts import (
    FIXED_TOKENS,
    SpectralPrompt,
    arm_prompts,
    as_published,
    check_arms,
    generated,
)
from bench.studies.spectral.tables import show, to_json
from bench.suite.gates.fingerprint import connectivity, residue, sum_of_squares


class Random:
    """A model whose hidden states are drawn from the ids: reproducible, and about nothing."""

    def encode(self, text: str) -> list[int]:
        return [1, *(3 + byte for byte in text.encode())]

    def hidden(self, ids: list[int]) -> np.ndarray:
        return np.random.default_rng(sum(ids)).normal(size=(len(ids), 32)).astype(np.float32)


def measured(prompts: list[SpectralPrompt], *, arm: str = "powered", repeats: int = 1) -> Measured:
    points = measure_points(Random(), prompts, model="random") * repeats
    ids = {p.id: Random().encode(p.text)[: p.tokens] for p in prompts}
    return Measured(arm=arm, points=points, prompts=len(prompts), ids=ids, vocabulary=300)


def measure_points(backend: Any, prompts: Sequence[SpectralPrompt], *, model: str) -> list[SpectralPoint]:
    """As the worker does it, prompts without a spectrum left out."""
    found = [point_of(backend, prompt, ids_of(backend, prompt), model=model) for prompt in prompts]
    return [point for point in found if point is not None]


def test_a_point_holds_the_fingerprint_and_the_spectrum_of_its_ids() -> None:
    (point,) = measure_points(Random(), [SpectralPrompt(id="a", text="x" * 30)], model="random")
    ids = Random().encode("x" * 30)
    squares = sum_of_squares(ids)
    assert (point.prompt_tokens, point.residue) == (31, residue(squares))
    assert point.lambda2 == connectivity(point.residue)
    assert point.whole_norm == math.isqrt(squares)
    found = spectrum(Random().hidden(ids))
    assert isinstance(found, Spectrum)
    assert point.lambda11 == found.lambda11


def test_short_prompts_have_no_point() -> None:
    prompts = [
        SpectralPrompt(id="eleven", text="x" * 10),
        SpectralPrompt(id="shorter than its cut", text="x" * 20, tokens=48),
        SpectralPrompt(id="cut", text="x" * 80, tokens=48),
    ]
    points = measure_points(Random(), prompts, model="random")
    assert [(point.prompt, point.prompt_tokens) for point in points] == [("cut", 48)]


def test_the_powered_arm_is_distinct_seeded_and_half_of_one_length() -> None:
    prompts = generated(1000, seed=3)
    assert len({prompt.text for prompt in prompts}) == len({prompt.id for prompt in prompts}) == 1000
    assert prompts == generated(1000, seed=3)
    assert prompts != generated(1000, seed=4)
    assert sum(prompt.tokens == FIXED_TOKENS for prompt in prompts) == 500
    assert min(len(prompt.text.split()) for prompt in prompts if prompt.tokens) > FIXED_TOKENS


def test_the_published_arm_is_ten_prompts_of_which_five_count() -> None:
    prompts = arm_prompts("distinct")
    ids = {prompt.id: Random().encode(prompt.text) for prompt in prompts}
    chosen = as_published(prompts, ids)
    defined = [connectivity(residue(sum_of_squares(ids[prompt.id]))) is not None for prompt in chosen]
    assert defined == [True] * 5 + [False] * 5


def test_an_unknown_arm_is_told() -> None:
    with pytest.raises(UserError, match="did you mean 'powered'"):
        check_arms(["power"])
    with pytest.raises(UserError, match="prompts = 1"):
        arm_prompts("powered", count=1)


def test_repeats_do_not_make_points() -> None:
    prompts = arm_prompts("distinct")
    ids = {prompt.id: Random().encode(prompt.text) for prompt in prompts}
    (study,) = judge_arm(measured(as_published(prompts, ids), arm="published", repeats=40))
    found = study.associations[0].correlation
    assert isinstance(found, Correlation)
    assert (found.rows, found.distinct) == (200, 5)
    assert found.nominal is not None
    assert found.nominal.p < found.pearson.p
    assert found.permutation.exact
    assert study.distinct_prompts == 10


def test_random_states_correlate_with_nothing_and_controls_agree() -> None:
    (study,) = judge_arm(measured(generated(300)))
    found = study.associations[0].correlation
    assert isinstance(found, Correlation)
    assert found.distinct > 60
    by_length = study.confounders[0]
    assert by_length.covariate == "length"
    controls = study.controls
    assert isinstance(controls.shuffled_table, Permutation)
    assert controls.shuffled_table.permutations == math.factorial(8)
    assert isinstance(controls.relabelled, Permutation)
    assert controls.relabelled.p > 0.001
    assert set(controls.moduli) == {8, 12, 16, 20, 24, 32, 48}
    assert isinstance(controls.moduli[24], Correlation)
    assert controls.moduli[24].pearson.p == pytest.approx(found.pearson.p)


def test_points_come_back_from_csv_and_give_the_same_figures(tmp_path: Path) -> None:
    one = measured(generated(60))
    file = tmp_path / "points.csv"
    file.write_text(to_csv([one]))
    (back,) = from_csv(file)
    assert back.points == one.points
    (before,), (after,) = judge_arm(one), judge_arm(back)
    assert before.associations == after.associations
    assert isinstance(after.controls.relabelled, Withheld)
    assert isinstance(after.controls.shuffled_table, Permutation)
    assert file.read_text().splitlines()[0] == ",".join(CSV_COLUMNS)


def test_a_csv_without_a_column_is_refused_by_name(tmp_path: Path) -> None:
    file = tmp_path / "points.csv"
    file.write_text("prompt,model,prompt_tokens,residue,lambda2\np,m,20,1,0.3\n")
    with pytest.raises(UserError, match="lambda11 missing"):
        from_csv(file)
    with pytest.raises(UserError, match="can't read the points"):
        from_csv(tmp_path / "nothing.csv")


def test_the_tables_name_the_distinct_points_and_what_was_left_out() -> None:
    prompts = [*generated(40), SpectralPrompt(id="short", text="x")]
    studies = judge_arm(measured(prompts))
    console = Console(width=120, file=io.StringIO(), force_terminal=False)
    show(studies, console)
    text = console.file.getvalue()  # type: ignore[attr-defined]
    for words in (
        "distinct",
        "modulo 48",
        "relabelled",
        "log_length",
        "1 of 41 prompts have no spectrum",
        "prompts have a lambda2;",
    ):
        assert words in text
    assert json.loads(json.dumps(to_json(studies)))[0]["left_out"] == 1


def test_too_few_points_are_withheld_not_printed() -> None:
    one = measured(generated(4))
    few = replace(one, points=[replace(point, lambda2=None) for point in one.points])
    (study,) = judge_arm(few)
    assert all(isinstance(row.correlation, Withheld) for row in study.associations)
    assert isinstance(study.controls.shuffled_table, Withheld)


@pytest.mark.model
def test_the_gram_matrix_gives_the_covariance_eigenvalue_of_real_states(embedded_model: Path) -> None:
    from backends.torch import load as on_torch

    backend = on_torch.load(folder=embedded_model)
    hidden = backend.hidden(
        backend.encode("Twice in a little under twenty-five hours the sea breathes. " * 3)
    )
    covariance = np.cov(hidden.astype(np.float64), rowvar=False, ddof=1)
    covariance += 1e-8 * np.mean(np.diag(covariance)) * np.eye(len(covariance))
    found = spectrum(hidden)
    assert isinstance(found, Spectrum)
    assert found.lambda11 == pytest.approx(np.linalg.eigvalsh(covariance)[-11], rel=1e-8)


def test_points_of_one_arm_are_taken_and_judged(tmp_path: Path) -> None:
    file = tmp_path / "points.csv"
    file.write_text(to_csv([measured(generated(40)), replace(measured(generated(30)), arm="other")]))
    (one,) = from_csv(file, arms=["other"])
    assert one.prompts == 30
    with pytest.raises(UserError, match="has no set 'othr'; did you mean 'other'"):
        from_csv(file, arms=["othr"])
    console = Console(width=120, file=io.StringIO(), force_terminal=False)
    show(judge_arm(one), console)
    assert "lambda2 and lambda11" in console.file.getvalue()  # type: ignore[attr-defined]


def test_a_prompt_of_the_points_is_no_formula_in_the_csv(tmp_path: Path) -> None:
    file, out = tmp_path / "points.csv", tmp_path / "out.csv"
    rows = [f'"=HYPERLINK(""http://x"")",m,{20 + n},{n % 7},0.{n + 1},0.{n + 2}' for n in range(30)]
    file.write_text("\n".join(["prompt,model,prompt_tokens,residue,lambda2,lambda11", *rows]))
    done = CliRunner().invoke(app, ["spectral", "--points", str(file), "--csv", str(out)])
    assert done.exit_code == 0, done.output
    lines = list(csv.DictReader(out.read_text().splitlines()))
    assert {line["prompt"] for line in lines} == {'\'=HYPERLINK("http://x")'}
