"""A cache in few bits: read packed on MLX, stored and cast on torch; counted, seen by guard and quality."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import mlx.core as mx
import numpy as np
import pytest
import torch
from mlx_lm.generate import generate_step

from backends.abilities import HasBatches
from backends.base import Backend, RequestError
from backends.cut import FULL, Cut
from backends.ledger import request_ledger
from backends.torch.stored import packed, unpacked
from tests.contracts.models import MODEL_BACKENDS, PROMPT, generate, load_tiny, verdict
from tests.tiny_models import LAYERS, save_tiny_llama

EIGHT, FOUR = Cut(kv_bits=8), Cut(kv_bits=4, kv_group_size=32)
APART, VALUES = Cut(kv_bits_k=8, kv_bits_v=4), Cut(kv_bits_v=4, kv_group_size=32)
NEW_TOKENS = 6


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_tiny_llama(tmp_path_factory.mktemp("kv") / "llama", hidden_size=256)


@pytest.fixture(scope="module")
def both(folder: Path) -> Iterator[dict[str, Backend]]:
    loaded = {name: load_tiny(name, folder) for name in MODEL_BACKENDS}
    yield loaded
    for one in loaded.values():
        one.close()


@pytest.fixture(params=list(MODEL_BACKENDS))
def backend(request: pytest.FixtureRequest, both: dict[str, Backend]) -> Backend:
    return both[request.param]


def test_it_says_what_mlx_lm_says_with_kv_bits(both: dict[str, Backend]) -> None:
    backend = both["mlx"]
    ids = backend.encode(PROMPT)
    made = generate(backend, ids, EIGHT, max_new_tokens=NEW_TOKENS)
    steps = generate_step(
        mx.array(ids),
        backend._model,  # type: ignore[attr-defined]
        max_tokens=NEW_TOKENS,
        kv_bits=8,
        kv_group_size=64,
        quantized_kv_start=0,
    )
    assert made.tokens == [int(token) for token, _ in steps]
    assert made.used is not None
    assert made.used.cache_lengths == (len(ids),) * LAYERS


def test_torch_packs_the_numbers_that_mlx_packs() -> None:
    array = np.random.default_rng(1).normal(size=(2, 3, 5, 64)).astype(np.float32) * 3
    for bits, group in ((8, 64), (4, 32)):
        stored = packed(torch.from_numpy(array), bits, group)
        parts = mx.quantize(mx.array(array), group_size=group, bits=bits)
        theirs = np.array(mx.dequantize(*parts, group_size=group, bits=bits))
        ours = unpacked(stored, group).numpy()
        step = stored.scales.abs().numpy().repeat(group, -1)
        assert (np.abs(ours - array) <= step).all()
        assert (np.abs(ours - array) <= step / 2 + 1e-6).mean() > 0.95
        np.testing.assert_allclose(ours, theirs, atol=1e-5)
        assert stored.codes.nbytes == array.size * bits // 8 == parts[0].nbytes


def test_chunks_and_rows_of_it_agree(backend: Backend, monkeypatch: pytest.MonkeyPatch) -> None:
    ids = backend.encode(PROMPT)
    whole = generate(backend, ids, EIGHT, max_new_tokens=NEW_TOKENS)
    monkeypatch.setattr(backend, "_chunk", 16)
    assert isinstance(backend, HasBatches)
    session = backend.prefill_batch(ids, EIGHT, batch=2)
    chunked = backend.decode(session, max_new_tokens=NEW_TOKENS, ignore_eos=True)
    assert (chunked.tokens, chunked.unlike_rows) == (whole.tokens, 0)


@pytest.mark.parametrize("cut", [FOUR, APART, VALUES])
def test_it_takes_effect_and_is_counted(backend: Backend, cut: Cut) -> None:
    ids = backend.encode(PROMPT)
    assert verdict(backend, cut, ids).reason == ""
    made = generate(backend, ids, cut, max_new_tokens=3)
    shape = backend.shape(cut)
    assert shape is not None
    few, whole = (
        request_ledger(s, c, prompt_tokens=len(ids), generated=made)
        for c in (cut, FULL)
        if (s := backend.shape(c))
    )
    bits = [b or 32 for b in (cut.kv_bits or cut.kv_bits_k, cut.kv_bits or cut.kv_bits_v)]
    numbers = shape.position_numbers // (2 * LAYERS)
    position_bytes = numbers * sum(b / 8 + (2 * 4 / cut.kv_group_size if b < 32 else 0) for b in bits)
    assert made.used is not None
    assert made.used.cache_bytes == len(ids) * LAYERS * position_bytes
    cast = whole.decode.kv_bytes if backend.info.casts_cache else 0
    read = whole.decode.kv_bytes * LAYERS * position_bytes / shape.position_bytes
    assert few.decode.kv_bytes == pytest.approx(read + cast, abs=1)
    assert few.prefill == whole.prefill  # a prompt of one chunk is quantised once it is over


def test_the_libraries_agree(both: dict[str, Backend]) -> None:
    on_torch, on_mlx = both.values()
    ids = on_torch.encode(PROMPT)
    tokens = generate(on_torch, ids, max_new_tokens=3).tokens
    for cut in (EIGHT, APART):
        one, other = (backend.logits_after(ids, tokens, cut) for backend in (on_torch, on_mlx))
        np.testing.assert_allclose(one, other, atol=1e-2)


def test_its_logits_are_those_of_the_cache(backend: Backend, monkeypatch: pytest.MonkeyPatch) -> None:
    ids = backend.encode(PROMPT)[:12]
    monkeypatch.setattr(backend, "_chunk", 1)  # so that all but the first token go through the cache
    for cut in (EIGHT, APART):
        through = backend.logits_after(ids[:1], ids[1:], cut)
        per_query, exact = backend.logits(ids, cut)[1:], backend.logits(ids)[1:]
        assert np.abs(through - per_query).mean() < 0.5 * np.abs(through - exact).mean()


def test_lookup_takes_its_wrong_guesses_back(backend: Backend) -> None:
    ids = backend.encode("one two one two one two")
    plain = generate(backend, ids, APART, max_new_tokens=NEW_TOKENS)
    fast = generate(backend, ids, Cut(kv_bits_k=8, kv_bits_v=4, lookup=True), max_new_tokens=NEW_TOKENS)
    assert fast.tokens == plain.tokens
    assert fast.cache_lengths == plain.cache_lengths


def test_what_can_not_be_had_is_refused_by_name(backend: Backend) -> None:
    with pytest.raises(RequestError, match="kv_group_size = 128 does not divide the 64 numbers of a head"):
        backend.ready(Cut(kv_bits=8, kv_group_size=128))
    if backend.info.backend == "torch":
        with pytest.raises(RequestError, match=r"holds a cache in 8 or 4 bits \(kv_bits\), not in 6"):
            backend.ready(Cut(kv_bits=6))


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"kv_bits": 7}, "kv_bits = 7; give one of 8, 6, 5, 4, 3, 2"),
        ({"kv_bits_k": 6}, "kv_bits_k = 6; give one of 8, 4"),
        ({"kv_group_size": 16}, "kv_group_size = 16; give one of 32, 64, 128"),
        ({"kv_bits": 8, "kv_bits_v": 4}, "kv_bits = 8 is of both: leave kv_bits_k and kv_bits_v out"),
        ({"kv_bits": 8, "kv_keep": 0.5}, "kv_bits = 8 stores a whole cache: leave kv_keep out"),
        ({"kv_bits_v": 4, "kv_keep": 0.5}, "store a whole cache: leave kv_keep out"),
    ],
)
def test_values_are_checked(options: dict[str, float], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        Cut.model_validate(options)
