"""Where a saving comes from: fewer tokens, cheaper tokens, or a smaller fixed cost.

Each group of work (a model, or an arm) has a price list

    joules = fixed x requests + per_prompt_token x prompt tokens + per_new_token x new tokens

fitted over windows whose mix of tokens differs. A saving is then split by one rule: work that is no
longer done is priced at what it cost before, and work that is still done counts by how its price
changed. The parts add up to the whole of the fitted difference.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from analysis.regression import LinearFit, least_squares
from analysis.rows import Work
from analysis.values import Estimate, FloatArray, Withheld
from analysis.words import listed

UNITS = ("requests", "prompt_tokens", "new_tokens")


@dataclass(frozen=True, kw_only=True)
class Price:
    """What one group charges."""

    fixed_j: Estimate
    per_prompt_token_j: Estimate
    per_new_token_j: Estimate


@dataclass(frozen=True, kw_only=True)
class FittedCosts:
    """Price lists by group, and the fit that they come from."""

    prices: dict[str, Price]
    r2: float
    rows: int
    fit: LinearFit


@dataclass(frozen=True, kw_only=True)
class Counts:
    """Work of one group in one arm."""

    requests: int
    prompt_tokens: int
    new_tokens: int


@dataclass(frozen=True, kw_only=True)
class Split:
    """Joules saved (positive) over the counted work, and the parts that add up to them."""

    saved_j: Estimate
    fewer_new_tokens_j: Estimate
    fewer_prompt_tokens_j: Estimate
    cheaper_new_tokens_j: Estimate
    cheaper_prompt_tokens_j: Estimate
    fixed_cost_j: Estimate


def fit_costs(rows: Sequence[Work]) -> FittedCosts | Withheld:
    """Price lists of every group, from windows with known joules.

    Returns:
        The costs; withheld where joules are missing, rows too few, or the windows of a group have the
        same mix of tokens, so that their prices can't be told apart.
    """
    if any(row.joules_j is None for row in rows):
        return Withheld("a window without joules: its work can't be priced")
    groups = sorted({row.group for row in rows})
    if not groups:
        return Withheld("no window: nothing to price")
    joules = np.array([row.joules_j for row in rows], dtype=np.float64)
    if not np.all(joules > 0):
        return Withheld("a window with joules at or below zero: its work can't be priced")
    fit = least_squares(joules, _columns(rows, groups), relative=True)
    if isinstance(fit, Withheld):
        return Withheld(
            f"the windows of {listed(groups)} hold too few mixes of prompt and generated tokens "
            "to tell the fixed cost from the cost per token"
        )
    return FittedCosts(prices={g: _price(fit, g) for g in groups}, r2=fit.r2, rows=fit.rows, fit=fit)


def _columns(rows: Sequence[Work], groups: Sequence[str]) -> dict[str, FloatArray]:
    return {
        f"{group}.{unit}": np.array([getattr(row, unit) * (row.group == group) for row in rows], np.float64)
        for group in groups
        for unit in UNITS
    }


def _price(fit: LinearFit, group: str) -> Price:
    fixed, prompt, new = (fit.terms[f"{group}.{unit}"].value for unit in UNITS)
    return Price(fixed_j=fixed, per_prompt_token_j=prompt, per_new_token_j=new)


def split_saving(
    costs: FittedCosts, *, before: Mapping[str, Counts], after: Mapping[str, Counts]
) -> Split | Withheld:
    """Split the fitted saving of `after` over `before`, both group -> counted work.

    Each part is a linear combination of the fitted prices, so its interval comes from their joint
    covariance. With several groups in `before`, work is priced at their mean, weighted by the work.
    """
    unknown = sorted((set(before) | set(after)) - set(costs.prices))
    if unknown:
        return Withheld(f"no price list for {listed(unknown)}")
    if any(sum(getattr(c, unit) for c in before.values()) == 0 for unit in UNITS):
        return Withheld("the baseline did no work of some kind: its price there is unknown")
    fewer = {unit: _fewer(before, after, unit) for unit in UNITS}
    cheaper = {unit: _cheaper(before, after, unit) for unit in UNITS}
    everything = _sum_weights([*fewer.values(), *cheaper.values()])
    return Split(
        saved_j=costs.fit.contrast(everything),
        fewer_new_tokens_j=costs.fit.contrast(fewer["new_tokens"]),
        fewer_prompt_tokens_j=costs.fit.contrast(fewer["prompt_tokens"]),
        cheaper_new_tokens_j=costs.fit.contrast(cheaper["new_tokens"]),
        cheaper_prompt_tokens_j=costs.fit.contrast(cheaper["prompt_tokens"]),
        fixed_cost_j=costs.fit.contrast(_sum_weights([fewer["requests"], cheaper["requests"]])),
    )


def _fewer(before: Mapping[str, Counts], after: Mapping[str, Counts], unit: str) -> dict[str, float]:
    """(units before - units after), at the mean price before."""
    old, new = _total(before, unit), _total(after, unit)
    return {f"{g}.{unit}": getattr(c, unit) / old * (old - new) for g, c in before.items()}


def _cheaper(before: Mapping[str, Counts], after: Mapping[str, Counts], unit: str) -> dict[str, float]:
    """Units after, at the mean price before less their own price."""
    old, new = _total(before, unit), _total(after, unit)
    weights = {f"{g}.{unit}": getattr(c, unit) / old * new for g, c in before.items()}
    return _sum_weights([weights, {f"{g}.{unit}": -float(getattr(c, unit)) for g, c in after.items()}])


def _total(counts: Mapping[str, Counts], unit: str) -> int:
    return sum(int(getattr(c, unit)) for c in counts.values())


def _sum_weights(parts: Sequence[Mapping[str, float]]) -> dict[str, float]:
    names = {name for part in parts for name in part}
    return {name: sum(part.get(name, 0.0) for part in parts) for name in names}
