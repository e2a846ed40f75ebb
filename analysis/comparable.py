"""What may stand in one comparison.

Joules of different boundary, or of a meter and of a model, are different things with the same unit.
They are never divided by each other.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from analysis.rows import Slot
from analysis.values import Withheld
from analysis.words import listed


@dataclass(frozen=True, kw_only=True)
class Unlike:
    """One thing that two figures do not have in common."""

    what: str
    first: str
    second: str

    def __str__(self) -> str:
        return f"{self.what} ({self.first} against {self.second})"


def unlike(first: Mapping[str, object], second: Mapping[str, object]) -> tuple[Unlike, ...]:
    """Every fact that differs, in the order of `first`; what is known of one side only differs too.

    Args:
        first: values by name, which are compared as they are; None where it is not known.
        second: the same names.
    """
    return tuple(
        Unlike(what=name, first=_words(value), second=_words(second[name]))
        for name, value in first.items()
        if value != second[name]
    )


def _words(value: object) -> str:
    return "unknown" if value is None or value == "" else str(value)


def known_of_neither(first: Mapping[str, object], second: Mapping[str, object]) -> tuple[str, ...]:
    """Facts that are known of neither side: nobody can say whether they are alike."""
    return tuple(name for name, value in first.items() if value is None and second[name] is None)


def unlike_joules(slots: Sequence[Slot]) -> Withheld | None:
    """Why the joules of these slots can't be compared with each other; None if they can."""
    boundaries = sorted({slot.boundary for slot in slots})
    if len(boundaries) > 1:
        return Withheld(f"joules of different boundaries ({listed(boundaries)}): no ratio between them")
    if len({slot.grade > 0 for slot in slots}) > 1:
        kinds = sorted({slot.kind for slot in slots})
        return Withheld(f"joules of a meter and joules of grade 0 ({listed(kinds)}): no ratio between them")
    return None


def lowest_grade(slots: Sequence[Slot]) -> int | None:
    """The grade that a figure made from all these slots has; None without slots."""
    return min((slot.grade for slot in slots), default=None)
