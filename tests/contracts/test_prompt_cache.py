"""What prompts begin with is computed once: the same tokens from fewer that are fed, and counted so."""

from __future__ import annotations

from pathlib import Path

import pytest

from backends.abilities import HasPromptCache
from backends.base import Backend, Generated, RequestError
from backends.cut import FULL, Cut
from backends.ledger import request_ledger
from backends.trial import check_prefix
from bench.errors import UserError
from bench.run.workers.requests import keep_prefix
from tests.contracts.models import MODEL_BACKENDS, load_tiny
from tests.families import save_tiny

PREFIX = [1, 40, 50, 60, 70, 80, 90, 30, 20, 10, 45, 55]
PROMPTS = [[*PREFIX, 9, 100, 7, 8, 77], [*PREFIX, 200, 12]]
CUTS = [FULL, Cut(kv_keep=0.5), Cut(drop_attention=(0,), mlp_keep=0.5), Cut(lookup=True)]
NEW = 5


def answer(backend: Backend, ids: list[int], cut: Cut, *, prefix: int, batch: int = 1) -> Generated:
    assert isinstance(backend, HasPromptCache)
    session = backend.prefill_batch(ids, cut, batch=batch, prefix=prefix)
    return backend.decode(session, max_new_tokens=NEW, ignore_eos=True)


@pytest.mark.parametrize("cut", CUTS, ids=["whole", "window", "cut", "lookup"])
def test_tokens_are_the_same_from_fewer_that_are_fed(
    llama: Backend, cut: Cut, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(llama, "_chunk", 5)
    llama.ready(cut)
    shared = keep_prefix(llama, PROMPTS, cut)
    assert shared == len(PREFIX)
    first, second = (answer(llama, ids, cut, prefix=0) for ids in PROMPTS)
    rows = 1 if cut.lookup else 2
    for ids, whole, batch in (PROMPTS[0], first, 1), (PROMPTS[1], second, rows), (PROMPTS[0], first, rows):
        after = answer(llama, ids, cut, prefix=shared, batch=batch)
        assert (after.tokens, after.forwards) == (whole.tokens, whole.forwards)
        assert after.unlike_rows == 0
        assert whole.used
        assert after.used
        assert after.used.cache_lengths == whole.used.cache_lengths
        assert (after.used.prefix, sum(after.used.chunks)) == (shared, len(ids) - shared)
        assert (whole.used.prefix, sum(whole.used.chunks)) == (0, len(ids))


def test_the_ledger_counts_what_was_fed_and_all_that_it_reads(llama: Backend) -> None:
    shared, ids, shape = keep_prefix(llama, PROMPTS, FULL), PROMPTS[0], llama.shape()
    assert shape
    whole, after = (
        request_ledger(shape, FULL, prompt_tokens=len(ids), generated=answer(llama, ids, FULL, prefix=n))
        for n in (0, shared)
    )
    fed = len(ids) - shared
    layers = shape.weights * 2
    pairs = sum(range(shared + 1, len(ids) + 1))
    attention = 2 * pairs * sum(layer.attention.products for layer in shape.layers if layer.attention)
    assert after.prefill.flops == layers * fed + 2 * shape.head_weights + attention
    assert after.prefill.kv_bytes == whole.prefill.kv_bytes
    assert after.prefill.weight_bytes == whole.prefill.weight_bytes - shared * shape.row_bytes
    assert after.decode == whole.decode


def test_what_no_prefix_can_stand_for_is_refused_by_name(llama: Backend) -> None:
    for cut, key in (Cut(kv_keep=0.5, kv_policy="heavy_hitters"), "kv_policy"), (Cut(kv_bits=8), "kv_bits"):
        with pytest.raises(RequestError, match=f"prompt_cache keeps the beginning .* but {key}"):
            check_prefix(cut, llama.info, set())
    for prompts, why in ([PROMPTS[0]], "are only one"), ([[5, 6], [6, 5]], "begin with no common token"):
        with pytest.raises(UserError, match=f"the prompts {why}, so nothing is shared"):
            keep_prefix(llama, prompts, FULL)
    with pytest.raises(RequestError, match="this prefix was not kept"):
        answer(llama, [*PREFIX[1:], 4], FULL, prefix=3)


def test_layers_that_forget_positions_are_refused_by_name(tmp_path: Path) -> None:
    folder = save_tiny("gemma3_text", tmp_path / "gemma3_text")
    for name in MODEL_BACKENDS:
        with pytest.raises(RequestError, match=r"prompt_cache needs layers that hold .*'gemma3_text' has "):
            keep_prefix(load_tiny(name, folder), PROMPTS, FULL)
