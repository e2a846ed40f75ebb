"""Tokens/s of our loops over the libraries' own, on the same loaded model.

    python benchmarks/decode.py MODEL_FOLDER [--backend mlx] [--batch 1 8] [--new-tokens 32] [--rounds 25]
                                [--threads 2]

The rivals are `transformers.generate`, `mlx_lm.stream_generate` (of several requests at a time
`mlx_lm.batch_generate`) and, where the folder holds a GGUF file, a whole request of llama.cpp's
server, greedy, without a stop token. Both sides run in this process and take turns (ours first,
then theirs first). A batch is copies of the prompt, whose tokens all have to be the same.

`decode` is the same subtraction on both sides: the time of a request for M new tokens minus the
time of the same request for one, each until the device is idle. Prefill, tokenising, set-up and
whatever a library throws away at the end cancel, and M-1 forwards remain. `request` is the
whole request for M new tokens, with all of that in it. The prompt is short, so that its noise
stays out of the difference. Forwards are counted in a request that is not timed.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from statistics import median, quantiles
from typing import Any
from unittest.mock import patch

from backends.base import Backend, HasBatches
from backends.llama_cpp import load as on_llama_cpp
from backends.mlx import load as on_mlx
from backends.torch import load as on_torch

PROMPT = "Once upon a"

Request = Callable[[int], list[int]]
"""Generates so many new tokens from the prompt and returns them once the device is idle."""


@dataclass(frozen=True, kw_only=True)
class Times:
    """Seconds of one side in one round."""

    decode_s: float
    """`new_tokens - 1` decode forwards."""
    request_s: float


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
        on_llama_cpp.gguf_of(folder), threads=threads, batch=512, gpu_layers=None, context=512
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


def request_s(request: Request, new_tokens: int) -> float:
    """Seconds of one whole request."""
    start_s = time.perf_counter()
    request(new_tokens)
    return time.perf_counter() - start_s


def time_side(request: Request, new_tokens: int) -> Times:
    """Decode and whole-request seconds of one side in one round."""
    whole_s = request_s(request, new_tokens)
    return Times(decode_s=whole_s - request_s(request, 1), request_s=whole_s)


def measure(contest: Contest, *, new_tokens: int, rounds: int) -> list[tuple[Times, Times]]:
    """Times (ours, library) of each round; who goes first alternates."""
    times = []
    for number in range(rounds):
        if number % 2 == 0:
            ours = time_side(contest.ours, new_tokens)
            library = time_side(contest.library, new_tokens)
        else:
            library = time_side(contest.library, new_tokens)
            ours = time_side(contest.ours, new_tokens)
        times.append((ours, library))
    return times


def forwards_text(lengths: list[int]) -> str:
    """Such as `20 + 31x1`: forwards of several tokens, then the number of one-token forwards."""
    parts = [str(length) for length in lengths if length > 1]
    return " + ".join([*parts, f"{lengths.count(1)}x1"])


def verdict(contest: Contest, *, batch: int, new_tokens: int, rounds: int) -> tuple[bool, str]:
    """Whether our decode is the slower one, and the lines that show it.

    Slower means in three rounds of four: on a machine that does other things too, the median of two equal
    loops is below 1 every other time.
    """
    same = contest.ours(new_tokens) == contest.library(new_tokens)  # also warms both up
    forwards = [forwards_text(contest.count(side, new_tokens)) for side in (contest.ours, contest.library)]
    times = measure(contest, new_tokens=new_tokens, rounds=rounds)
    decode = [(ours.decode_s, library.decode_s) for ours, library in times]
    request = [(ours.request_s, library.request_s) for ours, library in times]
    info = contest.backend.info
    lines = [
        f"{info.backend} on {info.device}, batch {batch}; "
        f"forwards: ours {forwards[0]}, library {forwards[1]}; tokens {'equal' if same else 'DIFFER'}",
        "  decode   " + compared(decode, batch * (new_tokens - 1)),
        "  request  " + compared(request, batch * new_tokens),
    ]
    if contest.own_s is not None:
        lines.append(f"  by its own clock: {own_share(contest, new_tokens, rounds)}")
    ratios = [library_s / ours_s for ours_s, library_s in decode]
    return quantiles(ratios, n=4)[2] < 1, "\n".join(lines)


def own_share(contest: Contest, new_tokens: int, rounds: int) -> str:
    """The share of our requests' seconds that the library's own clock counts, as a median with quartiles."""
    assert contest.own_s is not None
    shares = []
    for _ in range(rounds):
        before_s = contest.own_s()
        took_s = request_s(contest.ours, new_tokens)
        shares.append((contest.own_s() - before_s) / took_s)
    low, middle, high = quantiles(shares, n=4)
    return f"{middle:.4f} of our seconds ({low:.4f} to {high:.4f})"


def compared(pairs_s: list[tuple[float, float]], tokens: int) -> str:
    """Median tokens/s of both sides, and the median of the ratio with its quartiles."""
    ours, library = (tokens / median(side_s) for side_s in zip(*pairs_s, strict=True))
    low, middle, high = quantiles((library_s / ours_s for ours_s, library_s in pairs_s), n=4)
    return f"{ours:8.2f} {library:8.2f}    {middle:.3f}  ({low:.3f} to {high:.3f})"


def main() -> int:
    """Print the table; 1 if our loop is the slower one anywhere."""
    contests: dict[str, Callable[[Path, str, int], Contest]] = {
        "torch": torch_contest,
        "mlx": mlx_contest,
        "llama_cpp": lambda folder, prompt, _: llama_cpp_contest(folder, prompt, options.threads),
    }
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("folder", type=Path, metavar="MODEL_FOLDER")
    parser.add_argument("--backend", choices=list(contests), help="only this one; default: all")
    parser.add_argument("--batch", type=int, nargs="+", default=[1], help="requests at a time")
    parser.add_argument("--new-tokens", type=int, default=32)
    parser.add_argument("--rounds", type=int, default=25)
    parser.add_argument("--threads", type=int, help="of llama.cpp; default: its own number")
    options = parser.parse_args()
    print(f"{options.new_tokens} new tokens, {options.rounds} rounds; medians over rounds, tokens/s")
    print("               ours  library    ratio  (quartiles)")
    slower = False
    here = [name for name in contests if name != "llama_cpp" or any(options.folder.glob("*.gguf"))]
    asked = [options.backend] if options.backend else here
    for name, batch in product(asked, options.batch):
        if batch > 1 and name == "llama_cpp":
            continue  # it runs one request at a time
        contest = contests[name](options.folder, PROMPT, batch)
        loses, lines = verdict(contest, batch=batch, new_tokens=options.new_tokens, rounds=options.rounds)
        print(lines, flush=True)
        slower |= loses
        contest.backend.close()
    return int(slower)


if __name__ == "__main__":
    sys.exit(main())
