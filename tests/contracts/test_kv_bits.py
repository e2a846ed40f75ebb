"""A cache in few bits: mlx-lm's own, counted, seen by guard and quality; refused where there is none."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import mlx.core as mx
import numpy as np
import pytest
from mlx_lm.generate import generate_step

from backends.abilities import HasBatches
from backends.base import Backend, RequestError
from backends.cut import FULL, Cut
from backends.ledger import request_ledger
from backends.mlx import load as on_mlx
from backends.torch import load as on_torch
from tests.bench.processes import AS_ROOT, bench
from tests.bench.suites import write_suite
from tests.contracts.models import PROMPT, verdict
from tests.tiny_models import LAYERS, save_tiny_llama

EIGHT, FOUR = Cut(kv_bits=8), Cut(kv_bits=4, kv_group_size=32)
NEW_TOKENS = 12


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_tiny_llama(tmp_path_factory.mktemp("kv") / "llama", hidden_size=256)


@pytest.fixture(scope="module")
def backend(folder: Path) -> Iterator[Backend]:
    loaded = on_mlx.load(folder=folder)
    yield loaded
    loaded.close()


def test_it_says_what_mlx_lm_says_with_kv_bits(backend: Backend) -> None:
    ids = backend.encode(PROMPT)
    backend.ready(EIGHT)
    made = backend.decode(backend.prefill(ids, EIGHT), max_new_tokens=NEW_TOKENS, ignore_eos=True)
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
    assert made.used.cache_bits == 8
    assert made.used.cache_lengths == (len(ids),) * LAYERS


def test_chunks_and_rows_of_it_agree(backend: Backend, monkeypatch: pytest.MonkeyPatch) -> None:
    ids = backend.encode(PROMPT)
    whole = backend.decode(backend.prefill(ids, EIGHT), max_new_tokens=NEW_TOKENS, ignore_eos=True)
    monkeypatch.setattr(backend, "_chunk", 16)
    assert isinstance(backend, HasBatches)
    session = backend.prefill_batch(ids, EIGHT, batch=2)
    chunked = backend.decode(session, max_new_tokens=NEW_TOKENS, ignore_eos=True)
    assert (chunked.tokens, chunked.unlike_rows) == (whole.tokens, 0)


@pytest.mark.parametrize("cut", [EIGHT, FOUR])
def test_it_takes_effect_and_is_read_in_fewer_bytes(backend: Backend, cut: Cut) -> None:
    ids = backend.encode(PROMPT)
    assert verdict(backend, cut, ids).reason == ""
    made = backend.decode(backend.prefill(ids, cut), max_new_tokens=4, ignore_eos=True)
    few, whole = (
        request_ledger(shape, c, prompt_tokens=len(ids), generated=made)
        for c in (cut, FULL)
        if (shape := backend.shape(c))
    )
    number_bytes = (cut.kv_bits or 0) / 8 + 2 * 4 / cut.kv_group_size
    assert few.decode.kv_bytes == pytest.approx(whole.decode.kv_bytes * number_bytes / 4, abs=1)
    assert few.prefill == whole.prefill  # a prompt of one chunk is quantised once it is over


def test_its_logits_are_those_of_the_cache(backend: Backend, monkeypatch: pytest.MonkeyPatch) -> None:
    ids = backend.encode(PROMPT)
    monkeypatch.setattr(backend, "_chunk", 1)  # so that all but the first token go through the cache
    through = backend.logits_after(ids[:1], ids[1:], EIGHT)
    per_query, exact = backend.logits(ids, EIGHT)[1:], backend.logits(ids)[1:]
    assert np.abs(through - per_query).mean() < 0.5 * np.abs(through - exact).mean()


def test_what_can_not_be_had_is_refused_by_name(folder: Path, backend: Backend, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="kv_bits = 7; give one of 8, 6, 5, 4, 3, 2"):
        Cut(kv_bits=7)
    with pytest.raises(ValueError, match="leave kv_keep out"):
        Cut(kv_bits=8, kv_keep=0.5)
    with pytest.raises(RequestError, match="kv_group_size = 128 does not divide the 64 numbers of a head"):
        backend.ready(Cut(kv_bits=8, kv_group_size=128))
    on_cpu = on_torch.load(folder=folder, device="cpu")
    with pytest.raises(RequestError, match="torch has no cache in few bits"):
        on_cpu.ready(EIGHT)
    on_cpu.close()
    gates = {"ungated": {}, "kv8": {"plugin": "constant", "budget": {"cut": {"kv_bits": 8}}}}
    models = {"full": {"name": str(folder)}}
    suite = write_suite(tmp_path, backends=["torch"], backend_options={}, models=models, gates=gates)
    done = bench("run", str(suite), "--dry-run", *AS_ROOT, cwd=tmp_path)
    assert done.returncode == 2
    assert "backend 'torch' can't keep its cache in few bits (kv_bits); use mlx for that" in done.stderr
