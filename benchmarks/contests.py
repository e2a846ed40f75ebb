"""Our loop and a library's own on one loaded model, as `benchmarks/decode.py` sets them side by side."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch

from backends.abilities import HasBatches
from backends.base import Backend
from backends.llama_cpp import load as on_llama_cpp
from backends.mlx import load as on_mlx
from backends.torch import load as on_torch

Request = Callable[[int], list[int]]
"""Generates so many new tokens from the prompt and returns them once the device is idle."""


@dataclass(frozen=True, kw_only=True)
class Contest:
    """Our loop and the library's on one loaded model."""

    backend: Backend
    ours: Request
    library: Request
    count: Callable[[Request, int], list[int]]
    """Prompt lengths of all forwards that a request runs."""
    own_s: Callable[[], float] | None = None
    """Seconds of all our requests so far by the library's own clock, for one that has a clock."""


def torch_contest(folder: Path, prompt: str, batch: int) -> Contest:
    """Our loop against `generate` of the same module."""
    import torch

    backend = on_torch.load(folder=folder)
    model: Any = backend._model  # type: ignore[attr-defined]
    model.generation_config.eos_token_id = None
    ids = torch.tensor([backend.encode(prompt)] * batch, device=backend.info.device)

    def library(new_tokens: int) -> list[int]:
        output = model.generate(
            ids, attention_mask=torch.ones_like(ids), max_new_tokens=new_tokens, do_sample=False
        )
        backend.synchronize()
        return of_equal_rows(output[:, ids.shape[1] :].tolist())

    def count(request: Request, new_tokens: int) -> list[int]:
        lengths: list[int] = []

        def note(_module: Any, positional: tuple[Any, ...], named: dict[str, Any]) -> None:
            lengths.append(int((positional[0] if positional else named["input_ids"]).shape[1]))

        handle = model.register_forward_pre_hook(note, with_kwargs=True)
        request(new_tokens)
        handle.remove()
        return lengths

    return Contest(backend=backend, ours=our_request(backend, prompt, batch), library=library, count=count)


def mlx_contest(folder: Path, prompt: str, batch: int) -> Contest:
    """Our loop against `stream_generate` of the same module; `batch_generate` for several rows."""
    import mlx.core as mx
    from mlx_lm.generate import batch_generate, generation_stream, stream_generate
    from mlx_lm.tokenizer_utils import load as load_tokenizer

    backend = on_mlx.load(folder=folder)
    tokenizer = load_tokenizer(folder)
    tokenizer.eos_token_ids = set()
    ids = backend.encode(prompt)

    def library(new_tokens: int) -> list[int]:
        model = backend._model  # type: ignore[attr-defined]
        if batch > 1:
            made = batch_generate(
                model, tokenizer, [ids] * batch, max_tokens=new_tokens, return_token_ids=True
            )
            mx.synchronize(generation_stream)
            return of_equal_rows(made.token_ids)
        tokens = [part.token for part in stream_generate(model, tokenizer, ids, max_tokens=new_tokens)]
        mx.synchronize(generation_stream)
        return tokens

    def count(request: Request, new_tokens: int) -> list[int]:
        with counted_calls(backend) as lengths:
            request(new_tokens)
        return lengths

    return Contest(backend=backend, ours=our_request(backend, prompt, batch), library=library, count=count)


def llama_cpp_contest(folder: Path, prompt: str, threads: int | None) -> Contest:
    """Our two requests, prefill and decode apart, against one request of the same server."""
    from backends.llama_cpp.decoder import LlamaCppBackend

    backend = LlamaCppBackend(
        on_llama_cpp.gguf_of(folder), threads=threads, chunk=512, gpu_layers=None, context=512
    )
    engine, ids = backend._engine, backend.encode(prompt)

    def library(new_tokens: int) -> list[int]:
        return engine.complete(ids, new_tokens=new_tokens, cached=False).tokens

    def count(request: Request, new_tokens: int) -> list[int]:
        """By llama.cpp's own counters: tokens of the prompt that it computed, then one for each new token."""
        lengths, complete = list[int](), engine.complete

        def noting(ids: list[int], **options: Any) -> Any:
            done = complete(ids, **options)
            lengths.extend([done.computed_tokens, *[1] * (len(done.tokens) - 1)])
            return done

        with patch.object(engine, "complete", noting):
            request(new_tokens)
        return lengths

    def own_s() -> float:
        return backend.own_s

    ours = our_request(backend, prompt)
    return Contest(backend=backend, ours=ours, library=library, count=count, own_s=own_s)


def our_request(backend: Backend, prompt: str, batch: int = 1) -> Request:
    """Prefill and decode of one request by our loop, or of several equal ones at a time."""
    ids = backend.encode(prompt)

    def request(new_tokens: int) -> list[int]:
        if batch == 1:
            session = backend.prefill(ids)
        else:
            assert isinstance(backend, HasBatches)
            session = backend.prefill_batch(ids, batch=batch)
        made = backend.decode(session, max_new_tokens=new_tokens, ignore_eos=True)
        assert not made.unlike_rows
        return made.tokens

    return request


def of_equal_rows(rows: list[list[int]]) -> list[int]:
    """The tokens of each of these rows, which are the same."""
    assert all(row == rows[0] for row in rows)
    return rows[0]


@contextmanager
def counted_calls(backend: Any) -> Iterator[list[int]]:
    """Note the length of each call of an MLX model, which has no hooks."""
    model, lengths = backend._model, list[int]()

    class Counting:
        def __call__(self, ids: Any, **options: Any) -> Any:
            lengths.append(ids.shape[1])
            return model(ids, **options)

        def __getattr__(self, name: str) -> Any:
            return getattr(model, name)

    backend._model = Counting()
    try:
        yield lengths
    finally:
        backend._model = model
