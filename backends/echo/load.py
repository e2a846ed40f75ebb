"""A stand-in without a model: it answers with the prompt and burns a known CPU time.

It obeys the whole contract of a backend (greedy tokens are the argmax of its logits,
forwards are counted, fewer layers are cheaper), so the harness can be tried in seconds. It takes any
cut and leaves nothing out, which the effectiveness guard has to notice.

Ids are bytes of UTF-8, moved up by the special tokens. After a prompt it says `START`, the
prompt without its first token, and the end of sequence; if told to go on, the same again.
"""

from __future__ import annotations

import platform
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from backends.base import Backend, BackendInfo, Generated, ModelError, Redundancy, RequestError, Session
from backends.cut import FULL, Cut
from backends.loop import (
    check_batch,
    check_cut,
    check_model,
    check_prompt,
    greedy,
    log_probabilities,
    open_session,
)
from backends.shape import Shape

EOS, BOS, START = 0, 1, 2
SPECIAL = 3
VOCABULARY = SPECIAL + 256
LAYERS = 8
PROMPT_TOKEN_COST = 0.1
"""CPU time of a token in prefill relative to a new one: prefill works on many tokens at once."""


def load(
    *,
    folder: Path | None = None,
    dtype: Literal["float32", "bfloat16", "float16"] = "float32",
    layers: int | None = None,
    cpu_s_per_token: float = 0.001,
    context: int = 2048,
) -> Backend:
    """A stand-in that runs no model and burns CPU time for every token.

    Args:
        folder: Not read; here so that a suite can name any model.
        dtype: Not used; recorded.
        layers: Of eight; fewer take proportionally less CPU time. None is all.
        cpu_s_per_token: CPU seconds of a decode forward with all layers.
        context: Longest sequence in tokens.

    Raises:
        ModelError: `layers`, `cpu_s_per_token` or `context` is out of range.
    """
    if layers is not None and not 1 <= layers <= LAYERS:
        raise ModelError(f"layers = {layers}, but the stand-in has {LAYERS}", fix=f"give 1 to {LAYERS}")
    if cpu_s_per_token < 0:
        raise ModelError(f"cpu_s_per_token = {cpu_s_per_token}", fix="give 0 or more")
    if context < 1:
        raise ModelError(f"context = {context}", fix="give 1 or more")
    return EchoBackend(dtype=dtype, layers=layers or LAYERS, cpu_s_per_token=cpu_s_per_token, context=context)


class EchoBackend:
    """The stand-in; its cache is the list of ids so far."""

    def __init__(self, *, dtype: str, layers: int, cpu_s_per_token: float, context: int) -> None:
        self._cpu_s_per_token = cpu_s_per_token * layers / LAYERS
        self.info = BackendInfo(
            backend="echo",
            device="cpu",
            dtype=dtype,
            architecture="echo",
            layers=layers,
            parameters=0,
            weight_bytes=0,
            vocabulary=VOCABULARY,
            context=context,
            cache="list",
            versions={"python": platform.python_version()},
            stand_in=True,
        )

    def encode(self, text: str) -> list[int]:
        """The bytes of `text` after a begin-of-sequence token."""
        return [BOS, *(byte + SPECIAL for byte in text.encode())]

    def decode_text(self, ids: list[int]) -> str:
        """Text of token ids; special tokens and broken UTF-8 are left out."""
        return bytes(i - SPECIAL for i in ids if i >= SPECIAL).decode(errors="ignore")

    def ready(self, cut: Cut) -> None:
        """Check the layers that `cut` names."""
        check_model(cut, self.info)

    def forget(self) -> None:
        """Nothing was prepared."""

    def prefill(self, ids: list[int], cut: Cut = FULL) -> Session:
        """One forward over all of `ids`."""
        return self.prefill_batch(ids, cut, batch=1)

    def keep_prefix(self, ids: list[int], cut: Cut = FULL) -> None:
        """Compute what prompts begin with; there is nothing to keep."""
        _burn(len(ids) * PROMPT_TOKEN_COST * self._cpu_s_per_token)

    def prefill_batch(self, ids: list[int], cut: Cut = FULL, *, batch: int, prefix: int = 0) -> Session:
        """The same for several equal rows, in the time of one: decoding a batch reads the weights once."""
        check_prompt(ids, self.info)
        check_cut(cut, ids)
        check_batch(batch, cut)
        _burn((len(ids) - prefix) * PROMPT_TOKEN_COST * self._cpu_s_per_token)
        first = _next_id(ids)
        return Session(
            prompt_tokens=len(ids), first_token=first, cache=list(ids), ids=ids, cut=cut, batch=batch
        )

    def decode(self, session: Session, *, max_new_tokens: int, ignore_eos: bool) -> Generated:
        """Echo the prompt."""
        seen: list[int] = open_session(session, max_new_tokens, self.info)

        def step(token: int) -> int:
            seen.append(token)
            _burn(self._cpu_s_per_token)
            return _next_id(seen)

        eos_ids = frozenset[int]() if ignore_eos else frozenset([EOS])
        said = greedy(session.first_token, step, list, max_new_tokens=max_new_tokens, eos_ids=eos_ids)
        return replace(said, batch=session.batch)

    def logits(self, ids: list[int], cut: Cut = FULL) -> NDArray[np.float32]:
        """One at the id that follows, zero elsewhere, for each prefix; shape (len(ids), vocabulary)."""
        check_prompt(ids, self.info)
        self.ready(cut)
        logits = np.zeros((len(ids), VOCABULARY), dtype=np.float32)
        following = [_next_id(ids[: end + 1]) for end in range(len(ids))]
        logits[np.arange(len(ids)), following] = 1
        return logits

    def logits_after(self, ids: list[int], tokens: list[int], cut: Cut = FULL) -> NDArray[np.float32]:
        """The last rows of `logits` of all ids; shape (len(tokens), vocabulary)."""
        return self.logits([*ids, *tokens], cut)[len(ids) :]

    def score(self, ids: list[int], cut: Cut = FULL) -> NDArray[np.float64]:
        """Log-probabilities by `logits`, shape (len(ids) - 1,)."""
        return log_probabilities(self.logits(ids, cut), ids)

    def hidden(self, ids: list[int]) -> NDArray[np.float32]:
        """One at the id itself, zero elsewhere; shape (len(ids), vocabulary)."""
        check_prompt(ids, self.info)
        return np.eye(VOCABULARY, dtype=np.float32)[ids]

    def redundancy(self, ids: list[int], cut: Cut = FULL) -> Redundancy:
        """Not to be had."""
        raise RequestError("echo runs no model, so it has no layers to compare", fix="use torch or mlx")

    def shape(self, cut: Cut = FULL) -> Shape:
        """Nothing is read and nothing is multiplied."""
        return Shape(
            layers=(),
            head_weights=0,
            head_bytes=0,
            row_bytes=0,
            number_bytes=0,
        )

    def synchronize(self) -> None:
        """Nothing is ever left to do."""

    def close(self) -> None:
        """Nothing to free."""


def _next_id(ids: Sequence[int]) -> int:
    if START not in ids:
        return START
    prompt_tokens = ids.index(START)
    said = (len(ids) - prompt_tokens - 1) % prompt_tokens if prompt_tokens else 0
    return ids[said + 1] if said < prompt_tokens - 1 else EOS


def _burn(cpu_s: float) -> None:
    """Use so much CPU time of this thread. The only clock in this package: here it is the work itself."""
    end_s = time.thread_time() + cpu_s
    while time.thread_time() < end_s:
        pass
