"""A condition on comparisons for continuous integration: `costs > 2 %` or `saves < 10 %`, and no other.

It holds where it is shown: the whole 95 % interval fulfils it and, of `costs`, the effect exceeds the noise.
What is open holds nowhere, and nor does a comparison without an interval; both are said.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from analysis.verdict import Judgement
from bench.errors import UserError

_FORM = re.compile(r"\s*(costs)\s*>\s*(\d+(?:\.\d+)?)\s*%\s*|\s*(saves)\s*<\s*(\d+(?:\.\d+)?)\s*%\s*")


@dataclass(frozen=True, kw_only=True)
class Limit:
    """What must not be."""

    costs_above: float | None
    """It must not take more joules by more than this fraction;"""
    saves_below: float | None
    """or must not save less than this fraction."""

    def __str__(self) -> str:
        """As it is typed."""
        if self.costs_above is not None:
            return f"costs > {100 * self.costs_above:g} %"
        return f"saves < {100 * (self.saves_below or 0.0):g} %"

    def holds(self, judged: Judgement | None) -> bool:
        """Whether it is shown of a comparison; None: of sides that are unlike."""
        if judged is None or judged.ratio is None:
            return False
        if self.costs_above is not None:
            return judged.ratio.low > 1 + self.costs_above and bool(judged.exceeds_noise)
        return judged.ratio.low > 1 - (self.saves_below or 0.0)

    def words(self, name: str, judged: Judgement | None) -> str:
        """Whether it holds of what is called so, and why it can't be told."""
        if self.holds(judged):
            return f"{name}: {self} holds"
        if judged is None:
            return f"{name}: whether {self} can't be told: the sides are unlike"
        if judged.ratio is None:
            return f"{name}: whether {self} can't be told: {judged.reason}"
        return f"{name}: {self} is not shown"


def parsed(text: str) -> Limit:
    """The condition that was typed.

    Raises:
        UserError: it is not of this form.
    """
    found = _FORM.fullmatch(text)
    if found is None:
        raise UserError(
            f"--fail-on {text!r} is no condition", fix='the forms are "costs > 2 %" and "saves < 10 %"'
        )
    costs, above, _, below = found.groups()
    return Limit(
        costs_above=float(above) / 100 if costs else None, saves_below=None if costs else float(below) / 100
    )
