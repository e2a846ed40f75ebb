"""A figure of the tests' own."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pandas as pd

from bench.report.figures.drawing import Drawing, NotDrawn
from bench.report.story import Story
from bench.show import plots

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def one_stub(story: Story) -> Iterator[Drawing | NotDrawn]:
    """One figure that is drawn, and one that is not."""
    yield Drawing(
        name="stub",
        title="A <b>stub</b>, modelled, NOT a measurement",
        alt='A line "from" 1 to 2 <b>W</b>',
        table=pd.DataFrame({"arm": ["=cmd", "plain"], "power (W)": [1.0, None]}),
        draw=_line,
    )
    yield NotDrawn("there is <nothing> to draw", "missing")


def nothing(story: Story) -> list[Drawing | NotDrawn]:
    """No figure at all."""
    return [NotDrawn("not this time", "stub")]


def _line() -> Figure:
    figure, axes = plots.page_figure(2.0)
    axes[0, 0].plot([1, 2], [1, 2])
    return figure
