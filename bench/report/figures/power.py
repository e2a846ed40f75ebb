"""Power over time: what the meter saw while the configurations took turns."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from bench.report.figures.arms import arm_looks, below
from bench.report.figures.drawing import Drawing, NotDrawn
from bench.report.figures.timeline import LANE_IN, PHASES, PIXELS, Floats, Timeline, draw_lanes, lane_names
from bench.report.story import Story
from bench.run.joules import Readings
from bench.show.plots import DECODE, FAINT, GREY, INK, PREFILL, page_figure, words
from energy.boundary import total_j, total_w

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

LONGEST_WITH_RAILS_S = 180
"""Of longer runs the rails' lines are a carpet; their joules are in the figure `where`."""
RAIL_LINES = (
    *(("#7A4B94", "--"), ("#A0522D", ":"), ("#4D4D4D", "-.")),
    *(("#1B7837", (0, (5, 1))), ("#9E0142", (0, (1, 1)))),
)
"""Colours that no arm has."""


def make(story: Story) -> Drawing | NotDrawn:
    """Power of the rails and their total, with windows and idle below."""
    timeline = Timeline.of(story)
    if not timeline.begins_s:
        return NotDrawn("the meter left no readings; look at: bench doctor")
    table = envelope(story, timeline)
    return Drawing(
        title=_finding(story, table),
        alt=_alt(story, table),
        table=table,
        draw=lambda: _draw(story, timeline, table),
    )


def _finding(story: Story, table: pd.DataFrame) -> str:
    means = table["total_mean_w"].dropna()
    if means.empty:
        return "Power over time: no total, because a rail is missing"
    idle = story.readback.idle.judged
    rest = f", {idle.mean_w:.1f} W at rest" if idle.mean_w is not None else ""
    return f"Power over time: up to {table['total_highest_w'].max():.1f} W{rest}"


def envelope(story: Story, timeline: Timeline) -> pd.DataFrame:
    """Readings gathered in bins of about a pixel: mean, lowest and highest power, so that no peak is lost."""
    import pandas as pd

    parts = []
    for number, sources in story.readback.sources.items():
        if number in timeline.begins_s:
            columns = _binned(sources.lead, timeline.length_s / PIXELS)
            placed = {name: timeline.place(number, columns[name]) for name in ("start_s", "end_s")}
            parts.append(pd.DataFrame({"session": number, **columns, **placed}))
    return pd.concat(parts, ignore_index=True)


def _binned(readings: Readings, bin_s: float) -> dict[str, Floats]:
    """Columns of a session's bins; a bin that no reading begins in has no row."""
    trace, info = readings.trace, readings.info
    length_s = trace.end_s - trace.start_s
    whole_j, whole_w = total_j(trace, info.rails), total_w(trace, info.rails)
    bins = np.floor((trace.start_s - trace.start_s[0]) / max(bin_s, 1e-9))
    apart = np.concatenate([[True], trace.start_s[1:] - trace.end_s[:-1] > 1e-6])  # never across a gap
    first = np.flatnonzero(np.concatenate([[True], bins[1:] > bins[:-1]]) | apart)
    seconds = np.add.reduceat(length_s, first)
    columns = {
        "start_s": trace.start_s[first],
        "end_s": trace.end_s[np.append(first[1:] - 1, len(length_s) - 1)],
        "total_mean_w": np.add.reduceat(whole_j, first) / seconds,
        "total_lowest_w": np.fmin.reduceat(whole_w, first),
        "total_highest_w": np.fmax.reduceat(whole_w, first),
    }
    for index in [trace.rails.index(rail) for rail in info.rails if rail in trace.rails]:
        columns[f"{trace.rails[index]}_mean_w"] = np.add.reduceat(trace.joules[:, index], first) / seconds
    return columns


def _alt(story: Story, table: pd.DataFrame) -> str:
    if not table["total_mean_w"].notna().any():
        return "No total, because a rail is missing from every reading."
    idle = story.readback.idle.judged
    at_rest = f", {idle.mean_w:.2f} W at rest" if idle.mean_w is not None else ""
    return (
        f"Total between {table['total_lowest_w'].min():.2f} and "
        f"{table['total_highest_w'].max():.2f} W{at_rest}, over {table['end_s'].max():.0f} s in which "
        f"{len(story.slots)} windows of {len(story.readback.arms)} configurations took turns."
    )


def _draw(story: Story, timeline: Timeline, table: pd.DataFrame) -> Figure:
    lanes = len(lane_names(story, timeline))
    lanes_in = 0.1 + LANE_IN * lanes
    figure, grid = page_figure(
        3.3 + lanes_in, nrows=2, sharex=True, gridspec_kw={"height_ratios": [2.2, lanes_in]}
    )
    (above,), (ribbon,) = grid
    handles = _draw_power(above, timeline, table)
    above.set_ylabel("power (W)")
    above.set_ylim(bottom=0)
    timeline.mark_sessions(above)
    draw_lanes(ribbon, story, timeline, arm_looks(story))
    timeline.label(ribbon)
    below(figure, handles + (_phase_handles() if PHASES in lane_names(story, timeline) else []))
    return figure


def _draw_power(axes: Axes, timeline: Timeline, table: pd.DataFrame) -> list[Any]:
    """The total with its envelope, and the rails that draw anything; lines end where readings do."""
    _, unit_s = timeline.unit
    rails = [name for name in table.columns if name.endswith("_mean_w") and name != "total_mean_w"]
    can_be_seen = len(rails) > 1 and timeline.length_s < LONGEST_WITH_RAILS_S
    alive = [name for name in rails if table[name].max() > 0] if can_be_seen else []
    handles: list[Any] = []
    for stretch in _stretches(table):
        x = stretch["start_s"] / unit_s
        band = axes.fill_between(
            x, stretch["total_lowest_w"], stretch["total_highest_w"], color=FAINT, step="post", linewidth=0
        )
        (line,) = axes.step(x, stretch["total_mean_w"], where="post", color=INK, linewidth=0.9)
        thin = [
            axes.step(x, stretch[name], where="post", color=colour, linestyle=dashes, linewidth=0.9)[0]
            for name, (colour, dashes) in zip(alive, RAIL_LINES, strict=False)
        ]
        handles = [line, band, *thin]
    names = ["total", "lowest to highest reading", *(words(n.removesuffix("_mean_w")) for n in alive)]
    for handle, name in zip(handles, names, strict=True):
        handle.set_label(name)
    return handles


def _stretches(table: pd.DataFrame) -> list[pd.DataFrame]:
    """Rows that follow one another without a gap; the last is repeated at its end so that it has a width."""
    import pandas as pd

    begins = table["start_s"].to_numpy()
    ends = table["end_s"].to_numpy()
    cuts = np.flatnonzero((begins[1:] - ends[:-1] > 1e-6) | (np.diff(table["session"]) != 0)) + 1
    stretches = []
    for rows in np.split(np.arange(len(table)), cuts):
        piece = table.iloc[rows]
        last = piece.iloc[[-1]].assign(start_s=piece["end_s"].iloc[-1])
        stretches.append(pd.concat([piece, last]))
    return stretches


def _phase_handles() -> list[Any]:
    from matplotlib.patches import Patch

    return [
        Patch(facecolor=PREFILL, label="prefill (full height)"),
        Patch(facecolor=DECODE, label="decode (low)"),
        Patch(facecolor="none", edgecolor=GREY, label="neither"),
    ]
