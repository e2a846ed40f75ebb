"""What a figure is, wherever it is shown: a picture, the words that go with it, and the numbers behind it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bench.report.story import Story

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure


@dataclass(frozen=True, kw_only=True)
class Drawing:
    """One figure, ready to be drawn."""

    name: str
    """As on the command line and in file names: `power`, `joules-per-token`."""
    title: str
    """Says what it shows, in words that can stand alone; joules that are no measurement are called so."""
    alt: str
    """The same for somebody who can't see it: what is drawn and what it shows, with the main numbers."""
    table: pd.DataFrame
    """The numbers behind it; units are in the names of the columns."""
    draw: Callable[[], Figure]


@dataclass(frozen=True)
class NotDrawn:
    """Why a run has nothing for a figure, and what would give it."""

    name: str
    reason: str


Draughtsman = Callable[[Story], Drawing | NotDrawn]
