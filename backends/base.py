"""The seam between the harness and a library that runs models.

A backend is one model loaded by one library. It has no stopwatch: whoever measures calls `synchronize`, reads
the clock, calls `prefill` or `decode`, and synchronises again. The loops are the project's own, because the
stock ones do different work for the same request (see `Generated`), and joules are compared for equal work.

What a backend says without a model is in `backends.about`, what not every one can do in `backends.abilities`.

    BackendError
    ├── ModelError      the model folder can't be used (missing file, unknown architecture, dtype)
    ├── RequestError    this request can't be run (prompt longer than the context, no tokens)
    └── MissingLibrary  what the backend needs is not installed
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from backends.cut import FULL, Cut
from backends.installing import pip
from backends.kv_bits import KvBits
from backends.shape import NO_STATE, KeptState, Shape

CHUNK = 2048
"""Prompt tokens of a forward at most, unless a backend is told otherwise; mlx-lm's own number."""


class BackendError(Exception):
    """A backend could not do what it was asked."""

    def __init__(self, what: str, *, fix: str | None = None) -> None:
        """`what` happened, with the value; `fix` is what to change."""
        super().__init__(what if fix is None else f"{what}; {fix}")
        self.what = what
        self.fix = fix


class ModelError(BackendError):
    """The model can't be loaded by this backend."""


class RequestError(BackendError):
    """The request does not fit the loaded model."""


class MissingLibrary(BackendError):
    """A library that a backend needs is not installed."""

    def __init__(self, missing: tuple[str, ...], install: str) -> None:
        """Say which modules are missing, and the requirement that brings them."""
        what = f"needs {' and '.join(missing)}, not installed here"
        super().__init__(what, fix=f"type: {pip('install', install)}")
        self.missing = missing
        self.install = install


@dataclass(frozen=True, kw_only=True)
class Served:
    """Where a model is that a server runs, and whose CPU time is the server's."""

    url: str
    processes: tuple[int, ...] = ()
    """Numbers of those that listen there."""
    unknown: str | None = None
    """Why they are not known, if they are not."""


@dataclass(frozen=True, kw_only=True)
class BackendInfo:
    """What was loaded, for the record of a run. Counts are of the loaded (perhaps shortened) model."""

    backend: str
    """Plugin name: `torch`, `mlx`, `echo`."""
    device: str
    """Where it runs: `mps`, `cuda`, `cpu`, `metal`."""
    dtype: str
    architecture: str
    """`model_type` of the Hugging Face config, such as `llama`."""
    layers: int
    parameters: int
    weight_bytes: int
    """Bytes of all loaded parameters; tied matrices count once."""
    vocabulary: int
    context: int | None
    """Longest sequence in tokens that the model was made for; None if the config does not say."""
    cache: str
    """The kind of key-value cache, such as `DynamicCache`."""
    versions: dict[str, str]
    """Library versions that can change the numbers."""
    settings: dict[str, int | float] = field(default_factory=dict)
    """What an engine was told that can change the numbers: threads, layers on the GPU."""
    stand_in: bool = False
    """True for a backend that runs no model; its figures are marked wherever they are shown."""
    served: Served | None = None
    """The server that runs the model, where it is not this process: equal work is then not shown."""
    casts_cache: bool = False
    """Whether all of a cache in few bits (`kv_bits`) is cast before every use: held so, but not read so."""


@dataclass(frozen=True, kw_only=True)
class Used:
    """What a request really ran, counted at its matrices and its cache, never taken from the cut."""

    cache_lengths: tuple[int, ...]
    """Positions in the cache of each layer after the prefill; 0 where no attention ran."""
    mlp_units: tuple[int, ...] | None
    """Units of each layer's MLP; 0 where it is left out. None for an architecture that is not counted."""
    weight_bytes: int | None
    """Bytes of weights that a forward reads, without the embedding table; None like the units."""
    held_bytes: int | None = None
    """Bytes of all weights in memory, what layers share once; None where nobody counted them."""
    cache_bits: KvBits | None = None
    """Of the numbers in the cache of every layer; None: as the model was loaded."""
    cache_bytes: int | None = None
    """Of all that is held of the prompt for the forwards to come; None where that is not known."""
    state: KeptState = NO_STATE
    chunks: tuple[int, ...] = ()
    """Prompt tokens of each forward of the prefill; empty: one forward of all of them."""
    prefix: int = 0
    """Prompt tokens before those, whose part of the cache was computed once before (`keep_prefix`)."""


@dataclass(kw_only=True)
class Session:
    """State between `prefill` and `decode` of `batch` equal rows; `first_token` may be on the device."""

    prompt_tokens: int
    first_token: Any
    cache: Any
    ids: list[int]
    """The prompt, from which `lookup` copies."""
    cut: Cut = FULL
    used: Used | None = None
    """None for a stand-in, which runs nothing that could be counted."""
    batch: int = 1
    keeping: Any = None
    """Which positions its cache keeps (`backends.keeping`)."""
    draft: Session | None = None
    """Of the model that guesses, after the same prompt."""


@dataclass(frozen=True, kw_only=True)
class Generated:
    """New tokens of one request and the work they took.

    For M new tokens from a P-token prompt every backend runs a prefill of P tokens and M-1 one-token
    forwards. A prompt of more than `CHUNK` tokens is fed chunk by chunk; a batch runs equal rows.

    With a natural stop a few forwards, counted here, may run past the end-of-sequence token, because looking
    at a token costs a host synchronisation: it is looked at after new tokens 1, 2, 4, then every fourth.
    """

    tokens: list[int]
    """New token ids of a row, the end-of-sequence token included where one was generated."""
    forwards: int
    """Decode forwards that ran, of one token each unless guesses are fed; prefill is not among them."""
    drafts: tuple[tuple[int, int], ...] = ()
    """For each forward that checked guesses: tokens that were guessed and fed, and how many were right."""
    draft_used: Used | None = None
    """With `draft`, of the prefill of the model that guesses."""
    draft_fed: tuple[tuple[int, int], ...] = ()
    """For each of its forwards: tokens fed, and how many more positions its cache then held."""
    used: Used | None = None
    """Of the session."""
    cache_lengths: tuple[int, ...] = ()
    """Positions in the cache of each layer after the last forward; empty where nothing is counted."""
    rebuilt_bytes: int = 0
    """With `kv_direct`: most bytes of what was rebuilt, alive at a time."""
    batch: int = 1
    """Rows, each with so many new tokens."""
    unlike_rows: int = 0
    """Rows of the batch whose tokens are not those of the first, as they should be."""


@dataclass(frozen=True, kw_only=True)
class Redundancy:
    """How little each module changes the residual stream: 1 - cosine of input and output, by layer.

    The cosine is taken for each token and averaged. Input and output of attention and MLP include the
    residual connection, as in "What Matters in Transformers?" (LLM-Drop, arXiv 2406.15786).
    """

    attention: tuple[float | None, ...]
    """None where it is left out."""
    mlp: tuple[float | None, ...]
    block: tuple[float, ...]


class Backend(Protocol):
    """One loaded model. Not thread-safe; lives in one worker process."""

    @property
    def info(self) -> BackendInfo:
        """What was loaded."""

    def encode(self, text: str) -> list[int]:
        """Token ids of `text`, with the special tokens that the tokenizer adds."""

    def decode_text(self, ids: list[int]) -> str:
        """Text of token ids, special tokens left out."""

    def ready(self, cut: Cut) -> None:
        """Prepare `cut`, so that requests switch to it at no cost; once, outside every window.

        The matrices that differ are copied (sliced, quantised) and stay in memory until `forget`; all
        others are shared with the loaded model.

        Raises:
            RequestError: The model has no such layer.
            ModelError: This backend can't make this cut of this model.
        """

    def forget(self) -> None:
        """Free what `ready` prepared."""

    def prefill(self, ids: list[int], cut: Cut = FULL) -> Session:
        """Queue a forward over all of `ids` with a fresh cache and the argmax of its last logits.

        A long prompt is fed in chunks (see `Generated`). With `kv_keep` every chunk sees all that is before
        it; then the cache is cut.

        Raises:
            RequestError: `ids` is empty, longer than the context, or not of this vocabulary; or the cut
                does not fit the prompt, or is not ready.
        """

    def decode(self, session: Session, *, max_new_tokens: int, ignore_eos: bool) -> Generated:
        """Greedy decoding from `session`, the first token included; the device is idle on return.

        With `ignore_eos` exactly `max_new_tokens` tokens come from `max_new_tokens - 1` forwards, without
        a host synchronisation per token. Otherwise it ends at the end-of-sequence token (see `Generated`).
        What guesses tokens changes none, but every forward is waited for. A session is used up by one call.

        Raises:
            RequestError: The session was used before, or prompt and new tokens don't fit the context.
        """

    def logits(self, ids: list[int], cut: Cut = FULL) -> NDArray[np.float32]:
        """Logits of shape (len(ids), vocabulary) of one forward without a cache, in float32.

        `kv_keep` takes its per-query form: the query at position t sees itself and those of the t
        positions before it that a prefill of these t tokens would have kept, in every layer. (A query
        before `snapkv_window` tokens sees the last ones.) Guesses and `kv_bounded` change nothing.

        Raises:
            RequestError: As for `prefill` and `ready`, which this calls.
        """

    def logits_after(self, ids: list[int], tokens: list[int], cut: Cut = FULL) -> NDArray[np.float32]:
        """Logits of shape (len(tokens), vocabulary) after each of `tokens`, as a request computes them.

        A prefill of `ids`, whose cache is then cut as `cut` says, and one forward per token through the
        cache; so it takes the memory of a request, however long `ids` is. Guesses change nothing.

        Raises:
            RequestError: As for `prefill` and `ready`, which this calls; or all of it exceeds the context.
        """

    def score(self, ids: list[int], cut: Cut = FULL) -> NDArray[np.float64]:
        """Natural log-probabilities, shape (len(ids) - 1,), of ids[1:], each given the ids before it.

        They come from `logits`, so `kv_keep` takes its per-query form.

        Raises:
            RequestError: As for `logits`.
        """

    def hidden(self, ids: list[int]) -> NDArray[np.float32]:
        """Hidden states after the final norm, shape (len(ids), width).

        Raises:
            RequestError: As for `prefill`.
        """

    def redundancy(self, ids: list[int], cut: Cut = FULL) -> Redundancy:
        """How little each attention, MLP and block of what `cut` leaves changes the residual stream.

        Raises:
            RequestError: As for `prefill` and `ready`, which this calls.
        """

    def shape(self, cut: Cut = FULL) -> Shape | None:
        """Counted sizes of what a forward under `cut` reads and multiplies; for `backends.ledger`.

        None where nobody knows where the architecture keeps its parts: it runs, and is not counted.

        Raises:
            RequestError: `cut` is not ready.
        """

    def synchronize(self) -> None:
        """Return when the device has nothing left to do."""

    def close(self) -> None:
        """Free the model's memory."""
