"""Joules per new token, arm by arm, beside what the ungated arm differs from itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from bench.report.figures.arms import ROW_IN, arm_looks, below, name_rows, no_joules, rows_of
from bench.report.figures.drawing import Drawing, NotDrawn
from bench.report.names import arm_label
from bench.report.slots import that_count
from bench.report.story import Story
from bench.show.plots import FAINT, GREY, INK, page_figure
from bench.show.words import significant

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def make(story: Story) -> Drawing | NotDrawn:
    """A point per window, the mean over blocks with its interval, and the A/A band per backend."""
    reason = no_joules(story)
    if reason is not None:
        return NotDrawn(reason)
    slots = slot_table(story)
    if slots.empty:
        return NotDrawn("no window has both joules and generated tokens; look at: bench report RUN")
    table = arm_table(story, slots)
    shown = [f"{row.arm} {row.mean_j:.4g}" for row in rows_of(table) if row.mean_j == row.mean_j]
    return Drawing(
        title=_finding(table),
        alt=f"Joules per generated token, mean over blocks: {', '.join(shown)}.",
        table=table,
        draw=lambda: _draw(story, slots, table),
    )


def _finding(table: pd.DataFrame) -> str:
    known = table.loc[table["mean_j"].notna() & ~table["a_a"]].sort_values("mean_j", kind="stable")
    if known.empty:
        return "Joules per generated token are not known of any configuration"
    least, most = known.iloc[0], known.iloc[-1]
    cost = f"{least['arm']} takes {significant(least['mean_j'])} J per generated token"
    if len(known) == 1:
        return cost
    return f"{cost}, the least; {most['arm']} takes {significant(most['mean_j'])} J, the most"


def slot_table(story: Story) -> pd.DataFrame:
    """One row per slot that has joules and new tokens."""
    import pandas as pd

    rows = [
        {"arm": s.arm, "block": s.block, "j_per_token": s.gross_j / s.new_tokens}
        for s in that_count(story.slots)
        if s.gross_j is not None and s.new_tokens
    ]
    return pd.DataFrame(rows, columns=["arm", "block", "j_per_token"])


def arm_table(story: Story, slots: pd.DataFrame) -> pd.DataFrame:
    """One row per arm as in the summary: mean over blocks, its 95 % interval, and the A/A noise beside it."""
    import pandas as pd

    blocks = slots.groupby("arm")["block"].nunique()
    rows = [
        {
            "arm": row.label,
            "backend": row.backend,
            "a_a": row.a_a,
            "blocks": int(blocks.get(row.label, 0)),
            "mean_j": row.joules_per_token,
            "low_j": row.joules_per_token_low,
            "high_j": row.joules_per_token_high,
            "noise_percent": story.summary.noise_percent(row.backend),
        }
        for row in story.summary.rows
    ]
    numbers = dict.fromkeys(("mean_j", "low_j", "high_j", "noise_percent"), "float64")
    return pd.DataFrame(rows).astype(numbers)


def _draw(story: Story, slots: pd.DataFrame, table: pd.DataFrame) -> Figure:
    figure, [[axes]] = page_figure(1.1 + ROW_IN * len(table))
    looks = arm_looks(story)
    for position, row in enumerate(rows_of(table)):
        look = looks[str(row.arm)]
        mine = slots.loc[slots["arm"] == row.arm, "j_per_token"]
        spread = np.linspace(-0.12, 0.12, len(mine)) if len(mine) > 1 else np.zeros(len(mine))
        axes.plot(
            mine, position + spread, look.marker, color=look.colour, mfc="none", ms=3.5, mew=0.7, alpha=0.6
        )
        axes.plot(row.mean_j, position, look.marker, color=look.colour, mfc=look.face, ms=6.5, zorder=4)
        if row.low_j == row.low_j:
            axes.plot([row.low_j, row.high_j], [position] * 2, "|-", color=INK, lw=1.4, ms=9, zorder=5)
    bands = _draw_bands(axes, story, table)
    name_rows(axes, list(table["arm"]))
    axes.set_xlim(left=0)
    axes.set_xlabel("energy per generated token (J)")
    _legend(figure, bands=bands)
    return figure


def _draw_bands(axes: Axes, story: Story, table: pd.DataFrame) -> bool:
    """Behind the arms of each backend: the ungated mean, give or take what it differs from itself."""
    baseline = story.readback.baseline
    drawn = False
    for backend in table["backend"].unique():
        rows = table.index[table["backend"] == backend]
        ungated = table.loc[table["arm"] == arm_label((str(backend), baseline, False))]
        if ungated.empty or np.isnan(ungated["noise_percent"].iloc[0]):
            continue
        mean_j = float(ungated["mean_j"].iloc[0])
        half_j = mean_j * float(ungated["noise_percent"].iloc[0]) / 100
        bottom, height = rows[0] - 0.28, len(rows) - 0.44
        axes.broken_barh([(mean_j - half_j, 2 * half_j)], (bottom, height), color=FAINT, zorder=0)
        axes.plot([mean_j] * 2, [bottom, bottom + height], color=GREY, linewidth=0.8, linestyle=":", zorder=1)
        drawn = True
    return drawn


def _legend(figure: Figure, *, bands: bool) -> None:
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    grey: dict[str, Any] = {"color": INK, "mfc": "none"}
    handles: list[Any] = [
        Line2D([], [], marker="o", linestyle="none", ms=3.5, **grey, label="one window"),
        Line2D([], [], marker="o", linestyle="-", ms=6.5, **grey, label="mean over blocks, 95 % interval"),
    ]
    if bands:
        handles.append(Patch(color=FAINT, label="baseline ± noise (A/A) of its backend"))
    below(figure, handles)
