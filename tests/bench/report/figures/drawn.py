"""Helpers to look at a drawn figure as a reader does."""

from __future__ import annotations

import pandas as pd
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Text

from bench.report.figures.catalogue import figure
from bench.report.figures.drawing import Drawing, NotDrawn
from bench.report.story import Story
from bench.show.plots import style


def drawing(name: str, story: Story) -> Drawing:
    found = figure(name, story)
    assert isinstance(found, Drawing), found
    return found


def table(name: str, story: Story) -> pd.DataFrame:
    return drawing(name, story).table


def reason(name: str, story: Story) -> str:
    found = figure(name, story)
    assert isinstance(found, NotDrawn), found
    assert found.name == name
    return found.reason


def row(frame: pd.DataFrame, arm: str) -> pd.Series:
    """The only row of an arm."""
    [index] = frame.index[frame["arm"] == arm]
    return frame.loc[index]


def overlapping_texts(found: Drawing) -> list[tuple[str, str]]:
    """Pairs of texts of which one lies on the other, and texts that leave the paper."""
    with style():
        drawn = found.draw()
        canvas = FigureCanvasAgg(drawn)
        canvas.draw()
        renderer = canvas.get_renderer()
        hidden = _beyond_the_ends(drawn)
        texts = [t for t in drawn.findobj(Text) if t.get_visible() and t.get_text().strip()]
        boxes = [(t.get_text(), t.get_window_extent(renderer)) for t in texts if t not in hidden]
    width, height = drawn.bbox.size
    pairs = [(text, "the edge") for text, box in boxes if _outside(box, width, height)]
    for i, (text, box) in enumerate(boxes):
        pairs += [(text, other) for other, its in boxes[i + 1 :] if _overlap(box, its)]
    return pairs


def _beyond_the_ends(figure: Figure) -> list[Text]:
    """Labels of ticks that lie beyond the ends of an axis: they exist and are not drawn."""
    found: list[Text] = []
    for axis in [axis for axes in figure.axes for axis in (axes.xaxis, axes.yaxis)]:
        low, high = sorted(axis.get_view_interval())
        slack = 1e-9 * (high - low)
        for tick in [*axis.get_major_ticks(), *axis.get_minor_ticks()]:
            if not low - slack <= tick.get_loc() <= high + slack:
                found += [tick.label1, tick.label2]
    return found


def _overlap(one, other) -> bool:
    across = min(one.x1, other.x1) - max(one.x0, other.x0)
    along = min(one.y1, other.y1) - max(one.y0, other.y0)
    return bool(across > 1 and along > 1)


def _outside(box, width: float, height: float) -> bool:
    return bool(box.x0 < -2 or box.y0 < -2 or box.x1 > width + 2 or box.y1 > height + 2)
