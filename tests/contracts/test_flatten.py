"""`flatten`: two layers side by side are what the formula says, and their MLPs shrink as by the slow way."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from pydantic import ValidationError
from safetensors.torch import load_file, save_file

from backends.base import Backend, ModelError, RequestError
from backends.cut import Cut
from backends.cuts.calibration import OWN
from tests.contracts.models import (
    MODEL_BACKENDS,
    PROMPT,
    generate,
    load_tiny,
    logits_apart,
    model_on_cpu,
    verdict,
)
from tests.families import save_tiny
from tests.tiny_models import LAYERS

NAMES = {
    "llama": ("self_attn", "mlp", "input_layernorm", "post_attention_layernorm", "down_proj"),
    "gpt_neox": ("attention", "mlp", "input_layernorm", "post_attention_layernorm", "dense_4h_to_h"),
    "gpt2": ("attn", "mlp", "ln_1", "ln_2", "c_proj"),
}
TEXT = "Joules of a forward are what its bytes cost. " * 6


@pytest.fixture
def text(tmp_path: Path) -> Path:
    """A short text to fit on."""
    file = tmp_path / "text.txt"
    file.write_text(TEXT)
    return file


def cut_of(*pairs: tuple[int, int], more: dict[str, object] | None = None, **options: object) -> Cut:
    return Cut.model_validate({"flatten": {"pairs": [list(p) for p in pairs], **options}, **(more or {})})


def layers_of(model: Any) -> Any:
    base = model.base_model
    return base.layers if hasattr(base, "layers") else base.h


@contextmanager
def side_by_side(backend: Backend, pairs: list[tuple[int, int]], units: Any = None) -> Iterator[Any]:
    """The formula itself, on hooks: the first layer gives its input on, the second computes both.

    `units` (pair -> outgoing matrices of both MLPs (width, units)) are used where they are given.
    """
    model = model_on_cpu(backend)
    attention, mlp, attention_norm, mlp_norm, out = NAMES[backend.info.architecture]
    parallel = backend.info.architecture == "gpt_neox"
    former, seen = {}, {}
    for a, b in pairs:
        first, second = layers_of(model)[a], layers_of(model)[b]
        former[a], former[b] = first.forward, second.forward

        def forward(x, *_, first=first, second=second, pair=(a, b), **options):
            rotary = {key: options[key] for key in options if key == "position_embeddings"}
            attended = [
                getattr(one, attention)(getattr(one, attention_norm)(x), attention_mask=None, **rotary)[0]
                for one in (first, second)
            ]
            y = x + sum(attended)
            active = []
            taps = [
                getattr(getattr(one, mlp), out).register_forward_pre_hook(lambda _, i: active.append(i[0]))
                for one in (first, second)
            ]
            added = [
                getattr(one, mlp)(getattr(one, mlp_norm)(x if parallel else y)) for one in (first, second)
            ]
            for tap in taps:
                tap.remove()
            seen.setdefault(pair, []).append(torch.cat(active, dim=-1)[0].double().numpy())
            if units is not None:
                bias = sum(
                    getattr(getattr(one, mlp), out).bias
                    if getattr(getattr(one, mlp), out).bias is not None
                    else 0
                    for one in (first, second)
                )
                added = [torch.from_numpy(seen[pair][-1] @ units[pair].T).float()[None] + bias]
            return y + sum(added)

        first.forward, second.forward = (lambda x, *args, **options: x), forward
    try:
        yield model, seen
    finally:
        for number, one in former.items():
            layers_of(model)[number].forward = one


def logits_of(model: Any, ids: list[int]) -> np.ndarray:
    with torch.inference_mode():
        return model(torch.tensor([ids]), use_cache=False).logits[0].numpy()


def tokens_of(model: Any, ids: list[int], count: int) -> list[int]:
    said = list(ids)
    for _ in range(count):
        said.append(int(logits_of(model, said)[-1].argmax()))
    return said[len(ids) :]


def test_nothing_shrunk_it_is_the_formula(pair: list[Backend]):
    pairs = [(0, 1), (2, 3)]
    cut, ids = cut_of(*pairs, mlp_keep=1.0), pair[0].encode(PROMPT)
    with side_by_side(pair[0], pairs) as (model, _):
        logits, tokens = logits_of(model, ids), tokens_of(model, ids, 4)
    for backend in pair:
        backend.ready(cut)
        np.testing.assert_allclose(backend.logits(ids, cut), logits, atol=logits_apart(backend))
        assert generate(backend, ids, cut, max_new_tokens=4).tokens == tokens
    shape = pair[0].shape(cut)
    assert shape == pair[1].shape(cut)
    assert shape is not None
    assert shape.weight_bytes == pair[0].shape().weight_bytes
    assert shape.attentions == pair[0].shape().attentions


def shrunk(parts: list[np.ndarray], seen: np.ndarray, keep: int) -> np.ndarray:
    """The outgoing matrices (width, units) by FlattenGPT's rule as it is written; zeros for what is gone."""
    products = seen.T @ seen
    lam = 10 * np.trace(products) / len(products)
    scores = np.diag(products @ np.linalg.inv(products + lam * np.eye(len(products))))
    out, first = np.hstack(parts), parts[0].shape[1]
    best = np.argsort(-scores)
    share = min(max(64, round(sum(best[:keep] < first) / 64) * 64), keep - 64)
    kept = sorted([u for u in best if u < first][:share] + [u for u in best if u >= first][: keep - share])
    rest = [u for u in range(len(products)) if u not in set(kept)]
    made = np.zeros_like(out)
    inner = products[np.ix_(kept, kept)] + lam * np.eye(keep)
    made[:, kept] = out[:, kept] + (np.linalg.inv(inner) @ products[np.ix_(kept, rest)] @ out[:, rest].T).T
    return made


def test_mlps_shrink_as_by_the_slow_way(pair: list[Backend], text: Path):
    pairs, ids = [(1, 2)], pair[0].encode(PROMPT)
    names = NAMES[pair[0].info.architecture]
    outs = [getattr(getattr(layers_of(model_on_cpu(pair[0]))[n], names[1]), names[4]) for n in pairs[0]]
    units = pair[0].shape().layers[1].mlp_units
    turned = pair[0].info.architecture == "gpt2"
    parts = [(out.weight.T if turned else out.weight).detach().double().numpy() for out in outs]
    read, context = pair[0].encode(TEXT), pair[0].info.context
    with side_by_side(pair[0], pairs) as (model, seen):
        for begin in range(0, len(read), context):
            logits_of(model, read[begin : begin + context])
    made = {pairs[0]: shrunk(parts, np.vstack(seen[pairs[0]]), units)}
    with side_by_side(pair[0], pairs, made) as (model, _):
        logits = logits_of(model, ids)
    cut = cut_of(*pairs, text=str(text))
    for backend in pair:
        backend.ready(cut)
        apart = np.abs(backend.logits(ids, cut) - logits).max()
        assert apart < max(logits_apart(backend), 1e-3), apart
        assert verdict(backend, cut, ids).reason == ""
        used = backend.prefill(ids, cut).used
        assert used is not None
        assert used.mlp_units == (units, 0, units, units)
        assert used.cache_lengths == (len(ids),) * LAYERS
        matrices = 3 if backend.info.architecture == "llama" else 2
        saved = backend.shape().weight_bytes - backend.shape(cut).weight_bytes
        biases = 0 if matrices == 3 else 4 * units  # those of the units that went
        assert saved == 4 * matrices * parts[0].size + biases
    assert pair[0].shape(cut) == pair[1].shape(cut)


def test_it_composes(llama: Backend, text: Path):
    ids = llama.encode(PROMPT)
    for more in (
        {"share": [[0, 3]], "kv_keep": 0.5, "kv_policy": "heavy_hitters"},
        {"weight_bits": 4, "drop_blocks": [0], "drop_mlp": [3]},
        {"drop_attention": [0]},
    ):
        cut = cut_of((1, 2), text=str(text), more=more)
        llama.ready(cut)
        assert verdict(llama, cut, ids).reason == ""


def test_layers_that_add_nothing_flatten_to_nothing(
    tiny_folders: dict[str, Path], tmp_path: Path, text: Path
):
    folder = shutil.copytree(tiny_folders["llama"], tmp_path / "llama")
    weights = load_file(folder / "model.safetensors")
    idle = [key for key in weights if ".1." in key or ".2." in key]
    idle = [key for key in idle if "o_proj" in key or "down_proj" in key]
    assert len(idle) == 4
    save_file({**weights, **{key: weights[key] * 0 for key in idle}}, folder / "model.safetensors")
    cut = cut_of((1, 2), text=str(text))
    for name in MODEL_BACKENDS:
        backend = load_tiny(name, folder)
        ids = backend.encode(PROMPT)
        np.testing.assert_allclose(backend.logits(ids, cut), backend.logits(ids), atol=1e-5)


def test_other_shapes_take_effect_alike(tmp_path: Path, text: Path):
    folder, ids = save_tiny("qwen3", tmp_path / "qwen3"), [5, 9, 30, 77, 41, 12, 200, 33]
    cut, found = cut_of((0, 1), text=str(text)), []
    for name in MODEL_BACKENDS:
        backend = load_tiny(name, folder)
        backend.ready(cut)
        assert verdict(backend, cut, ids).reason == ""
        found.append(backend.logits(ids, cut))
    np.testing.assert_allclose(*found, atol=1e-3)


def test_what_can_not_be_flattened_is_refused_in_a_line(llama: Backend):
    with pytest.raises(RequestError, match=f"flatten names layer {LAYERS}, but the model has layers"):
        llama.ready(cut_of((LAYERS - 1, LAYERS)))
    for more in ({"drop_attention": [1]}, {"drop_blocks": [2]}):
        with pytest.raises(ModelError, match=r"flatten = \[\[1, 2\]\]: a layer has experts, or the same cut"):
            llama.ready(cut_of((1, 2), more=more))


def test_layers_of_two_kinds_are_refused_in_a_line(tmp_path: Path):
    two_kinds = load_tiny("torch", save_tiny("gemma2", tmp_path / "gemma2"))
    with pytest.raises(ModelError, match="others behind them; leave flatten out"):
        two_kinds.ready(cut_of((0, 1)))


def test_the_hash_of_the_text_is_in_the_record_and_holds(
    backends: dict[tuple[str, str], Backend], text: Path
):
    digest = hashlib.sha256(TEXT.encode()).hexdigest()
    asked = Cut.model_validate({"flatten": {"pairs": "1-2", "text": str(text)}})
    assert asked.stated["flatten"]["sha256"] == digest
    own = Cut.model_validate({"flatten": "1-2"}).stated["flatten"]
    assert own["sha256"] == hashlib.sha256(OWN.read_bytes()).hexdigest()
    assert (own["pairs"], own["mlp_keep"], own["text"]) == ([[1, 2]], 0.5, None)
    backend = backends["torch", "llama"]
    text.write_text("another text")
    again = Cut.model_validate(asked.stated)  # a record is read whatever has become of the file
    with pytest.raises(RequestError, match=r"has SHA-256 .*, the cut was made for .*; restore the text"):
        backend.ready(again)
    text.unlink()
    with pytest.raises(RequestError, match=r"can't read the text .*No such file.*give a text file"):
        backend.ready(Cut.model_validate(asked.stated))


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("1-3", "give neighbours"),
        ([[1, 2, 3]], "give neighbours"),
        ("1", "give groups of two layers or more"),
        ({"pairs": "1-2", "mlp_keep": 1.5}, "give a fraction above 0 and at most 1"),
        ({"pairs": "1-2", "text": "no/such/file"}, "can't read the text 'no/such/file'"),
        ({"pairs": "1-2", "units": 3}, "units: Extra inputs are not permitted"),
        ({}, "pairs: Field required"),
    ],
)
def test_values_are_checked(value: object, said: str):
    with pytest.raises(ValidationError) as refused:
        Cut.model_validate({"flatten": value})
    (error,) = refused.value.errors()
    assert said in error["msg"]
