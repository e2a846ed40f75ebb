"""The greedy loop that every backend runs, and the checks before it.

One loop instead of one per library is what makes the work equal: the same number of
forwards, the same looks at the tokens, in the same order. A backend brings two functions,
one that queues a forward and one that fetches tokens from the device.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from backends.base import BackendInfo, Generated, RequestError, Session
from backends.cut import Cut

Token = TypeVar("Token")
Result = TypeVar("Result")


def check_prompt(ids: list[int], info: BackendInfo) -> None:
    """Raise `RequestError` unless `ids` is a prompt that the model can take."""
    if not ids:
        raise RequestError("the prompt has no tokens", fix="give it some text")
    if info.context is not None and len(ids) > info.context:
        raise RequestError(
            f"the prompt has {len(ids)} tokens, but the context is {info.context}", fix="shorten the prompt"
        )
    # Out of range, one library raises and another reads foreign memory.
    if min(ids) < 0 or max(ids) >= info.vocabulary:
        raise RequestError(
            f"token ids run from {min(ids)} to {max(ids)}, but the vocabulary is 0 to {info.vocabulary - 1}",
            fix="encode the prompt with this model's tokenizer",
        )


def check_cut(cut: Cut, ids: list[int]) -> None:
    """Raise `RequestError` unless the prompt `ids` is long enough for `cut`."""
    if cut.kv_keep < 1 and cut.kv_policy == "snapkv" and len(ids) < cut.snapkv_window:
        raise RequestError(
            f"snapkv looks at the last {cut.snapkv_window} tokens of the prompt, but it has {len(ids)}",
            fix=f"set snapkv_window to at most {len(ids)}, or use another kv_policy",
        )


def check_batch(batch: int, cut: Cut) -> None:
    """Raise `RequestError` unless so many equal rows can run under `cut`."""
    if batch < 1:
        raise RequestError(f"batch = {batch}", fix="give 1 or more")
    if batch > 1 and cut.guesses:
        raise RequestError(
            f"{cut.guesses[0]} looks at the tokens of one request, but the batch is {batch}",
            fix=f"set batch to 1, or leave {cut.guesses[0]} out",
        )


def chunks_of(tokens: int, most: int) -> list[int]:
    """Tokens of each forward of a prompt, none above `most`."""
    return [min(most, tokens - start) for start in range(0, tokens, most)]


def shared_beginning(one: Sequence[int], other: Sequence[int]) -> int:
    """How many tokens both begin with."""
    pairs = enumerate(zip(one, other, strict=False))
    return next((n for n, (a, b) in pairs if a != b), min(len(one), len(other)))


def check_model(cut: Cut, info: BackendInfo) -> None:
    """Raise `RequestError` unless the model can have `cut`: it has every layer, and no part refuses it."""
    for part in cut.added:
        part.check(info)
    named = max([-1, *cut.drop_attention, *cut.drop_mlp, *cut.drop_blocks])
    if named >= info.layers:
        raise RequestError(
            f"the cut leaves out layer {named}, but the model has layers 0 to {info.layers - 1}"
        )


def log_probabilities(logits: NDArray[np.float32], ids: list[int]) -> NDArray[np.float64]:
    """Natural log-probability of ids[1:] by `logits` (len(ids), vocabulary); shape (len(ids) - 1,)."""
    wide = logits[:-1].astype(np.float64)
    top = wide.max(axis=1, keepdims=True)
    total = top[:, 0] + np.log(np.exp(wide - top).sum(axis=1))
    return np.asarray(wide[np.arange(len(ids) - 1), ids[1:]] - total)


def open_session(session: Session, max_new_tokens: int, info: BackendInfo) -> Any:
    """Take the cache out of `session`, so that it is used once, and return it.

    Raises:
        RequestError: The session was used before, or the generated tokens don't fit the context.
    """
    if session.cache is None:
        raise RequestError("this session was decoded already", fix="call prefill again")
    if max_new_tokens < 1:
        raise RequestError(f"max_new_tokens = {max_new_tokens}", fix="ask for at least 1")
    # The last new token is never fed back, so it needs no position.
    positions = session.prompt_tokens + max_new_tokens - 1
    if info.context is not None and positions > info.context:
        raise RequestError(
            f"{session.prompt_tokens} prompt and {max_new_tokens} generated tokens need "
            f"{positions} positions, but the context is {info.context}",
            fix=f"ask for at most {info.context - session.prompt_tokens + 1} generated tokens",
        )
    cache, session.cache = session.cache, None
    return cache


class EqualRows:
    """Tokens of equal rows, of which the first stands for all; counts the others that say something else."""

    def __init__(self, fetch: Callable[[Sequence[Any]], list[list[int]]]) -> None:
        self._fetch = fetch
        self._unlike: set[int] = set()

    @property
    def unlike(self) -> int:
        """EqualRows that differed from the first in anything that was fetched."""
        return len(self._unlike)

    def fetch(self, tokens: Sequence[Any]) -> list[int]:
        """Ids of the first row, waited for."""
        first, *others = self._fetch(tokens)
        self._unlike |= {number for number, row in enumerate(others, start=1) if row != first}
        return first


def watched(call: Callable[[Token], Result], after: Callable[[], None] | None) -> Callable[[Token], Result]:
    """`call`, and `after` each time that it has returned."""
    if after is None:
        return call

    def then(tokens: Token) -> Result:
        result = call(tokens)
        after()
        return result

    return then


def waited_for(
    step: Callable[[Token], Token], fetch: Callable[[Sequence[Token]], list[int]]
) -> Callable[[Token], Token]:
    """`step`, which returns once the host has its token."""

    def and_fetched(token: Token) -> Token:
        new = step(token)
        fetch([new])
        return new

    return and_fetched


def greedy(
    first: Token,
    step: Callable[[Token], Token],
    fetch: Callable[[Sequence[Token]], list[int]],
    *,
    max_new_tokens: int,
    eos_ids: frozenset[int],
) -> Generated:
    """Queue forwards until `max_new_tokens` tokens exist or an end-of-sequence token is seen.

    Tokens stay on the device and are fetched once, at the end; with `eos_ids` they are looked at
    after generated tokens 1, 2, 4, 8 and so on, and the forwards that ran past the end are counted.

    Args:
        first: The token that prefill left on the device.
        step: Queues one forward of the given token and returns the next token, still on the device.
        fetch: Waits for tokens and returns their ids.
        max_new_tokens: New tokens at most, the first one included.
        eos_ids: Tokens that end the text; empty to generate exactly `max_new_tokens`.
    """
    queued = [first]
    looked_at = 0
    while len(queued) < max_new_tokens:
        if eos_ids and is_stop_check(len(queued)):
            if not eos_ids.isdisjoint(fetch(queued[looked_at:])):
                break
            looked_at = len(queued)
        queued.append(step(queued[-1]))
    return Generated(tokens=_through_eos(fetch(queued), eos_ids), forwards=len(queued) - 1)


def is_stop_check(new_tokens: int) -> bool:
    """Whether a natural stop looks at the tokens once `new_tokens` are queued (1, 2, 4, 8, 12, ...)."""
    return new_tokens in (1, 2) or new_tokens % 4 == 0


def _through_eos(tokens: list[int], eos_ids: frozenset[int]) -> list[int]:
    end = next((n for n, token in enumerate(tokens, start=1) if token in eos_ids), len(tokens))
    return tokens[:end]
