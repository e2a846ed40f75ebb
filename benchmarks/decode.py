"""Decode tokens/s of our loops over the libraries' own, on the same loaded model.

    python benchmarks/decode.py MODEL_FOLDER [--backend mlx] [--new-tokens 32] [--rounds 7]

The rivals are `transformers.generate` and `mlx_lm.stream_generate`, greedy, without a stop
token. Both sides run in this process and take turns (ours first, then theirs first).

Decode time is the same subtraction on both sides: the time of a request for M new tokens minus
the time of the same request for one, each until the device is idle. Prefill, tokenising and
set-up cancel, and M-1 forwards remain, whatever a library throws away at the end of a request.
Forwards are counted in a request that is not timed.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from backends import mlx_backend, torch_backend
from backends.base import Backend

PROMPT = "A list of five reasons why a joule is a better unit of cost than a token:"

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


def torch_contest(folder: Path, prompt: str) -> Contest:
    """Our loop against `generate` of the same module."""
    import torch

    backend = torch_backend.load(folder=folder)
    model: Any = backend._model  # type: ignore[attr-defined]
    model.generation_config.eos_token_id = None
    ids = torch.tensor([backend.encode(prompt)], device=backend.info.device)

    def library(new_tokens: int) -> list[int]:
        output = model.generate(
            ids, attention_mask=torch.ones_like(ids), max_new_tokens=new_tokens, do_sample=False
        )
        backend.synchronize()
        return [int(token) for token in output[0, ids.shape[1] :]]

    def count(request: Request, new_tokens: int) -> list[int]:
        lengths: list[int] = []

        def note(_module: Any, positional: tuple[Any, ...], named: dict[str, Any]) -> None:
            lengths.append(int((positional[0] if positional else named["input_ids"]).shape[1]))

        handle = model.register_forward_pre_hook(note, with_kwargs=True)
        request(new_tokens)
        handle.remove()
        return lengths

    return Contest(backend=backend, ours=our_request(backend, prompt), library=library, count=count)


def mlx_contest(folder: Path, prompt: str) -> Contest:
    """Our loop against `stream_generate` of the same module."""
    import mlx.core as mx
    from mlx_lm.generate import generation_stream, stream_generate
    from mlx_lm.tokenizer_utils import load as load_tokenizer

    backend = mlx_backend.load(folder=folder)
    tokenizer = load_tokenizer(folder)
    tokenizer.eos_token_ids = set()
    ids = backend.encode(prompt)

    def library(new_tokens: int) -> list[int]:
        model = backend._model  # type: ignore[attr-defined]
        tokens = [part.token for part in stream_generate(model, tokenizer, ids, max_tokens=new_tokens)]
        mx.synchronize(generation_stream)
        return tokens

    def count(request: Request, new_tokens: int) -> list[int]:
        with counted_calls(backend) as lengths:
            request(new_tokens)
        return lengths

    return Contest(backend=backend, ours=our_request(backend, prompt), library=library, count=count)


def our_request(backend: Backend, prompt: str) -> Request:
    """Prefill and decode of one request by our loop."""
    ids = backend.encode(prompt)

    def request(new_tokens: int) -> list[int]:
        session = backend.prefill(ids)
        return backend.decode(session, max_new_tokens=new_tokens, ignore_eos=True).tokens

    return request


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


def decode_s(request: Request, new_tokens: int) -> float:
    """Seconds of `new_tokens - 1` decode forwards."""
    return request_s(request, new_tokens) - request_s(request, 1)


def request_s(request: Request, new_tokens: int) -> float:
    """Seconds of one whole request."""
    start_s = time.perf_counter()
    request(new_tokens)
    return time.perf_counter() - start_s


def measure(contest: Contest, *, new_tokens: int, rounds: int) -> list[tuple[float, float]]:
    """Decode seconds (ours, library) of each round; who goes first alternates."""
    times_s = []
    for number in range(rounds):
        if number % 2 == 0:
            ours_s = decode_s(contest.ours, new_tokens)
            library_s = decode_s(contest.library, new_tokens)
        else:
            library_s = decode_s(contest.library, new_tokens)
            ours_s = decode_s(contest.ours, new_tokens)
        times_s.append((ours_s, library_s))
    return times_s


def forwards_text(lengths: list[int]) -> str:
    """Such as `20 + 31x1`: forwards of several tokens, then the number of one-token forwards."""
    parts = [str(length) for length in lengths if length > 1]
    return " + ".join([*parts, f"{lengths.count(1)}x1"])


def row(contest: Contest, *, new_tokens: int, rounds: int) -> tuple[float, str]:
    """The median ratio and the line of the table."""
    same = contest.ours(new_tokens) == contest.library(new_tokens)  # also warms both up
    ours_forwards = forwards_text(contest.count(contest.ours, new_tokens))
    library_forwards = forwards_text(contest.count(contest.library, new_tokens))
    times_s = measure(contest, new_tokens=new_tokens, rounds=rounds)
    ratios = sorted(library_s / ours_s for ours_s, library_s in times_s)
    ours, library = ((new_tokens - 1) / median(side) for side in zip(*times_s, strict=True))
    info = contest.backend.info
    return median(ratios), (
        f"{info.backend:7} {info.device:6} {ours:10.2f} {library:10.2f} {median(ratios):7.3f} "
        f"{ratios[0]:6.3f}-{ratios[-1]:.3f}  {ours_forwards:12} {library_forwards:16} {'yes' if same else 'NO'}"
    )


def main() -> int:
    """Print the table; 1 if our loop is the slower one anywhere."""
    contests = {"torch": torch_contest, "mlx": mlx_contest}
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("folder", type=Path, metavar="MODEL_FOLDER")
    parser.add_argument("--backend", choices=list(contests), help="only this one; default: both")
    parser.add_argument("--new-tokens", type=int, default=32)
    parser.add_argument("--rounds", type=int, default=7)
    options = parser.parse_args()
    print(f"{options.new_tokens} new tokens, {options.rounds} rounds; tokens/s are medians of decode only")
    print(
        "backend device ours tok/s  lib tok/s   ratio  lowest-highest forwards ours, library      same tokens"
    )
    ratios = []
    for name in [options.backend] if options.backend else contests:
        contest = contests[name](options.folder, PROMPT)
        ratio, line = row(contest, new_tokens=options.new_tokens, rounds=options.rounds)
        print(line, flush=True)
        ratios.append(ratio)
        contest.backend.close()
    return int(min(ratios) < 1)


if __name__ == "__main__":
    sys.exit(main())
