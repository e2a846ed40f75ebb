"""A cache that stays at its size: the policy chooses again after every step."""

from __future__ import annotations

import numpy as np
import pytest

from backends.base import Backend
from backends.cut import FULL, Cut
from backends.ledger import request_ledger
from tests.backends.references import bounded_reference
from tests.contracts.models import MODEL_BACKENDS, PROMPT, generate, model_on_cpu, verdict
from tests.tiny_models import LAYERS

NEW_TOKENS = 6
BOUNDED = {
    "window": Cut(kv_keep=0.4, kv_bounded=True),
    "sinks": Cut(kv_keep=0.4, kv_policy="sinks_window", kv_bounded=True),
    "heavy hitters": Cut(kv_keep=0.4, kv_policy="heavy_hitters", kv_bounded=True),
    "snapkv": Cut(kv_keep=0.4, kv_policy="snapkv", snapkv_window=4, kv_bounded=True),
    "tova": Cut(kv_keep=0.4, kv_policy="tova", kv_bounded=True),
    "one position": Cut(kv_keep=0.01, kv_policy="tova", kv_bounded=True),
    "beside others": Cut(kv_keep=0.4, kv_policy="tova", kv_bounded=True, drop_attention=(0,), mlp_keep=0.5),
}


@pytest.mark.parametrize(
    ("model", "name"),
    [
        *(("llama", name) for name in ("window", "sinks", "heavy hitters", "snapkv", "one position")),
        ("gpt_neox", "tova"),
        ("gpt2", "beside others"),
    ],
)
def test_tokens_are_those_of_the_slow_reference(
    backends: dict[tuple[str, str], Backend], model: str, name: str
) -> None:
    pair = [backends[library, model] for library in MODEL_BACKENDS]
    cut, ids = BOUNDED[name], pair[0].encode(PROMPT)
    kept = tuple(cut.positions_of(layer, len(ids)) for layer in range(LAYERS))
    expected: dict[tuple[int, ...], list[int]] = {}
    for backend in pair:
        backend.ready(cut)
        made = generate(backend, ids, cut, max_new_tokens=NEW_TOKENS)
        if tuple(made.tokens) not in expected:
            reference = bounded_reference(model_on_cpu(pair[0]), ids, made.tokens, cut)
            expected[tuple(made.tokens)] = reference
        assert made.tokens == expected[tuple(made.tokens)]
        assert made.cache_lengths == kept
        assert verdict(backend, cut, ids).reason == ""


@pytest.mark.parametrize("name", ["sinks", "tova"])
def test_every_step_reads_as_many_positions(llama: Backend, name: str) -> None:
    cut, ids, steps = BOUNDED[name], llama.encode(PROMPT), 5
    made = generate(llama, ids, cut, max_new_tokens=steps + 1)
    shape, kept = llama.shape(cut), cut.kept_positions(len(ids))
    assert shape is not None
    work, whole = (request_ledger(shape, c, prompt_tokens=len(ids), generated=made) for c in (cut, FULL))
    assert work.decode.kv_bytes == steps * (kept + 1) * shape.position_bytes
    products = sum(layer.attention.products for layer in shape.layers if layer.attention)
    pairs = sum(len(ids) + n for n in range(1, steps + 1)) - steps * (kept + 1)
    chosen = steps * (kept + 1) if name == "tova" else 0
    assert whole.decode.flops - work.decode.flops == products * (2 * pairs - chosen)
    assert work.prefill.flops - whole.prefill.flops == (products * len(ids) if name == "tova" else 0)


def test_logits_after_go_through_the_bounded_cache(backends: dict[tuple[str, str], Backend]) -> None:
    pair = [backends[library, "llama"] for library in MODEL_BACKENDS]
    cut, ids = BOUNDED["tova"], pair[0].encode(PROMPT)
    tokens = generate(pair[0], ids, max_new_tokens=8).tokens
    one, other = (backend.logits_after(ids, tokens, cut) for backend in pair)
    grown = pair[0].logits_after(ids, tokens, Cut(kv_keep=0.4, kv_policy="tova"))
    np.testing.assert_allclose(one, other, atol=1e-2)
    assert np.array_equal(one[0], grown[0])
    assert not np.allclose(one[-1], grown[-1], atol=1e-3)


def test_all_positions_are_all_positions(llama: Backend) -> None:
    cut, ids = Cut(kv_keep=1.0, kv_policy="tova", kv_bounded=True), llama.encode(PROMPT)
    assert cut.is_full
    assert generate(llama, ids, cut, max_new_tokens=3) == generate(llama, ids, max_new_tokens=3)


def test_lookup_is_refused_beside_it() -> None:
    with pytest.raises(ValueError, match="kv_bounded chooses after every token, but lookup feeds several"):
        Cut(kv_keep=0.5, kv_bounded=True, lookup=True)
