"""How the figures of a run are worded: the same on the terminal, on the page, in titles and in files."""

from __future__ import annotations

import math
from collections.abc import Iterable

WIDE = 110
"""Columns of a terminal from which on figures stand beside each other; in fewer they would be cut."""


def kind_label(kinds: Iterable[str]) -> str:
    """What joules are, as it stands in every title: `measured`, `modelled, NOT a measurement`."""
    known = sorted(set(kinds) - {"none"})
    if not known:
        return "no joules"
    return " and ".join(known) + ("" if known == ["measured"] else ", NOT a measurement")


def number(value: float | None, digits: int) -> str | None:
    """With so many decimals."""
    return None if value is None else f"{value:.{digits}f}"


def significant(value: float | None) -> str | None:
    """With three digits that say something."""
    return None if value is None else f"{value:#.3g}"


def share_percent(share: float) -> str:
    """A small share in percent: `0.00029 %`; one that is infinite comes of numbers that are not finite."""
    if not math.isfinite(share):
        return "more than can be said (some are not finite)"
    return f"{100 * share:.0f} %" if share > 0.1 else f"{100 * share:.2g} %"


def significant_range(value: float | None, low: float | None, high: float | None) -> tuple[str, str] | None:
    """A figure and its interval, to the digits that the interval leaves it: `0.59`, `0.57-0.61`.

    Between two and three digits of the figure. Without an interval, three and an empty text.
    """
    if value is None:
        return None
    if low is None or high is None or value <= 0:
        return f"{value:#.3g}".removesuffix("."), ""
    leading = math.floor(math.log10(value))
    needed = -math.floor(math.log10(max((high - low) / 2, value / 1e3)))
    decimals = max(0, min(max(needed, 1 - leading), 2 - leading))
    return f"{value:.{decimals}f}", f"{low:.{decimals}f}-{high:.{decimals}f}"


def joules(value: float | None) -> str | None:
    """Three digits for the joules of tiny runs, one decimal for others."""
    return None if value is None else f"{value:.1f}" if abs(value) >= 10 else f"{value:.3g}"


def bound(value_j: float | None, bound_j: float | None) -> str | None:
    """How far joules can be off, to the decimal of the joules; a bound never reads as nothing."""
    text = joules(value_j)
    if text is None or bound_j is None:
        return None
    rounded = f"{bound_j:.{len(text.partition('.')[2])}f}"
    return f"{bound_j:.1g}" if float(rounded) == 0 < bound_j else rounded


def percent(value: float | None, *, signed: bool = False) -> str | None:
    """One decimal, and no minus before a zero."""
    if value is None:
        return None
    rounded = round(value, 1) + 0.0
    return f"{rounded:+.1f} %" if signed else f"{rounded:.1f} %"


def spaced(form: str, value: float) -> str:
    """A value in a format such as `{:.1%}`, with a space before the per cent sign as everywhere."""
    return form.format(value).replace("%", " %")


def short_percent(value: float | None) -> str | None:
    """Two digits for a sentence: `45 %`, `3.1 %`, `0.0 %`; no minus before a zero."""
    if value is None:
        return None
    rounded = round(value, 0 if abs(value) >= 9.95 else 1) + 0.0
    return f"{rounded:.{0 if abs(value) >= 9.95 else 1}f} %"


def percent_range(low: float | None, high: float | None, *, unit: str = " %") -> str | None:
    """`42 to 47 %`, `33.8 to 34.3 %`: an interval as a sentence has it, both ends to the same decimal."""
    if low is None or high is None:
        return None
    width = abs(high - low)
    whole = width >= 10 or (width >= 2 and min(abs(low), abs(high)) >= 9.95)
    decimals = 0 if whole else 1
    first, last = (f"{round(end, decimals) + 0.0:.{decimals}f}" for end in (low, high))
    return f"{first} to {last}{unit}"
