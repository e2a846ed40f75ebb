"""What no sentence may have in it, whichever command says it."""

from __future__ import annotations

import re

BAD = (
    re.compile(r"(?<![\d.])1 (?:more )?(?:prompt|block|answer|token|window)s\b"),
    re.compile(r"(?<![\d.])(?:[02-9]|\d\d+) (?:more )?(?:prompt|block|answer)\b"),
    re.compile(r"per cent|percent|\d%"),
    re.compile(r"-0\.0+\b(?!\d)|-0 %"),
    re.compile(r"\bNone\b|\bnan\b|\binf\b|withheld|\bslot|\barm\b|  |\.\.|;\."),
)


def check(text: str) -> None:
    """Fail on a sentence that is badly put."""
    for rule in BAD:
        assert not rule.search(text), text
