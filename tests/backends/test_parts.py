"""What is left out is made anew, everything else is shared; on a random model."""

from __future__ import annotations

from typing import Any

import pytest
from transformers import AutoModelForCausalLM

from backends.anatomy import ANATOMIES, layers_of
from backends.counting import count_shape, multiplied
from backends.cut import Cut
from backends.parts import leave_out, make_cut
from backends.torch.parts import TorchParts
from tests.tiny_models import LAYERS, VOCABULARY, save_tiny_llama

LLAMA = ANATOMIES["llama"]
PARTS = TorchParts()


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Any:
    return AutoModelForCausalLM.from_pretrained(save_tiny_llama(tmp_path_factory.mktemp("llama")))


def units_of(model: Any) -> list[int]:
    shape = count_shape(PARTS, model, LLAMA, number_bytes=4)
    return [layer.mlp_units for layer in shape.layers]


def test_a_cut_copies_what_it_slices_shares_the_rest_and_leaves_the_model_whole(model: Any) -> None:
    made = make_cut(PARTS, model, LLAMA, Cut(mlp_keep=0.5, drop_mlp=(1,)))
    assert units_of(made) == [64, 0, 64, 64]
    assert units_of(model) == [128] * LAYERS
    (first, *_), (its_first, *_) = layers_of(model), layers_of(made)
    assert its_first.self_attn.q_proj.weight is first.self_attn.q_proj.weight
    assert its_first.mlp.up_proj.weight.data_ptr() != first.mlp.up_proj.weight.data_ptr()


def test_matrices_that_are_multiplied_are_counted_with_the_tied_head_last(model: Any) -> None:
    whole = multiplied(PARTS, model)
    assert len(whole) == LAYERS * 7 + 1  # four of attention, three of the MLP
    assert PARTS.size(whole[-1]) == (VOCABULARY, 64)
    without = make_cut(PARTS, model, LLAMA, Cut(drop_blocks=(0,), drop_attention=(2,)))
    assert len(multiplied(PARTS, without)) == len(whole) - 7 - 4


def test_the_norm_that_only_a_missing_module_reads_is_missing_too(model: Any) -> None:
    made = PARTS.sharing_copy(model)
    layer = layers_of(made)[0]
    leave_out(PARTS, layer, "mlp", LLAMA)
    assert not list(layer.mlp.parameters())
    assert not list(layer.post_attention_layernorm.parameters())
    assert list(layer.input_layernorm.parameters())
