"""The redundancy profile: labels by the stated rule, the ranking, and the command on a tiny model."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from safetensors.torch import load_file, save_file

from backends.cut import FULL, Cut
from bench.errors import UserError
from bench.studies.cuts.redundancy import (
    Profile,
    drop_one_by_one,
    drops_of,
    label_layers,
    least,
    most_alike,
    rank,
)
from tests.bench.at_hand import quick
from tests.bench.processes import AS_ROOT
from tests.contracts.models import load_tiny
from tests.tiny_models import save_tiny_llama

IDS = [5, 9, 30, 77, 41, 12, 200, 33]
CHANGES = np.array(
    [
        [0.40, 0.02, 0.01, 0.03, 0.04, 0.05],
        [0.90, 0.06, 0.07, 0.08, 0.09, 0.30],
        [1.00, 0.10, 0.10, 0.10, 0.10, 0.40],
    ]
)


def profile() -> Profile:
    return Profile(
        model="m",
        backend="torch",
        text_name="t",
        text_sha256="",
        pieces=1,
        tokens=1,
        layers=label_layers(CHANGES),
        ranking=rank(CHANGES),
        stability=None,
    )


def test_labels_follow_the_stated_rule() -> None:
    layers = label_layers(CHANGES)
    labels = [layer.label for layer in layers]
    assert labels == ["early-critical", "middle", "middle", "middle", "deep", "deep"]
    assert [layer.layer for layer in layers if layer.critical] == [0, 5]
    flat = label_layers(np.ones((3, 4)))
    assert [layer.label for layer in flat] == ["middle", "middle", "deep", "deep"]


def test_the_ranking_is_joint_and_starts_with_the_smallest_change() -> None:
    found = profile()
    assert [(one.part, one.layer) for one in found.ranking[:3]] == [
        ("attention", 2),
        ("attention", 1),
        ("attention", 3),
    ]
    assert len(found.ranking) == 12
    assert least(found, "mlp", 2) == (1, 2)
    assert drops_of(found.ranking[:6]) == {"drop_attention": (1, 2, 3, 4, 5), "drop_mlp": (1,)}


def test_neighbours_that_are_most_alike_come_first_and_a_layer_is_in_one_pair() -> None:
    changes = np.array([[0.0] * 6, [0.0] * 6, [0.9, 0.2, 0.1, 0.3, 0.4, 0.05]])
    found = label_layers(changes)
    assert most_alike(found, 3) == ((2, 3), (4, 5), (0, 1))
    assert most_alike(found, 1) == ((2, 3),)
    changes[0, 2] = np.nan  # has a state in place of attention
    assert most_alike(label_layers(changes), 3) == ((3, 4), (0, 1))


def test_one_by_one_is_the_ranking_where_modules_do_not_interact() -> None:
    def measure(cut: Cut) -> np.ndarray:
        changes = CHANGES.copy()
        changes[0, list(cut.drop_attention)] = changes[1, list(cut.drop_mlp)] = np.nan
        return changes

    for among in (("attention", "mlp"), ("attention",), ("mlp",)):
        expected = tuple(one for one in rank(CHANGES) if one.part in among)[:5]
        assert drop_one_by_one(CHANGES, measure, 5, among=among) == expected
    with pytest.raises(UserError, match=r"iterative = 7, but there are 6 modules .*give at most 6"):
        drop_one_by_one(CHANGES, measure, 7, among=("mlp",))


@pytest.mark.parametrize("name", ["torch", "mlx"])
def test_modules_that_add_nothing_go_first_and_what_is_left_is_measured_anew(
    name: str, tmp_path: Path
) -> None:
    folder = save_tiny_llama(tmp_path)
    weights = load_file(folder / "model.safetensors")
    idle = ("model.layers.2.self_attn.o_proj.weight", "model.layers.2.mlp.down_proj.weight")
    save_file({**weights, **{key: weights[key] * 0 for key in idle}}, folder / "model.safetensors")
    backend = load_tiny(name, folder)

    def measure(cut: Cut) -> np.ndarray:
        found = backend.redundancy(IDS, cut)
        return np.array([found.attention, found.mlp, found.block], dtype=float)

    whole = measure(FULL)
    gone = drop_one_by_one(whole, measure, 4, among=("attention", "mlp"))
    assert {(one.part, one.layer) for one in gone[:2]} == {("attention", 2), ("mlp", 2)}
    left = measure(Cut(drop_attention=(2,), drop_mlp=(2,)))
    assert np.isnan(left[:2, 2]).all()
    assert left[2, 2] == 0
    np.testing.assert_allclose(np.delete(left, 2, axis=1), np.delete(whole, 2, axis=1), atol=1e-6)
    assert gone[3] == rank(measure(Cut.model_validate(drops_of(gone[:3]))))[0]


def test_the_command_prints_a_profile_and_draws_it(tmp_path: Path) -> None:
    save_tiny_llama(tmp_path / "tiny")
    (tmp_path / "text.txt").write_text("the quick brown fox jumps over the lazy dog. " * 20)
    arguments = ("redundancy", "tiny", "--text", "text.txt", "--pieces", "3", "--iterative", "2", *AS_ROOT)
    done = quick(*arguments, "--out", "figures", "--json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert [layer["layer"] for layer in found["layers"]] == [0, 1, 2, 3]
    assert all(0 < layer["block"] < 2 for layer in found["layers"])
    assert (found["pieces"], found["tokens"]) == (3, 3 * 96)
    assert -1 <= found["stability"] <= 1
    assert found["iterative"][0] == found["ranking"][0]
    assert len(found["iterative"]) == 2
    drawn = (tmp_path / "figures" / "redundancy.svg").read_text(encoding="utf-8")
    assert drawn.startswith("<?xml")
    assert "mathdefault" not in drawn
    least = found["ranking"][0]
    shown = quick(*arguments, cwd=tmp_path)
    said = f"of layer {least['layer']} changes the residual stream of tiny least, by {least['change']:.2g}"
    assert said in " ".join(shown.stdout.splitlines()[:2])
    assert (tmp_path / "figures" / "redundancy.png").read_bytes().startswith(b"\x89PNG")
    assert {file.name for file in (tmp_path / "figures").iterdir()} == {"redundancy.svg", "redundancy.png"}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--backend", "echo"], "echo runs no model"),
        (["--backend", "echo", "--pieces", "0"], "pieces = 0"),
        (["--backend", "ecco"], "did you mean 'echo'"),
    ],
)
def test_what_has_no_layers_is_refused_in_one_line(tmp_path: Path, arguments: list[str], said: str) -> None:
    done = quick("redundancy", "echo", *arguments, *AS_ROOT, cwd=tmp_path)
    assert done.returncode == 2
    assert said in done.stderr.strip().splitlines()[-1]
    assert not list(tmp_path.iterdir())
