"""`share`: two layers use one layer's matrices; memory shrinks by a layer, and as much is read as before."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import replace

import numpy as np
import pytest
import torch
from pydantic import ValidationError

from backends.base import Backend, ModelError, RequestError
from backends.cut import FULL, Cut
from backends.guard import Observed, judge
from backends.ledger import request_ledger
from tests.contracts.models import PROMPT, generate, logits_apart, model_on_cpu, verdict
from tests.tiny_models import LAYERS


def cut_of(*groups: tuple[int, ...], **more: object) -> Cut:
    return Cut.model_validate({"share": [list(group) for group in groups], **more})


def with_copies(backend: Backend, *groups: tuple[int, ...]) -> torch.nn.Module:
    """The slow way: every matrix of the first layer copied over that of the others, as numbers."""
    model = deepcopy(model_on_cpu(backend))
    base = model.base_model
    layers = base.layers if hasattr(base, "layers") else base.h
    for first, *others in groups:
        theirs = dict(layers[first].named_parameters())
        for other in others:
            for name, parameter in layers[other].named_parameters():
                if "norm" not in name and not name.startswith("ln_"):
                    parameter.copy_(theirs[name])
    return model


@torch.inference_mode()
def reference(model: torch.nn.Module, ids: list[int], new_tokens: int) -> tuple[np.ndarray, list[int]]:
    said = list(ids)
    logits = model(torch.tensor([said]), use_cache=False).logits[0].numpy()
    for _ in range(new_tokens):
        said.append(int(model(torch.tensor([said]), use_cache=False).logits[0, -1].argmax()))
    return logits, said[len(ids) :]


def test_it_is_the_model_with_copied_matrices(pair: list[Backend]):
    group = (0, 1, 3)
    cut, ids = cut_of(group), pair[0].encode(PROMPT)
    with torch.inference_mode():
        logits, tokens = reference(with_copies(pair[0], group), ids, 4)
    for backend in pair:
        backend.ready(cut)
        np.testing.assert_allclose(backend.logits(ids, cut), logits, atol=logits_apart(backend))
        assert generate(backend, ids, cut, max_new_tokens=4).tokens == tokens
    assert pair[0].shape(cut) == pair[1].shape(cut)


def test_a_layer_less_is_in_memory_and_as_much_is_read(backend: Backend):
    cut, ids = cut_of((1, 2)), backend.encode(PROMPT)
    backend.ready(cut)
    assert verdict(backend, cut, ids).reason == ""
    whole, less = backend.shape(), backend.shape(cut)
    assert whole is not None
    assert less is not None
    layer = whole.layers[2]
    assert whole.held_bytes is not None
    assert less.held_bytes == whole.held_bytes - layer.attention_bytes - layer.mlp_bytes
    done = generate(backend, ids, cut, max_new_tokens=3)
    ledgers = [
        request_ledger(shape, one, prompt_tokens=len(ids), generated=done)
        for shape, one in ((whole, FULL), (less, cut))
    ]
    assert ledgers[0] == ledgers[1]
    assert done.used is not None
    assert done.used.cache_lengths == (len(ids),) * LAYERS


def test_weights_in_memory_are_those_that_were_loaded(backend: Backend):
    shape = backend.shape()
    assert shape is not None
    assert shape.held_bytes == backend.info.weight_bytes


def test_it_composes(llama: Backend):
    ids = llama.encode(PROMPT)
    for more in ({"weight_bits": 8, "drop_blocks": [0]}, {"mlp_keep": 0.5, "kv_keep": 0.5}):
        cut = cut_of((1, 2), **more)
        llama.ready(cut)
        assert verdict(llama, cut, ids).reason == ""
        alone = Cut.model_validate(more)
        llama.ready(alone)
        with_it, without = llama.shape(cut), llama.shape(alone)
        assert with_it is not None
        assert without is not None
        layer = without.layers[2]
        assert with_it.held_bytes == without.held_bytes - layer.attention_bytes - layer.mlp_bytes
        assert with_it.weight_bytes == without.weight_bytes


def test_copies_that_take_the_memory_of_two_layers_are_inactive(llama: Backend):
    cut, ids = cut_of((0, 3)), llama.encode(PROMPT)
    llama.ready(cut)
    full, with_cut = (generate(llama, ids, one, max_new_tokens=3) for one in (FULL, cut))
    assert full.used is not None
    assert with_cut.used is not None
    copied = replace(with_cut, used=replace(with_cut.used, held_bytes=full.used.held_bytes))
    logits = [llama.logits(ids, one) for one in (FULL, cut)]
    seen = Observed(full=full, cut=copied, full_logits=logits[0], cut_logits=logits[1])
    held = full.used.held_bytes
    assert judge(cut, seen).reason == f"{held} bytes of weights were in memory, without the cut {held}"


def test_what_can_not_be_shared_is_refused_in_a_line(llama: Backend):
    with pytest.raises(RequestError, match=rf"share names layer {LAYERS}, but .* layers 0 to {LAYERS - 1}"):
        llama.ready(cut_of((1, LAYERS)))
    for dropped in ({"drop_mlp": [2]}, {"drop_blocks": [1]}):
        with pytest.raises(ModelError, match=r"share = \[\[1, 2\]\]: the two layers have other matrices"):
            llama.ready(cut_of((1, 2), **dropped))


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ([[1]], "give groups of two layers or more"),
        ([], "give groups of two layers or more"),
        ([[1, 1]], "stands in one group, once"),
        ([[0, 1], [1, 2]], "stands in one group, once"),
        ([[-1, 0]], "numbered from 0"),
        ("1-two", "valid integer"),
        (7, "valid tuple"),
    ],
)
def test_values_are_checked(value: object, said: str):
    with pytest.raises(ValidationError) as refused:
        Cut.model_validate({"share": value})
    (error,) = refused.value.errors()
    assert said in error["msg"]


def test_text_is_read_as_groups():
    for typed in ("1-2", ["1-2"], [[2, 1]], [(1, 2)]):
        assert Cut.model_validate({"share": typed}).stated == {"share": [[1, 2]]}
    assert Cut.model_validate({"share": ["0-1", "2-3-5"]}).stated == {"share": [[0, 1], [2, 3, 5]]}
