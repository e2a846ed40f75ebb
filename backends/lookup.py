"""Prompt lookup: a source of guesses that copies from the text so far; see `backends.speculation`.

Where an answer repeats its prompt (code, summaries, quotations) the last tokens have been seen before, and
what followed then is a good guess. (N-grams of the text as the draft are A. Saxena's prompt-lookup-decoding.)

`longest`   The longest run of up to `lookup_ngram` last tokens that occurred before, where it did so latest.
`copyspec`  The last `lookup_ngram` tokens and no fewer, where they occurred first: fewer guesses, of which
            more are right (CopySpec, arXiv 2502.08923).
"""

from __future__ import annotations

from backends.cut import Cut


class SeenText:
    """The text so far, with the n-grams that a rule looks for and the place after each of them."""

    def __init__(self, ids: list[int], cut: Cut) -> None:
        self._first = cut.lookup_rule == "copyspec"
        self._longest, self._shortest = cut.lookup_ngram, cut.lookup_ngram if self._first else 1
        self._most = cut.lookup_tokens
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
        """Tokens that followed the last tokens at an earlier place: up to `most` and `lookup_tokens`."""
        for run in self._last_runs():
            if run in self._after:
                start = self._after[run]
                return self._ids[start : start + min(most, self._most)]
        return []

    def _last_runs(self) -> list[tuple[int, ...]]:
        """The last tokens as runs, the longest first."""
        longest = min(self._longest, len(self._ids))
        return [tuple(self._ids[-length:]) for length in range(longest, self._shortest - 1, -1)]
