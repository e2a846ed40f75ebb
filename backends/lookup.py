"""Prompt-lookup decoding: guess tokens by copying from the text, check several in one forward.

Where an answer repeats its prompt (code, summaries, quotations) the last tokens have been seen before, and
what followed then is a good guess. The model checks all guessed tokens in one forward and keeps those that
it would have said itself, so greedy decoding gives the same tokens from fewer forwards. (Speculative
decoding, arXiv 2211.17192; n-grams of the text as the draft are A. Saxena's prompt-lookup-decoding.)

`longest`   The longest run of up to `lookup_ngram` last tokens that occurred before, where it did so latest.
`copyspec`  The last `lookup_ngram` tokens and no fewer, where they occurred first: fewer guesses, of which
            more are right (CopySpec, arXiv 2502.08923).

The same means the same up to rounding: a forward of several tokens adds in another order than a forward of
one, and an exact tie of two logits may fall either way.
"""

from __future__ import annotations

from collections.abc import Callable

from backends.base import Generated
from backends.cut import Cut


class SeenText:
    """The text so far, with the n-grams that a rule looks for and the place after each of them."""

    def __init__(self, ids: list[int], cut: Cut) -> None:
        self._first = cut.lookup_rule == "copyspec"
        self._longest, self._shortest = cut.lookup_ngram, cut.lookup_ngram if self._first else 1
        self._ids: list[int] = []
        self._after: dict[tuple[int, ...], int] = {}
        for token in ids:
            self.append(token)

    def append(self, token: int) -> None:
        """Add one token."""
        # The runs that end before this token are entered only now, so that a search for the last
        # tokens finds an earlier occurrence and not themselves.
        for run in self._last_runs():
            if not (self._first and run in self._after):
                self._after[run] = len(self._ids)
        self._ids.append(token)

    def following(self, most: int) -> list[int]:
        """Up to `most` tokens that followed the last tokens at an earlier place."""
        for run in self._last_runs():
            if run in self._after:
                start = self._after[run]
                return self._ids[start : start + most]
        return []

    def _last_runs(self) -> list[tuple[int, ...]]:
        """The last tokens as runs, the longest first."""
        longest = min(self._longest, len(self._ids))
        return [tuple(self._ids[-length:]) for length in range(longest, self._shortest - 1, -1)]


def greedy_with_lookup(
    first: int,
    verify: Callable[[list[int]], list[int]],
    drop: Callable[[int], None],
    *,
    ids: list[int],
    cut: Cut,
    max_new_tokens: int,
    eos_ids: frozenset[int],
) -> Generated:
    """Greedy decoding in which each forward checks a guess; it ends at the end-of-sequence token itself.

    Args:
        first: The token after the prompt.
        verify: Runs one forward of the given tokens and returns the greedy token after each of them.
        drop: Removes that many of the last positions from the cache.
        ids: The prompt.
        cut: Its `lookup_rule`, `lookup_ngram` and `lookup_tokens` are used.
        max_new_tokens: New tokens at most, the first one included.
        eos_ids: Tokens that end the text; empty to generate exactly `max_new_tokens`.
    """
    seen = SeenText([*ids, first], cut)
    tokens, drafts = [first], list[tuple[int, int]]()
    while len(tokens) < max_new_tokens and tokens[-1] not in eos_ids:
        # A forward gives one token more than was guessed.
        guess = seen.following(min(cut.lookup_tokens, max_new_tokens - len(tokens) - 1))
        said = verify([tokens[-1], *guess])
        right = _equal_from_the_start(guess, said)
        drop(len(guess) - right)
        drafts.append((len(guess), right))
        for token in said[: right + 1]:
            seen.append(token)
            tokens.append(token)
            if token in eos_ids:
                break
    return Generated(tokens=tokens, forwards=len(drafts), drafts=tuple(drafts))


def _equal_from_the_start(guess: list[int], said: list[int]) -> int:
    return next((n for n, (a, b) in enumerate(zip(guess, said, strict=False)) if a != b), len(guess))
