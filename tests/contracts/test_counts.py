"""Latents and layers that differ: weights, cache and flops against the arrays and torch's own counter."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from mlx.utils import tree_flatten
from mlx_lm.models.mla import MultiLinear
from torch.utils.flop_counter import FlopCounterMode

from backends.anatomy import keys_of
from backends.base import Backend
from backends.cut import FULL
from backends.folder import open_folder
from backends.ledger import Ledger, request_ledger
from backends.mlx.parts import MlxParts
from backends.shape import Latent, Shape
from tests.contracts.models import MODEL_BACKENDS, generate, load_tiny
from tests.families import save_tiny
from tests.tiny_models import VOCABULARY, edit_config

IDS = [5, 9, 30, 77, 41, 12, 200, 33, 8, 8, 9, 100]
NEW = 4
FLOAT_BYTES = 4
MODELS: dict[str, tuple[str, dict[str, Any]]] = {
    "deepseek_v2": ("deepseek_v2", {}),
    "deepseek_v3": ("deepseek_v3", {}),
    "gemma 4 E2B": ("gemma4_text", {"global_head_dim": 64, "use_double_wide_mlp": True}),
    "gemma 4 26B": (
        "gemma4_text",
        {
            "global_head_dim": 64,
            "num_key_value_heads": 2,
            "num_global_key_value_heads": 1,
            "attention_k_eq_v": True,
            "num_kv_shared_layers": 0,
            "hidden_size_per_layer_input": 0,
            "enable_moe_block": True,
            "num_experts": 4,
            "top_k_experts": 2,
            "moe_intermediate_size": 32,
        },
    ),
}
"""By what they are made like: a type, and what differs from the tiny model of that type."""
POSITION_NUMBERS = {
    "deepseek_v2": (2 * (16 + 8), 2 * 2 * (16 + 8 + 16)),
    "deepseek_v3": (2 * (16 + 8), 2 * (16 + 8)),
    "gemma 4 E2B": (2 * 2 * (32 + 64), 2 * 2 * (32 + 64)),
    "gemma 4 26B": (3 * 2 * (2 * 32 + 64), 3 * 2 * (2 * 32 + 64)),
}
"""Numbers that torch and MLX hold of a position: latents, or all keys and values."""
LATENTS = {"torch": Latent(weights=2 * 16 * 32, products=None), "mlx": None}
LATENTS_V3 = LATENTS | {"mlx": Latent(weights=2 * 16 * 32, products=2 * (16 + 8 + 16))}
"""Torch makes keys and values of all latents in every forward. MLX holds what was made once for deepseek_v2;
for deepseek_v3 it holds latents, and a single token attends to them as they are."""
TABLES = {"gemma 4 E2B": 6 * 8}
"""Columns of a second embedding table, which holds a row of all layers."""


@pytest.fixture(scope="module", params=MODELS)
def named(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path]:
    torch.set_num_threads(1)
    family, other = MODELS[request.param]
    folder = save_tiny(family, tmp_path_factory.mktemp("counts") / "model", **other)
    published = ("global_head_dim", "num_global_key_value_heads")
    edit_config(folder, **{key: other[key] for key in published if key in other})
    return request.param, folder


@pytest.fixture(scope="module")
def pair(named: tuple[str, Path]) -> Iterator[dict[str, Backend]]:
    found = {library: load_tiny(library, named[1]) for library in MODEL_BACKENDS}
    yield found
    for backend in found.values():
        backend.close()


def shape_of(backend: Backend) -> Shape:
    shape = backend.shape()
    assert shape is not None
    return shape


def work_of(backend: Backend) -> Ledger:
    made = generate(backend, IDS, max_new_tokens=NEW)
    return request_ledger(shape_of(backend), FULL, prompt_tokens=len(IDS), generated=made)


def arrays_of(backend: Any) -> int:
    """Bytes of all arrays of a model but for those of its rotary positions."""
    model = backend._model
    if backend.info.backend == "mlx":
        arrays = {id(array): array for _, array in tree_flatten(model.parameters())}
    else:
        held = [*model.named_parameters(), *model.named_buffers()]
        arrays = {id(array): array for name, array in held if "rotary" not in name}
    return sum(array.nbytes for array in arrays.values())


def test_weights_are_those_that_are_held(named: tuple[str, Path], pair: dict[str, Backend]) -> None:
    name, _ = named
    for backend in pair.values():
        shape = shape_of(backend)
        assert shape.held_bytes == arrays_of(backend)
        idle = sum(layer.more_expert_bytes(4) for layer in shape.layers if layer.routed)
        untied = VOCABULARY * 64 * FLOAT_BYTES if name.startswith("deepseek") else 0
        layers = VOCABULARY * TABLES.get(name, 0) * FLOAT_BYTES
        scales = shape.held_bytes - shape.weight_bytes - idle - untied - layers
        assert 0 <= scales <= 2 * FLOAT_BYTES  # by which torch's tables multiply their rows
        assert shape.row_bytes == (64 + TABLES.get(name, 0)) * FLOAT_BYTES


def test_a_cache_is_counted_as_it_is_held_and_read(named: tuple[str, Path], pair: dict[str, Backend]) -> None:
    name, folder = named
    own = set(keys_of(open_folder(folder)))
    for backend, numbers in zip(pair.values(), POSITION_NUMBERS[name], strict=True):
        made, shape = generate(backend, IDS, max_new_tokens=NEW), shape_of(backend)
        assert made.used is not None
        assert made.used.cache_bytes == len(IDS) * numbers * FLOAT_BYTES
        attentions = [layer.attention for layer in shape.layers]
        assert sum(one.numbers for n, one in enumerate(attentions) if one and n in own) == numbers
        work = work_of(backend)
        assert work.prefill.kv_bytes == len(IDS) * shape.position_bytes
        assert work.decode.kv_bytes == sum(len(IDS) + n for n in range(1, NEW)) * shape.position_bytes


def test_the_libraries_agree_but_for_what_they_hold_of_latents(
    named: tuple[str, Path], pair: dict[str, Backend]
) -> None:
    name, _ = named
    on_torch, on_mlx = (work_of(backend) for backend in pair.values())
    assert on_torch.decode.weight_bytes == on_mlx.decode.weight_bytes
    if name.startswith("gemma"):
        assert (on_torch.prefill, on_torch.decode) == (on_mlx.prefill, on_mlx.decode)
        return
    assert on_torch.prefill.flops == on_mlx.prefill.flops
    for library, backend in pair.items():
        latents = LATENTS_V3 if name == "deepseek_v3" else LATENTS
        assert [one.attention and one.attention.latent for one in shape_of(backend).layers] == [
            latents[library]
        ] * 2


def test_flops_of_a_step_are_those_that_torch_counts(pair: dict[str, Backend]) -> None:
    backend: Any = pair["torch"]
    model = backend._model
    model.config._attn_implementation = "eager"  # products that the counter knows
    model.config._experts_implementation = "eager"
    session = backend.prefill(IDS)
    with FlopCounterMode(display=False) as counter:
        made = backend.decode(session, max_new_tokens=NEW, ignore_eos=True)
    work = request_ledger(shape_of(backend), FULL, prompt_tokens=len(IDS), generated=made)
    assert counter.get_total_flops() == work.decode.flops


def test_matrices_of_all_heads_have_as_many_weights_in_few_bits() -> None:
    matrices, parts = MultiLinear(64, 32, 2), MlxParts(None)
    assert parts.elements(matrices) == parts.elements(matrices.to_quantized(32, 4)) == 2 * 64 * 32
