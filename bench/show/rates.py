"""What joules are in money and in carbon, by a number that the user gives: none is known here.

amount = joules / 3,600,000 J per kWh * what the user says of a kWh
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bench.errors import UserError
from bench.show.words import kind_label, significant

JOULES_PER_KWH = 3.6e6
MILLION_TOKENS = "A million generated tokens"
_FORM = re.compile(r"\s*(\d+(?:\.\d+)?)\s*([A-Za-z€$£¥]{1,8})\s*/\s*kWh\s*")
_MASSES = ("g", "kg")


@dataclass(frozen=True, kw_only=True)
class Rate:
    """So much of something for a kilowatt-hour."""

    amount: float
    unit: str

    def __str__(self) -> str:
        """As it is typed."""
        return f"{self.amount:g} {self.unit}/kWh"

    def of(self, joules: float) -> float:
        """The amount for these joules, in `unit`."""
        return joules / JOULES_PER_KWH * self.amount


def given(*, price: str | None, carbon: str | None) -> tuple[Rate, ...]:
    """The numbers that were given, price first.

    Args:
        price: such as `0.30 EUR/kWh`.
        carbon: such as `400 g/kWh`, in g or kg.

    Raises:
        UserError: a number of another form.
    """
    rates = []
    if price is not None:
        rates.append(_parsed("--price", price, example="0.30 EUR/kWh"))
    if carbon is not None:
        rates.append(_parsed("--carbon", carbon, example="400 g/kWh"))
        if rates[-1].unit not in _MASSES:
            raise UserError(f"--carbon {carbon!r} is no mass", fix='give "400 g/kWh", or kg')
    return tuple(rates)


def lines(
    rates: Sequence[Rate], joules: Mapping[str, float | None], *, what: str, kinds: Sequence[str]
) -> list[str]:
    """A sentence for each number that was given.

    Args:
        rates: the numbers.
        joules: of `what`, by the name of who takes them; None is not measured.
        what: such as `A run`.
        kinds: of the joules.
    """
    known = {name: value for name, value in joules.items() if value is not None}
    said = []
    for rate in rates:
        each = [f"{significant(rate.of(value))} {rate.unit} ({name})" for name, value in known.items()]
        figures = ", ".join(each) or "not estimated"
        said.append(f"{what} at {rate} (your number): {figures}; joules {kind_label(kinds)}.")
    return said


def to_json(rates: Sequence[Rate], joules: Mapping[str, float | None], *, what: str) -> list[dict[str, Any]]:
    """The same for programs; null is not measured."""
    return [
        {
            "given": str(rate),
            "of": what,
            "unit": rate.unit,
            "amounts": {name: None if value is None else rate.of(value) for name, value in joules.items()},
        }
        for rate in rates
    ]


def _parsed(option: str, text: str, *, example: str) -> Rate:
    found = _FORM.fullmatch(text)
    if found is None:
        raise UserError(f"{option} {text!r} can't be read", fix=f'give it as "{example}"')
    return Rate(amount=float(found[1]), unit=found[2])
