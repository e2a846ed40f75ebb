"""Which figures of a rail can't be true, and why. What can't be true is not measured: NaN, and a fault."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from energy import faults
from energy.decode import Columns

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]
Rows = NDArray[np.intp]


@dataclass(frozen=True)
class Doubt:
    """Consecutive readings, by their place among those that are judged, in which a rail is not measured."""

    rail: str
    kind: str
    first: int
    last: int
    detail: str


def judged(columns: Columns, rows: Rows, limit_w: float | None) -> tuple[Floats, list[Doubt]]:
    """The joules of some rows, shape (rows, rails), with NaN for what can't be true, and why.

    Args:
        columns: all documents.
        rows: those that are readings, in order.
        limit_w: watts that no rail can draw; None for a model, which has no counter that could fail.
    """
    joules = columns.joules[rows]
    doubts: list[Doubt] = []
    for number, rail in enumerate(columns.rails):
        for mask, kind, details in _doubts(columns, rows, number, limit_w):
            joules[mask, number] = np.nan
            doubts += [
                Doubt(rail, kind, first, last, details[first] if details else f"{rail} {_SAYS[kind]}")
                for first, last in faults.runs(mask)
            ]
    return joules, doubts


_SAYS = {
    "dead rail": "reads zero while it works",
    "frozen rail": f"has not moved for more than {faults.FROZEN_S:g} s: it is frozen, or switched off",
    "missing rail": "is not printed",
}

Found = tuple[Mask, str, dict[int, str]]
"""Readings, what is wrong with them, and what is known of single ones."""


def _doubts(columns: Columns, rows: Rows, number: int, limit_w: float | None) -> list[Found]:
    """What is wrong with one rail; each reading at most once, by what is most certain."""
    rail, joules = columns.rails[number], columns.joules[rows, number]
    elapsed_s, active_s = columns.elapsed_s[rows], columns.active_s[rows, number]
    watts = joules / elapsed_s
    too_much = watts > (np.inf if limit_w is None else limit_w)
    candidates = [
        *_said(columns, rows, rail),
        (joules < 0, "impossible figure", _each(joules < 0, joules, f"{rail} can't have used {{:.4g}} J")),
        (
            too_much,
            "implausible",
            _each(too_much, watts, f"{rail} can't have drawn {{:.4g}} W: {limit_w} W is the most"),
        ),
        (faults.dead(joules, active_s), "dead rail", {}),
        (
            _frozen(columns, rows, number) if limit_w is not None else np.zeros_like(too_much),
            "frozen rail",
            {},
        ),
        (np.isnan(joules), "missing rail", {}),
    ]
    explained = np.zeros(len(rows), dtype=np.bool_)
    once = []
    for mask, kind, details in candidates:
        once.append((mask & ~explained, kind, details))
        explained |= mask
    return once


def _frozen(columns: Columns, rows: Rows, number: int) -> Mask:
    """The neural engine is switched off for hours; any other counter that moved goes on moving."""
    if columns.rails[number] == "ane":
        return np.zeros(len(rows), dtype=np.bool_)
    return faults.frozen(
        columns.joules[rows, number], columns.elapsed_s[rows], columns.active_s[rows, number]
    )


def _said(columns: Columns, rows: Rows, rail: str) -> list[Found]:
    """What the documents themselves say wrongly of a rail."""
    place = {int(row): position for position, row in enumerate(rows)}
    by_kind: dict[str, dict[int, str]] = {}
    for row, fault in columns.rail_faults:
        if fault.rail == rail and row in place:
            by_kind.setdefault(fault.kind, {})[place[row]] = fault.detail
    return [
        (np.isin(np.arange(len(rows)), list(details)), kind, details) for kind, details in by_kind.items()
    ]


def _each(mask: Mask, values: Floats, words: str) -> dict[int, str]:
    return {int(row): words.format(values[row]) for row in np.flatnonzero(mask)}
