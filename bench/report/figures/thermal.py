"""Thermal pressure over time: a machine that gets hot measures itself and not the arm."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from bench.report.figures.arms import arm_looks, rows_of
from bench.report.figures.drawing import Drawing, NotDrawn
from bench.report.figures.timeline import LANE_IN, Timeline, draw_lanes, lane_names
from bench.report.story import Story
from bench.show.plots import COLOURS, GREY, page_figure, words

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

LEVELS = ("Nominal", "Moderate", "Heavy", "Trapping", "Sleeping")
"""As powermetrics words them, the coolest first."""


def make(story: Story) -> Drawing | NotDrawn:
    """The pressure that the meter told, with windows and idle below."""
    timeline = Timeline.of(story)
    if not any(s.lead.trace.thermal for s in story.readback.sources.values()):
        names = ", ".join(sorted({s.lead.info.name for s in story.readback.sources.values()})) or "the meter"
        reason = f"{names} does not tell thermal pressure; powermetrics does: bench run --energy powermetrics"
        return NotDrawn(reason)
    table = pressure_table(story, timeline)
    if table.empty:
        return NotDrawn("thermal pressure was told, but no reading that says when")
    if set(table["pressure"]) == {LEVELS[0]}:
        return NotDrawn(f"thermal pressure was {LEVELS[0]} all the time: nothing was throttled")
    seconds = (table["end_s"] - table["start_s"]).groupby(table["pressure"]).sum()
    spent = ", ".join(f"{words(state)} for {spent_s:.0f} s" for state, spent_s in seconds.items())
    return Drawing(
        title=_finding(seconds),
        alt=f"{spent}.",
        table=table,
        draw=lambda: _draw(story, timeline, table),
    )


def _finding(seconds: pd.Series[float]) -> str:
    warm = 100 * (1 - seconds.get(LEVELS[0], 0.0) / seconds.sum())
    return f"Thermal pressure was above {LEVELS[0]} for {warm:.0f} % of the time: those windows are suspect"


def pressure_table(story: Story, timeline: Timeline) -> pd.DataFrame:
    """One row for each time that the pressure stayed what it was, in seconds since the run's start."""
    import pandas as pd

    rows = []
    for number, sources in story.readback.sources.items():
        trace = sources.lead.trace
        if number not in timeline.begins_s or not trace.thermal:
            continue
        begins = [max(at_s, timeline.begins_s[number]) for at_s, _ in trace.thermal]
        edges = timeline.place(number, np.array([*begins, max(begins[-1], float(trace.end_s[-1]))]))
        for (_, state), start_s, end_s in zip(trace.thermal, edges[:-1], edges[1:], strict=True):
            rows.append({"session": number, "start_s": start_s, "end_s": end_s, "pressure": state})
    return pd.DataFrame(rows)


def _draw(story: Story, timeline: Timeline, table: pd.DataFrame) -> Figure:
    lanes_in = 0.1 + LANE_IN * len(lane_names(story, timeline))
    figure, grid = page_figure(
        2.2 + lanes_in, nrows=2, sharex=True, gridspec_kw={"height_ratios": [1.2, lanes_in]}
    )
    (above,), (ribbon,) = grid
    seen = set(table["pressure"])
    others = sorted(seen - set(LEVELS))
    top = max((LEVELS.index(state) for state in seen if state in LEVELS), default=0)
    levels = [*LEVELS[: max(top, 1) + 1], *others]
    _, unit_s = timeline.unit
    for row in rows_of(table):
        level = levels.index(str(row.pressure))
        x = [row.start_s / unit_s, row.end_s / unit_s]
        above.fill_between(x, -0.5, level, color=COLOURS[1] if level else GREY, alpha=0.25, linewidth=0)
        above.plot(x, [level] * 2, color=COLOURS[1] if level else GREY, linewidth=2.5, solid_capstyle="butt")
    above.set_yticks(range(len(levels)), [words(level) for level in levels])
    above.set_ylim(-0.5, len(levels) - 0.5)
    above.set_ylabel("thermal pressure")
    timeline.mark_sessions(above)
    draw_lanes(ribbon, story, timeline, arm_looks(story))
    timeline.label(ribbon)
    return figure
