"""The redundancy profile: labels by the stated rule, the ranking, and the command on a tiny model."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from bench.studies.cuts.redundancy import Profile, label_layers, least, least_jointly, rank
from tests.bench.processes import AS_ROOT, bench
from tests.tiny_models import save_tiny_llama

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
    assert least_jointly(found, 6) == {"drop_attention": (1, 2, 3, 4, 5), "drop_mlp": (1,)}


def test_the_command_prints_a_profile_and_draws_it(tmp_path: Path) -> None:
    save_tiny_llama(tmp_path / "tiny")
    (tmp_path / "text.txt").write_text("the quick brown fox jumps over the lazy dog. " * 20)
    arguments = ("redundancy", "tiny", "--text", "text.txt", "--pieces", "3", *AS_ROOT)
    done = bench(*arguments, "--out", "figures", "--json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert [layer["layer"] for layer in found["layers"]] == [0, 1, 2, 3]
    assert all(0 < layer["block"] < 2 for layer in found["layers"])
    assert (found["pieces"], found["tokens"]) == (3, 3 * 96)
    assert -1 <= found["stability"] <= 1
    drawn = (tmp_path / "figures" / "redundancy.svg").read_text(encoding="utf-8")
    assert drawn.startswith("<?xml")
    assert "mathdefault" not in drawn
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
    done = bench("redundancy", "echo", *arguments, *AS_ROOT, cwd=tmp_path)
    assert done.returncode == 2
    assert said in done.stderr.strip().splitlines()[-1]
    assert not list(tmp_path.iterdir())
