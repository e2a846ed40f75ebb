"""Keys and values rebuilt from the residual stream: the same tokens, counted bytes, counted flops."""

from __future__ import annotations

import numpy as np
import pytest

from backends.base import Backend
from backends.cut import FULL, Cut
from backends.ledger import request_ledger
from tests.contracts.models import MODEL_BACKENDS, PROMPT, generate, verdict
from tests.tiny_models import LAYERS, SAVERS

HOT, NEW_TOKENS = 8, 5
DIRECT = {variant: Cut.model_validate({"kv_direct": variant, "kv_hot": HOT}) for variant in ("h0", "layers")}


VARIANTS = [*((name, "h0") for name in SAVERS), ("llama", "layers")]
"""`h0` rebuilds the keys and values of every layer as `layers` does, so one architecture has both."""


@pytest.mark.parametrize("library", list(MODEL_BACKENDS))
@pytest.mark.parametrize(("model", "variant"), VARIANTS)
def test_tokens_are_those_of_the_whole_cache_and_bytes_are_counted(
    backends: dict[tuple[str, str], Backend], library: str, model: str, variant: str
) -> None:
    backend = backends[library, model]
    cut, ids = DIRECT[variant], backend.encode(PROMPT)
    full, made = (generate(backend, ids, c, max_new_tokens=NEW_TOKENS) for c in (FULL, cut))
    assert made.tokens == full.tokens
    assert made.cache_lengths == (HOT,) * LAYERS
    np.testing.assert_allclose(
        backend.logits_after(ids, full.tokens, cut), backend.logits_after(ids, full.tokens), atol=1e-4
    )
    assert verdict(backend, cut, ids).reason == ""
    shape = backend.shape(cut)
    assert shape is not None
    assert made.used is not None
    stream, streams = shape.width * 4, 1 if variant == "h0" else LAYERS
    assert made.used.cache_bytes == HOT * shape.position_bytes + len(ids) * streams * stream
    oldest = len(ids) + NEW_TOKENS - 2 - HOT  # before the last forward
    assert made.rebuilt_bytes == oldest * (
        shape.position_bytes // LAYERS + (stream if variant == "h0" else 0)
    )


@pytest.mark.parametrize("variant", list(DIRECT))
def test_the_ledger_counts_what_a_hand_does(backends: dict[tuple[str, str], Backend], variant: str) -> None:
    """Llama: 64 wide, 4 heads of 16, 2 of them for keys and values; one step after a prompt."""
    backend = backends["torch", "llama"]
    cut, ids = DIRECT[variant], backend.encode(PROMPT)
    made, shape = generate(backend, ids, cut, max_new_tokens=2), backend.shape(cut)
    assert shape is not None
    work, whole = (request_ledger(shape, c, prompt_tokens=len(ids), generated=made) for c in (cut, FULL))
    old = len(ids) - HOT
    layer = 64 * (64 + 2 * 32 + 64) + 3 * 64 * 128
    prefill = LAYERS * (2 * layer * old + 4 * 64 * old * (old + 1) // 2)
    two_products = LAYERS * old * 4 * 64 * 32
    more = prefill if variant == "h0" else two_products
    assert work.decode.flops - whole.decode.flops == more
    read = old * 64 * 4 * (1 if variant == "h0" else LAYERS)
    assert work.decode.kv_bytes == read + (HOT + 1) * LAYERS * 2 * 32 * 4
    assert work.decode.weight_bytes == whole.decode.weight_bytes


def test_a_prompt_within_the_hot_positions_is_inactive(llama: Backend) -> None:
    cut = Cut(kv_direct="h0", kv_hot=60)
    assert "nothing was rebuilt" in verdict(llama, cut, llama.encode(PROMPT)).reason


def test_chunks_and_rows_of_it_agree(
    backends: dict[tuple[str, str], Backend], monkeypatch: pytest.MonkeyPatch
) -> None:
    for library in MODEL_BACKENDS:
        backend = backends[library, "llama"]
        ids = backend.encode(PROMPT)
        for cut in DIRECT.values():
            whole = generate(backend, ids, cut, max_new_tokens=NEW_TOKENS)
            with monkeypatch.context() as patched:
                patched.setattr(backend, "_chunk", 7)
                session = backend.prefill_batch(ids, cut, batch=2)  # type: ignore[attr-defined]
                chunked = backend.decode(session, max_new_tokens=NEW_TOKENS, ignore_eos=True)
            assert (chunked.tokens, chunked.unlike_rows) == (whole.tokens, 0)


@pytest.mark.parametrize(
    "beside", [{"kv_keep": 0.5}, {"kv_bits": 8}, {"lookup": True}, {"drop_blocks": (1,)}]
)
def test_what_does_not_go_together_is_refused(beside: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="kv_direct rebuilds the cache of every layer"):
        Cut.model_validate({"kv_direct": "h0", **beside})
