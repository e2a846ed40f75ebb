"""Experts that are read are those that a prompt is really sent to, and both libraries count the same."""

from __future__ import annotations

from pathlib import Path
from shutil import copytree
from typing import Any

import mlx.core as mx
import numpy as np
import pytest
import torch
from transformers import AutoModelForCausalLM

from backends.abilities import HasExperts
from backends.cut import FULL, Cut
from backends.ledger import request_ledger
from tests.contracts.models import MODEL_BACKENDS, generate, load_tiny
from tests.families import save_tiny

IDS = [5, 9, 30, 77, 41, 12, 200, 33, 8, 8, 9, 100]
CHUNK = 5


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_tiny("qwen3_moe", tmp_path_factory.mktemp("experts"))


def routed_slowly(folder: Path, ids: list[int]) -> list[list[set[int]]]:
    """By layer and token, from the scores of transformers' own routers."""
    model = AutoModelForCausalLM.from_pretrained(folder).eval()
    with torch.no_grad():
        scores = model(torch.tensor([ids]), output_router_logits=True).router_logits
    return [[set(token.topk(2).indices.tolist()) for token in layer] for layer in scores]


def for_mlx(folder: Path, made: Path) -> Path:
    """A gpt_oss folder with its experts by the names of mlx-community's, (experts, outputs, inputs)."""
    copytree(folder, made)
    weights: dict[str, Any] = {}
    for name, array in mx.load(str(folder / "model.safetensors")).items():
        if name.endswith("_proj_bias"):
            name, array = name.replace("_proj_bias", "_proj.bias"), array
        elif ".experts." in name:
            name, array = f"{name}.weight", array.swapaxes(1, 2)
        if "gate_up_proj" in name:
            weights[name.replace("gate_up", "gate")] = array[:, ::2]
            weights[name.replace("gate_up", "up")] = array[:, 1::2]
        else:
            weights[name] = array
    mx.save_safetensors(str(made / "model.safetensors"), weights, {"format": "mlx"})
    return made


def test_gpt_oss_is_the_same_on_both_by_its_two_sets_of_names(tmp_path: Path) -> None:
    folder = save_tiny("gpt_oss", tmp_path / "gpt_oss")
    pair = load_tiny("torch", folder), load_tiny("mlx", for_mlx(folder, tmp_path / "mlx"))
    one, other = (backend.logits(IDS) for backend in pair)
    np.testing.assert_allclose(one, other, atol=1e-4)
    assert pair[0].shape() == pair[1].shape() is not None
    assert pair[0].experts_of_prompt(IDS) == pair[1].experts_of_prompt(IDS) != ()


@pytest.mark.parametrize("library", MODEL_BACKENDS)
def test_the_experts_of_a_prompt_are_counted_forward_by_forward(
    library: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    backend = load_tiny(library, folder)
    monkeypatch.setattr(backend, "_chunk", CHUNK)
    assert isinstance(backend, HasExperts)
    starts = range(0, len(IDS), CHUNK)
    expected = tuple(
        tuple(len(set().union(*layer[start : start + CHUNK])) for start in starts)
        for layer in routed_slowly(folder, IDS)
    )
    assert backend.experts_of_prompt(IDS) == expected
    shape = backend.shape()
    assert shape is not None
    assert {layer.routed for layer in shape.layers} == {2}
    made = generate(backend, IDS, max_new_tokens=3)
    fewest = request_ledger(shape, FULL, prompt_tokens=len(IDS), generated=made)
    counted = request_ledger(shape, FULL, prompt_tokens=len(IDS), generated=made, experts=expected)
    one = 3 * 64 * 32 * 4  # gate, up and down of an expert, in float32
    more = sum(read - 2 for layer in expected for read in layer)
    assert counted.prefill.bytes - fewest.prefill.bytes == more * one
    assert (counted.decode, counted.prefill.flops) == (fewest.decode, fewest.prefill.flops)


def test_a_whole_model_holds_its_other_experts_too(folder: Path) -> None:
    backends = [load_tiny(library, folder) for library in MODEL_BACKENDS]
    for backend in backends:
        shape = backend.shape()
        assert shape is not None
        idle = sum(layer.more_expert_bytes(layer.mlp_units) for layer in shape.layers)
        tables = shape.row_bytes * 260
        assert shape.weight_bytes + idle + tables == backend.info.weight_bytes
    one, other = (backend.shape() for backend in backends)
    assert one == other


def test_a_layer_without_its_mlp_reads_no_expert(folder: Path) -> None:
    backend = load_tiny("torch", folder)
    assert isinstance(backend, HasExperts)
    cut = Cut(drop_mlp=(0,))
    backend.ready(cut)
    assert len(backend.experts_of_prompt(IDS, cut)) == len(backend.experts_of_prompt(IDS)) - 1


@pytest.mark.parametrize("library", MODEL_BACKENDS)
def test_a_model_without_experts_runs_no_prompt_a_second_time(
    library: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    backend = load_tiny(library, save_tiny("qwen3", tmp_path))
    assert isinstance(backend, HasExperts)

    def again(*_: object) -> None:
        raise AssertionError("the prompt is run again")

    monkeypatch.setattr(backend, "prefill", again)
    assert backend.experts_of_prompt(IDS) == ()
