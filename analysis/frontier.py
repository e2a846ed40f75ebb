"""Cost against quality: which points of a sweep are worth having, and where quality gives way."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from analysis.rows import Trade
from analysis.values import Withheld
from analysis.words import listed

CLIFF_RISE = 0.01
"""Rise in perplexity that counts as the cliff, as a fraction."""


def pareto(points: Sequence[Trade]) -> tuple[Trade, ...]:
    """Points that no other one beats in cost without losing more; the cheapest first.

    A point whose cut took no effect is left out: it is the ungated model under another name.
    """
    active = [point for point in points if not point.inactive]
    ranked = sorted(active, key=lambda p: (p.cost, p.loss))
    best_before = np.minimum.accumulate([np.inf, *(p.loss for p in ranked)])
    return tuple(p for p, best in zip(ranked, best_before[:-1], strict=True) if p.loss < best)


def cliff(points: Sequence[Trade], *, rise: float = CLIFF_RISE) -> float | Withheld:
    """The largest kept fraction at which perplexity lies more than `rise` above the ungated one's.

    A value of the swept grid, so it is exact to a step of it. Withheld without the ungated point
    (strength 1.0), where the cut took no effect, and where quality holds all the way down.
    """
    ungated = [point for point in points if point.strength == 1.0]
    cut = [point for point in points if point.strength < 1.0]
    if not ungated or not cut:
        return Withheld("a cliff needs the ungated point (kappa 1.0) and at least one cut")
    inactive = [p.label for p in cut if p.inactive or p.loss == ungated[0].loss]
    if len(inactive) == len(cut):
        return Withheld("gate inactive: every cut gave the ungated perplexity, so there is no cliff to find")
    if inactive:
        return Withheld(f"gate inactive at {listed(inactive)}: the sweep has holes where the cliff may lie")
    fallen = [point.strength for point in cut if point.loss > ungated[0].loss * (1 + rise)]
    if not fallen:
        return Withheld(
            f"no cliff down to {min(p.strength for p in cut)}: perplexity stays within {100 * rise:.0f} %"
        )
    return max(fallen)
