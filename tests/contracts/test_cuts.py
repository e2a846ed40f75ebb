"""Every cut on every backend that runs a model: it is really made, counted, and the same on both."""

from pathlib import Path

import numpy as np
import pytest
from mlx.utils import tree_flatten

from backends.abilities import HasBatches
from backends.base import Backend, ModelError, RequestError
from backends.cut import FULL, Cut
from backends.ledger import request_ledger
from tests.backends.references import per_query_logits, reference_tokens
from tests.contracts.models import (
    MODEL_BACKENDS,
    PROMPT,
    generate,
    load_tiny,
    logits_apart,
    model_on_cpu,
    verdict,
)
from tests.tiny_models import LAYERS, VOCABULARY, save_tiny_llama

NEW_TOKENS = 16
CACHES = {
    "window": Cut(kv_keep=0.4),
    "one position": Cut(kv_keep=0.01),
    "sinks": Cut(kv_keep=0.4, kv_policy="sinks_window"),
    "heavy hitters": Cut(kv_keep=0.4, kv_policy="heavy_hitters"),
    "snapkv": Cut(kv_keep=0.4, kv_policy="snapkv", snapkv_window=4),
    "tova": Cut(kv_keep=0.4, kv_policy="tova"),
}
WEIGHTS = {
    "first units": Cut(mlp_keep=0.3),
    "random units": Cut(mlp_keep=0.5, mlp_policy="random", mlp_seed=5),
    "units of largest norm": Cut(mlp_keep=0.5, mlp_policy="largest_norm"),
    "no attention in layer 0": Cut(drop_attention=(0,)),
    "no attention": Cut(drop_attention=tuple(range(LAYERS))),
    "no mlp": Cut(drop_mlp=(1, 2)),
    "no block 0": Cut(drop_blocks=(0,)),
    "no blocks": Cut(drop_blocks=(1, 3)),
}
BOTH = {
    "all at once": Cut(
        kv_keep=0.5,
        kv_policy="heavy_hitters",
        mlp_keep=0.6,
        drop_attention=(0,),
        drop_mlp=(2,),
        drop_blocks=(3,),
    ),
    "kv and mlp": Cut(kv_keep=0.5, mlp_keep=0.5),
}
BITS = {
    "16 bits": Cut(weight_bits=16),
    "8 bits": Cut(weight_bits=8),
    "4 bits": Cut(weight_bits=4),
    "4 bits of half": Cut(weight_bits=4, mlp_keep=0.5, drop_blocks=(0,)),
}
EXACT = CACHES | WEIGHTS | BOTH
ALL = EXACT | BITS
NOTHING = {
    "nothing": Cut(),
    "all positions": Cut(kv_keep=1.0, kv_policy="heavy_hitters"),
    "all units": Cut(mlp_keep=1.0, mlp_policy="random"),
}
BITS_KL_NATS = 0.02
"""How far the distributions of the backends may be apart where weights are rounded: mean over positions."""


def kl_nats(logits: np.ndarray, other: np.ndarray) -> float:
    p, q = (x - x.max(axis=1, keepdims=True) for x in (logits.astype(float), other.astype(float)))
    p, q = (x - np.log(np.exp(x).sum(axis=1, keepdims=True)) for x in (p, q))
    return float((np.exp(p) * (p - q)).sum(axis=1).mean())


@pytest.mark.parametrize("name", [*CACHES, "no attention in layer 0", "no block 0"])
def test_a_chunked_prompt_keeps_the_same_positions(
    backend: Backend, name: str, monkeypatch: pytest.MonkeyPatch
):
    cut, ids = EXACT[name], backend.encode(PROMPT)
    backend.ready(cut)
    whole = generate(backend, ids, cut, max_new_tokens=NEW_TOKENS)
    monkeypatch.setattr(backend, "_chunk", 7)
    assert isinstance(backend, HasBatches)
    chunked = backend.decode(
        backend.prefill_batch(ids, cut, batch=2), max_new_tokens=NEW_TOKENS, ignore_eos=True
    )
    assert chunked.tokens == whole.tokens
    assert chunked.used
    assert len(chunked.used.chunks) > 1
    assert chunked.used.cache_lengths == whole.used.cache_lengths


@pytest.mark.parametrize("name", list(ALL))
def test_it_takes_effect_and_is_counted(backend: Backend, name: str):
    cut, ids = ALL[name], backend.encode(PROMPT)
    backend.ready(cut)
    assert verdict(backend, cut, ids).reason == ""
    used = backend.prefill(ids, cut).used
    assert used is not None
    positions = max(1, int(cut.kv_keep * len(ids)))
    assert used.cache_lengths == tuple(positions if cut.attends(n) else 0 for n in range(LAYERS))
    assert {units for n, units in enumerate(used.mlp_units) if not cut.has_mlp(n)} <= {0}


@pytest.mark.parametrize("name", list(EXACT))
def test_the_libraries_agree(pair: list[Backend], name: str):
    cut, ids = EXACT[name], pair[0].encode(PROMPT)
    for backend in pair:
        backend.ready(cut)
    apart = logits_apart(pair[0])
    np.testing.assert_allclose(pair[0].logits(ids, cut), pair[1].logits(ids, cut), atol=apart)
    np.testing.assert_allclose(pair[0].score(ids, cut), pair[1].score(ids, cut), atol=apart)
    assert pair[0].shape(cut) == pair[1].shape(cut)


@pytest.mark.parametrize("name", list(BITS))
def test_the_libraries_agree_within_rounding(pair: list[Backend], name: str):
    cut, ids = BITS[name], pair[0].encode(PROMPT)
    one, other = (backend.logits(ids, cut) for backend in pair)
    assert kl_nats(one, other) < BITS_KL_NATS
    assert kl_nats(pair[0].logits(ids), one) > 0


@pytest.mark.parametrize("name", list(NOTHING))
def test_nothing_left_out_is_ungated_bit_for_bit(backend: Backend, name: str):
    cut, ids = NOTHING[name], backend.encode(PROMPT)
    backend.ready(cut)
    assert np.array_equal(backend.logits(ids, cut), backend.logits(ids))
    assert generate(backend, ids, cut, max_new_tokens=6) == generate(backend, ids, max_new_tokens=6)
    assert backend.shape(cut) == backend.shape()
    assert verdict(backend, cut, ids).outcome == "gate inactive"


@pytest.mark.parametrize("name", list(EXACT))
def test_tokens_are_those_of_the_slow_reference(pair: list[Backend], name: str):
    cut, ids = EXACT[name], pair[0].encode(PROMPT)
    expected = reference_tokens(model_on_cpu(pair[0]), ids, cut, NEW_TOKENS)
    for backend in pair:
        backend.ready(cut)
    on_torch, on_mlx = (generate(backend, ids, cut, max_new_tokens=NEW_TOKENS) for backend in pair)
    assert on_torch.tokens == expected
    assert on_torch == on_mlx


@pytest.mark.parametrize("name", list(CACHES))
def test_per_query_logits_are_those_of_the_slow_reference(pair: list[Backend], name: str):
    cut, ids = CACHES[name], pair[0].encode(PROMPT)
    expected = per_query_logits(model_on_cpu(pair[0]), ids, cut)
    for backend in pair:
        np.testing.assert_allclose(backend.logits(ids, cut), expected, atol=logits_apart(backend))


def test_requests_switch_between_cuts(backend: Backend):
    ids = backend.encode(PROMPT)
    cuts = [FULL, *(EXACT[name] for name in ("window", "first units", "no block 0"))]
    for cut in cuts:
        backend.ready(cut)
    alone = [generate(backend, ids, cut, max_new_tokens=6) for cut in cuts]
    sessions = [backend.prefill(ids, cut) for cut in cuts]
    mixed = [backend.decode(session, max_new_tokens=6, ignore_eos=True) for session in sessions]
    assert mixed == alone


def test_a_cut_has_to_be_ready(backend: Backend):
    ids, cut = backend.encode(PROMPT), Cut(mlp_keep=0.77)
    with pytest.raises(RequestError, match="call ready"):
        backend.prefill(ids, cut)
    backend.ready(cut)
    backend.prefill(ids, cut)
    backend.forget()
    with pytest.raises(RequestError, match="call ready"):
        backend.prefill(ids, cut)


def test_a_cut_shares_what_it_does_not_change(pair: list[Backend]):
    on_torch, on_mlx = pair
    cut = Cut(drop_mlp=(0,), drop_attention=(1,))
    for backend in pair:
        backend.ready(cut)
    whole = {id(parameter) for parameter in on_torch._model.parameters()}
    assert {id(parameter) for parameter in on_torch._cuts.get(cut).model.parameters()} < whole
    whole = {id(array) for _, array in tree_flatten(on_mlx._model.parameters())}
    assert {id(array) for _, array in tree_flatten(on_mlx._cuts.get(cut).model.parameters())} < whole


@pytest.mark.parametrize(
    "extra", [{}, {"lookup_rule": "copyspec", "lookup_ngram": 2, "kv_keep": 0.5, "drop_attention": (0,)}]
)
def test_lookup_says_the_same_in_fewer_forwards(backend: Backend, extra: dict[str, object]):
    saved = 0
    lookup = Cut(lookup=True, **extra)
    plain = lookup.without("lookup")
    backend.ready(plain)
    for text in ("abcabcabcabc", "one two one two one two", PROMPT):
        ids = backend.encode(text)
        fast = generate(backend, ids, lookup, max_new_tokens=16)
        slow = generate(backend, ids, plain, max_new_tokens=16)
        assert fast.tokens == slow.tokens
        assert fast.forwards + sum(right for _, right in fast.drafts) == 15
        saved += slow.forwards - fast.forwards
    assert saved > 0


@pytest.mark.parametrize("name", list(EXACT))
def test_the_ledger_skips_what_the_cut_leaves_out(pair: list[Backend], name: str):
    """On the one library: shape and counts of the other are the same."""
    backend = pair[0]
    cut, ids = EXACT[name], backend.encode(PROMPT)
    backend.ready(cut)
    generated = generate(backend, ids, cut, max_new_tokens=5)
    with_cut = request_ledger(backend.shape(cut), cut, prompt_tokens=len(ids), generated=generated)
    without = request_ledger(backend.shape(), FULL, prompt_tokens=len(ids), generated=generated)
    assert with_cut.decode.bytes < without.decode.bytes
    assert with_cut.decode.flops < without.decode.flops
    assert with_cut.decode.forwards == without.decode.forwards == 4


def test_shapes_are_counted_at_all_weights(backend: Backend):
    """All weights but the embedding tables, which are read by the row; a tied head is the table."""
    shape, info = backend.shape(), backend.info
    tables = {"llama": 0, "gpt_neox": VOCABULARY * 64, "gpt2": 96 * 64}[info.architecture]
    assert shape.weight_bytes == info.weight_bytes - 4 * tables
    assert shape.row_bytes == 64 * 4 * (2 if info.architecture == "gpt2" else 1)


@pytest.mark.parametrize(
    "cut", [Cut(drop_mlp=(LAYERS,)), Cut(drop_blocks=(99,)), Cut(drop_attention=(LAYERS,))]
)
def test_layers_out_of_range_are_refused(backend: Backend, cut: Cut):
    for call in (backend.ready, lambda cut: backend.logits([5, 6], cut)):
        with pytest.raises(RequestError, match=f"the model has layers 0 to {LAYERS - 1}"):
            call(cut)


def test_snapkv_needs_a_prompt_as_long_as_its_window(backend: Backend):
    ids = backend.encode("short")
    with pytest.raises(RequestError, match=f"last 32 tokens of the prompt, but it has {len(ids)}"):
        backend.prefill(ids, Cut(kv_keep=0.5, kv_policy="snapkv"))


@pytest.mark.parametrize("name", list(MODEL_BACKENDS))
def test_matrices_that_do_not_fit_groups_are_refused(name: str, tmp_path: Path):
    backend = load_tiny(name, save_tiny_llama(tmp_path, hidden_size=48))
    with pytest.raises(ModelError, match=f"{name}: weight_bits = 4 needs .* multiple of 64 inputs"):
        backend.ready(Cut(weight_bits=4))
