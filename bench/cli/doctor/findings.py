"""One thing that `bench doctor` looked at."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

State = Literal["good", "note", "bad", "unknown"]


@dataclass(frozen=True, kw_only=True)
class CheckResult:
    """One thing that was looked at."""

    what: str
    state: State
    """`bad`: no measurement can be made; `note`: one can, with a limit that is said."""
    found: str
    fix: str | None = None
    """The command that mends it, or what to do by hand."""


def unknown(what: str) -> CheckResult:
    """Nothing tells."""
    return CheckResult(what=what, state="unknown", found="unknown")
