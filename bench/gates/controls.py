"""Gates that a clever gate must beat: none, chance at a rate, and prompt length."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from bench.gates.base import FULL, SMALL, Budget, TwoWay


@dataclass(frozen=True, kw_only=True)
class Ungated:
    """Always the full budget."""

    full: Budget

    @property
    def budgets(self) -> tuple[Budget, ...]:
        """The one budget."""
        return (self.full,)

    def decide(self, ids: Sequence[int]) -> Budget:
        """The full budget, whatever the prompt."""
        return self.full


@dataclass(frozen=True, kw_only=True)
class Random(TwoWay):
    """Small for a share of prompts that is drawn from their ids."""

    rate: float
    seed: int

    def is_small(self, ids: Sequence[int]) -> bool:
        """Whether this prompt gets the small budget."""
        text = f"{self.seed}:{','.join(map(str, ids))}"
        draw = int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") / 2**64
        return draw < self.rate


@dataclass(frozen=True, kw_only=True)
class Length(TwoWay):
    """Small for prompts up to a number of tokens."""

    tokens: int

    def is_small(self, ids: Sequence[int]) -> bool:
        """Whether this prompt gets the small budget."""
        return len(ids) <= self.tokens


def ungated(*, full: Budget = FULL) -> Ungated:
    """Always the full budget: the baseline."""
    return Ungated(full=full)


def random(*, rate: float, seed: int = 0, full: Budget = FULL, small: Budget = SMALL) -> Random:
    """Small budget for a random share of the prompts; a prompt's draw is the same in every pass."""
    if not 0 <= rate <= 1:
        raise ValueError(f"rate = {rate} lies outside 0 to 1")
    return Random(full=full, small=small, rate=rate, seed=seed)


def length(*, tokens: int, full: Budget = FULL, small: Budget = SMALL) -> Length:
    """Small budget for prompts of at most `tokens` tokens."""
    if tokens < 1:
        raise ValueError(f"tokens = {tokens} must be at least 1")
    return Length(full=full, small=small, tokens=tokens)
