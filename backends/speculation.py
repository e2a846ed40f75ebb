"""Speculative decoding: tokens are guessed, and the model checks several of them in one forward.

The model keeps the guesses that it would have said itself, so greedy decoding gives the same tokens from
fewer forwards. (Leviathan et al., arXiv 2211.17192, with greedy acceptance.) Who guesses is a `Source`:
`backends.lookup` copies from the text, `backends.drafting` asks a smaller model.

The same means the same up to rounding: a forward of several tokens adds in another order than a forward of
one, and an exact tie of two logits may fall either way.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from backends.base import Generated
from backends.library import Drop, Verify


class Source(Protocol):
    """Who guesses; it is told of every token that the model has said."""

    def append(self, token: int) -> None:
        """The text goes on with this token."""

    def following(self, most: int) -> list[int]:
        """Up to `most` tokens that may follow; none where it has no idea."""


def greedy_with_guesses(
    first: int,
    verify: Verify,
    drop: Drop,
    *,
    sources: Sequence[Source],
    max_new_tokens: int,
    eos_ids: frozenset[int],
) -> Generated:
    """Greedy decoding in which each forward checks a guess; it ends at the end-of-sequence token itself.

    Args:
        first: The token after the prompt.
        verify: Of the model.
        drop: Of its cache.
        sources: Know the prompt. The first that has a guess is followed.
        max_new_tokens: New tokens at most, the first one included.
        eos_ids: Tokens that end the text; empty to generate exactly `max_new_tokens`.
    """
    tokens, drafts = list[int](), list[tuple[int, int]]()
    said, right = [first], 0
    while True:
        for token in said[: right + 1]:
            tokens.append(token)
            for source in sources:
                source.append(token)
            if token in eos_ids:
                break
        if len(tokens) >= max_new_tokens or tokens[-1] in eos_ids:
            return Generated(tokens=tokens, forwards=len(drafts), drafts=tuple(drafts))
        # A forward gives one token more than was guessed.
        most = max_new_tokens - len(tokens) - 1
        guess = next((found for source in sources if (found := source.following(most))), [])
        said = verify([tokens[-1], *guess])
        right = _equal_from_the_start(guess, said)
        drop(len(guess) - right)
        drafts.append((len(guess), right))


def _equal_from_the_start(guess: list[int], said: list[int]) -> int:
    return next((n for n, (a, b) in enumerate(zip(guess, said, strict=False)) if a != b), len(guess))
