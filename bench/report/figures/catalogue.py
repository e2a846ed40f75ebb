"""The figures of a run by name, in the order in which they tell its story; imported when asked for."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module

from bench.errors import UserError, nearest
from bench.report.figures.drawing import Draughtsman, Drawing, NotDrawn
from bench.report.figures.names import NAMES
from bench.report.story import Story

FIGURES = NAMES
"""Name -> module; each has a function `make`."""


def figure(name: str, story: Story) -> Drawing | NotDrawn:
    """One figure of a run.

    Raises:
        UserError: there is none of that name.
    """
    if name not in FIGURES:
        raise UserError(
            f"unknown figure {name!r}", fix=f"{nearest(name, FIGURES)}; list them: bench plot RUN"
        )
    make: Draughtsman = import_module(FIGURES[name]).make
    return make(story)


def figures(story: Story) -> Iterator[Drawing | NotDrawn]:
    """All figures of a run, one after the other."""
    for name in FIGURES:
        yield figure(name, story)
