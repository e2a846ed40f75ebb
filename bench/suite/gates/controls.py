"""Gates that a clever gate must beat: none, chance, prompt length, and the same for everybody."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from bench.suite.gates.base import FULL, SMALL, Budget, Gate, TwoWay


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
class Random:
    """Deals budgets out by a draw from the prompt's ids; knows nothing else of it."""

    shares: tuple[tuple[Budget, float], ...]
    """Budgets with their shares, which add up to 1."""
    seed: int
    matches: str | None

    @property
    def budgets(self) -> tuple[Budget, ...]:
        """All that can be drawn; those of the controlled gate where there is one."""
        return () if self.matches else tuple(budget for budget, _ in self.shares)

    def decide(self, ids: Sequence[int]) -> Budget:
        """The budget that the prompt draws, the same in every pass."""
        left = _draw(ids, self.seed)
        for budget, share in self.shares:
            if left < share:
                return budget
            left -= share
        return self.shares[-1][0]

    def matched(self, controlled: Gate, prompts: Sequence[Sequence[int]]) -> Gate:
        """Deal out exactly the budgets that `controlled` gives on these prompts, to other prompts.

        On the set itself the counts are equal, not only in the mean: the prompts are put in the order of
        their draws, and the budgets dealt in that order.
        """
        dealt = [controlled.decide(ids) for ids in prompts]
        order = sorted(range(len(prompts)), key=lambda i: _draw(prompts[i], self.seed))
        by_ids = {tuple(prompts[place]): budget for place, budget in zip(order, dealt, strict=True)}
        return Dealt(by_ids=by_ids)


@dataclass(frozen=True, kw_only=True)
class Dealt:
    """A budget for each prompt of a set, written down beforehand."""

    by_ids: dict[tuple[int, ...], Budget]

    @property
    def budgets(self) -> tuple[Budget, ...]:
        """All that were dealt."""
        return tuple(dict.fromkeys(self.by_ids.values()))

    def decide(self, ids: Sequence[int]) -> Budget:
        """The budget that was dealt to the prompt."""
        return self.by_ids[tuple(ids)]


def _draw(ids: Sequence[int], seed: int) -> float:
    """A number in [0, 1) from a prompt's ids."""
    text = f"{seed}:{','.join(map(str, ids))}"
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") / 2**64


@dataclass(frozen=True, kw_only=True)
class Length(TwoWay):
    """Small for prompts up to a number of tokens."""

    tokens: int

    def is_small(self, ids: Sequence[int]) -> bool:
        """Whether this prompt gets the small budget."""
        return len(ids) <= self.tokens


def ungated(*, full: Budget = FULL) -> Ungated:
    """Always the full budget: the baseline.

    Args:
        full: what every prompt gets.
    """
    return Ungated(full=full)


def random(
    *,
    rate: float | None = None,
    matches: str | None = None,
    seed: int = 0,
    full: Budget = FULL,
    small: Budget = SMALL,
) -> Random:
    """Small budget at a fixed rate, or (`matches = "gate"`) that gate's very budgets dealt out by chance.

    Args:
        rate: share of prompts that get the small budget, e.g. 0.5.
        matches: label of the gate whose decisions are dealt out anew, instead of a rate.
        seed: of the draw.
        full: budget of the other prompts.
        small: the small budget.
    """
    if (rate is None) == (matches is None):
        raise ValueError("give either a rate, such as rate = 0.5, or the gate that it matches")
    if rate is not None and not 0 <= rate <= 1:
        raise ValueError(f"rate = {rate} lies outside 0 to 1")
    share = rate or 0.0
    return Random(shares=((small, share), (full, 1 - share)), seed=seed, matches=matches)


def constant(*, budget: Budget) -> Ungated:
    """The same budget for every prompt, such as { model = "small" } or { cut = { kv_keep = 0.5 } }.

    Args:
        budget: what every prompt gets.
    """
    return Ungated(full=budget)


def length(*, tokens: int, full: Budget = FULL, small: Budget = SMALL) -> Length:
    """Small budget for prompts of at most `tokens` tokens.

    Args:
        tokens: longest prompt that gets the small budget.
        full: budget of the longer ones.
        small: the small budget.
    """
    if tokens < 1:
        raise ValueError(f"tokens = {tokens} must be at least 1")
    return Length(full=full, small=small, tokens=tokens)
