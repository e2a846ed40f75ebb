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
    """One figure, ready to be drawn. The kit (`catalogue`) names it, labels it and writes its title."""

    name: str = ""
    """Of its entry point, as on the command line and in file names: `power`, `joules-per-token`."""
    title: str
    """Says what it shows, in words that can stand alone; the kit adds what the joules are."""
    alt: str
    """For somebody who can't see it, after the title: what the picture shows, with the main numbers."""
    table: pd.DataFrame
    """The numbers behind it; units are in the names of the columns."""
    draw: Callable[[], Figure]
    """Draws it without the title, which a page has in its own letters and a file on top."""
    joules: bool = True
    """Whether joules or watts are in it: then title and text say so where they are no measurement."""


@dataclass(frozen=True)
class NotDrawn:
    """Why a run has nothing for a figure, and what would give it."""

    reason: str
    name: str = ""
    """Of its entry point."""


Draughtsman = Callable[[Story], Drawing | NotDrawn]
