"""A smaller model that guesses tokens for `backends.speculation`: the classic draft model.

It reads the prompt too, in a prefill of its own, and then says its own greedy tokens, `draft_tokens` of them
before each check. What it held of a guess that was wrong leaves its cache. All that it runs is counted
beside what the model that checks runs: two models have to be read for every token that is kept.
"""

from __future__ import annotations

from backends.base import BackendInfo, RequestError
from backends.library import Drop, Verify
from backends.loop import shared_beginning


class DraftModel:
    """A model as a source of guesses, for one request after its prefill."""

    def __init__(self, verify: Verify, drop: Drop, *, tokens: int, vocabulary: int) -> None:
        """It guesses so many `tokens` at most, none of which is `vocabulary` or above."""
        self._verify, self._drop = verify, drop
        self._tokens, self._vocabulary = tokens, vocabulary
        self._text: list[int] = []
        self._held: list[int] = []
        """What its cache holds after the prompt."""
        self.fed: list[tuple[int, int]] = []
        """As `backends.base.Generated` has it."""

    def append(self, token: int) -> None:
        """The text goes on with this token."""
        self._text.append(token)

    def following(self, most: int) -> list[int]:
        """The tokens that it would say itself; none after one that it has no row for."""
        most = min(most, self._tokens)
        if most < 1 or max(self._text) >= self._vocabulary:
            return []
        self._drop_wrong()
        guesses, feed = list[int](), self._text[len(self._held) :]
        while len(guesses) < most:
            said = self._verify(feed)[-1]
            self._held += feed
            self.fed.append((len(feed), len(feed)))
            if said >= self._vocabulary:
                break
            guesses.append(said)
            feed = [said]
        return guesses

    def _drop_wrong(self) -> None:
        """Forget what is not in the text."""
        wrong = len(self._held) - shared_beginning(self._held, self._text)
        if wrong:
            self._drop(wrong)
            self._held = self._held[:-wrong]
            fed, stay = self.fed[-1]
            self.fed[-1] = (fed, stay - wrong)


def check_draft(
    draft: str, info: BackendInfo, forgetful: set[str], tokens: tuple[dict[str, int], dict[str, int]]
) -> None:
    """Raise `RequestError` where a model can't guess for another.

    Args:
        draft: Its key.
        info: Of the model that guesses.
        forgetful: Kinds of its layers' caches that do not hold all positions.
        tokens: Every token with its id: of the one that guesses, and of the one that checks.
    """
    if forgetful:
        raise RequestError(
            f"{info.backend}: draft needs layers that hold all positions, but {draft!r}, of type "
            f"{info.architecture!r}, has {', '.join(sorted(forgetful))}",
            fix="let another model guess",
        )
    ours, theirs = tokens
    if ours != theirs:
        apart = [token for token in sorted({*ours, *theirs}) if ours.get(token) != theirs.get(token)]
        raise RequestError(
            f"draft = {draft!r} has other tokens: {len(apart)} of them, such as {apart[0][:40]!r}, are not "
            "those of the model that checks its guesses",
            fix="let a model with the same tokenizer guess",
        )
