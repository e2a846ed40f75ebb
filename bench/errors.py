"""Errors that the command line turns into one line and an exit code.

    BenchError
    ├── UserError    exit 2: something typed or written in a suite can't work; nothing was started
    ├── RunFailed    exit 1: the run started and could not go on
    │   └── NoJoules         its meter can never give any
    └── Interrupted  exit 130: Ctrl-C

Each says what happened, with the value, and apart from it what to type next; `backends.base` and
`energy.base` have errors of the same form.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class BenchError(Exception):
    """Base of the errors that a user can act on."""

    def __init__(self, what: str, *, fix: str | None = None) -> None:
        """`what` happened, with the value; `fix` is what to type next."""
        super().__init__(what if fix is None else f"{what}; {fix}")
        self.what = what
        self.fix = fix


class UserError(BenchError):
    """A mistake in what was asked for. Raised before anything is started or written."""


class RunFailed(BenchError):
    """A run that had started could not go on."""


class NoJoules(RunFailed):
    """A run whose meter can never give joules; nothing of it is kept."""


class Interrupted(BenchError):
    """Ctrl-C during a run; what was measured is kept."""


def nearest(word: str, known: Iterable[str]) -> str:
    """A hint for an unknown word: the closest known one, or the whole list."""
    names = sorted(known)
    close = difflib.get_close_matches(word, names, n=1)
    return f"did you mean {close[0]!r}?" if close else f"known: {', '.join(names) or 'none'}"
