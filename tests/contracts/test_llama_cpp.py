"""The contract of a backend on llama.cpp, as far as its engine goes, and what it refuses by name."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from threading import get_native_id

import psutil
import pytest

from backends.about import ABILITIES, about_of
from backends.base import Backend, ModelError, RequestError
from backends.cut import Cut
from backends.llama_cpp.load import ABOUT, load
from tests.contracts.models import PROMPT, generate, load_tiny
from tests.contracts.test_backends import (
    test_a_session_is_used_up,
    test_info_says_what_was_loaded,
    test_m_new_tokens_take_m_minus_one_forwards,
    test_new_tokens_have_to_fit_the_context,
    test_text_goes_to_ids_and_back,
    test_text_without_an_end_runs_to_the_limit,
)
from tests.gguf_files import U32, write_llama
from tests.tiny_models import CONTEXT, EOS, LAYERS
from tests.waiting import wait_for

__all__ = [
    "test_a_session_is_used_up",
    "test_info_says_what_was_loaded",
    "test_m_new_tokens_take_m_minus_one_forwards",
    "test_new_tokens_have_to_fit_the_context",
    "test_text_goes_to_ids_and_back",
    "test_text_without_an_end_runs_to_the_limit",
]

pytestmark = pytest.mark.skipif(bool(ABOUT.missing), reason=f"type: pip install '{ABOUT.install}'")
ROOM = {"llama.context_length": (U32, CONTEXT + 1)}
"""llama.cpp counts the last new token too, which needs no position."""


@pytest.fixture(scope="module")
def file(tiny_folders: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_llama(tiny_folders["llama"], tmp_path_factory.mktemp("gguf") / "tiny.gguf", **ROOM)


@pytest.fixture(scope="module")
def backend(file: Path) -> Iterator[Backend]:
    backend = load(folder=file, threads=1)
    yield backend
    backend.close()


def test_it_is_the_model_of_the_other_libraries(backend: Backend, tiny_folders: dict[str, Path]) -> None:
    on_torch = load_tiny("torch", tiny_folders["llama"])
    ids = on_torch.encode(PROMPT)
    assert backend.encode(PROMPT) == ids
    ours, theirs = (generate(one, ids, max_new_tokens=16) for one in (backend, on_torch))
    assert (ours.tokens, ours.forwards) == (theirs.tokens, theirs.forwards)
    # what it holds in memory, of weights and of a cache with room for a whole context, its engine doesn't say
    assert ours.used == replace(theirs.used, held_bytes=None, cache_bytes=None)
    assert backend.info.parameters == on_torch.info.parameters
    (layer, *_), (its, *_) = (one.shape().layers for one in (backend, on_torch))
    assert layer == its
    assert backend.shape().weight_bytes == on_torch.shape().weight_bytes


def test_the_engine_counts_the_same_forwards(backend: Backend, monkeypatch: pytest.MonkeyPatch) -> None:
    """One request computes the prompt, the other one token of it and then goes on from the cache."""
    done = []
    engine = backend._engine
    complete = engine.complete

    def noting(*positional, **named):
        done.append(complete(*positional, **named))
        return done[-1]

    monkeypatch.setattr(engine, "complete", noting)
    ids = backend.encode(PROMPT)
    for _ in range(2):  # the second time its cache holds this very prompt
        done.clear()
        tokens = generate(backend, ids, max_new_tokens=9).tokens
        counted = [(one.cached_tokens, one.computed_tokens, len(one.tokens)) for one in done]
        assert counted == [(0, len(ids), 1), (len(ids), 1, 8)]
        assert tokens == [token for one in done for token in one.tokens]


def test_a_text_ends_at_its_end_or_goes_on_by_order(
    tiny_folders: dict[str, Path], backend: Backend, tmp_path: Path
) -> None:
    """llama.cpp stops at an end by itself; where the text is to go on, it goes on with the same tokens."""
    ids = backend.encode("a")
    free = generate(backend, ids, max_new_tokens=12).tokens
    at = next(n for n in range(2, 12) if free[n] not in free[:n])
    ends = {"tokenizer.ggml.eos_token_id": (U32, free[at])}
    stopping = load(folder=write_llama(tiny_folders["llama"], tmp_path / "m.gguf", **ends), threads=1)
    stopped = generate(stopping, ids, max_new_tokens=12, ignore_eos=False)
    assert (stopped.tokens, stopped.forwards) == (free[: at + 1], at)
    going_on = generate(stopping, ids, max_new_tokens=12)
    assert (going_on.tokens, going_on.forwards) == (free, 11)
    assert EOS not in free
    stopping.close()


def test_a_prompt_that_does_not_fit_is_refused(backend: Backend) -> None:
    vocabulary = backend.info.vocabulary
    for ids, said in [
        ([], "no tokens"),
        ([5] * (CONTEXT + 1), f"{CONTEXT + 1} tokens, but the context is {CONTEXT}"),
        ([5, vocabulary], f"5 to {vocabulary}"),
    ]:
        with pytest.raises(RequestError, match=said):
            backend.prefill(ids)


def test_what_the_engine_has_not_is_refused_by_name(backend: Backend, file: Path) -> None:
    ids = backend.encode(PROMPT)
    for ask, said in [
        (lambda: backend.prefill(ids, Cut(kv_keep=0.5)), "leave out parts"),
        (lambda: backend.ready(Cut(drop_mlp=(1,))), "leave out parts"),
        (lambda: backend.logits(ids), "give logits"),
        (lambda: backend.logits_after(ids, ids), "give logits"),
        (lambda: backend.score(ids), "score a text"),
        (lambda: backend.hidden(ids), "hidden states"),
        (lambda: backend.redundancy(ids), "compare its layers"),
    ]:
        with pytest.raises(RequestError, match=said):
            ask()
    with pytest.raises(ModelError, match=f"layers = {LAYERS - 1}"):
        load(folder=file, layers=LAYERS - 1)
    assert set(about_of(load).lacks) == set(ABILITIES) - {"token_ids"}


def test_a_session_whose_cache_is_gone_is_refused(backend: Backend) -> None:
    first = backend.prefill(backend.encode(PROMPT))
    backend.prefill(backend.encode("else"))
    with pytest.raises(RequestError, match="before the next prefill"):
        backend.decode(first, max_new_tokens=2, ignore_eos=True)


def test_prompts_are_computed_in_chunks_and_the_settings_are_told(file: Path, backend: Backend) -> None:
    small = load(folder=file, threads=1, prefill_chunk=8, gpu_layers=0, context=64)
    assert small.info.settings == {"threads": 1, "prefill_chunk": 8, "gpu_layers": 0}
    ids = small.encode(PROMPT)
    ours, whole = (generate(one, ids, max_new_tokens=6) for one in (small, backend))
    assert ours.tokens == whole.tokens
    assert ours.used.chunks == (8, 8, 8, 4)
    with pytest.raises(RequestError, match="positions"):
        small.decode(small.prefill(ids), max_new_tokens=300, ignore_eos=True)
    small.close()


def test_threads_of_an_idle_engine_do_not_spin(backend: Backend) -> None:
    """Soon after a request no thread but this one gets on."""
    generate(backend, backend.encode(PROMPT), max_new_tokens=4)
    process = psutil.Process()

    def cpu_s_by_thread() -> dict[int, float]:
        return {t.id: t.user_time + t.system_time for t in process.threads() if t.id != get_native_id()}

    def rests() -> bool:
        before = cpu_s_by_thread()
        time.sleep(0.2)
        return cpu_s_by_thread() == before

    assert len(cpu_s_by_thread()) > 1
    assert wait_for(rests)
