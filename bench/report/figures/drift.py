"""The order of the slots and what drifted: each slot against the mean of its arm."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench.report.figures.arms import arm_legend, arm_looks, legend_in, no_joules, rows_of
from bench.report.figures.drawing import Drawing, NotDrawn
from bench.report.story import Story
from bench.show.plots import FAINT, GREY, page_figure

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MOST_NAMED_BLOCKS = 20


def make(story: Story) -> Drawing | NotDrawn:
    """A point per slot in the order of the run."""
    reason = no_joules(story)
    if reason is not None:
        return NotDrawn(reason)
    table = drift_table(story)
    relative = table["relative_percent"]
    alt = (
        f"{len(table)} slots in {table['block'].nunique()} blocks, "
        f"from {relative.min():+.1f} to {relative.max():+.1f} %."
    )
    return Drawing(
        title="Joules per pass of each slot against its arm's mean, in the order of the run",
        alt=alt,
        table=table,
        draw=lambda: _draw(story, table),
    )


def drift_table(story: Story) -> pd.DataFrame:
    """One row per slot with joules: where it ran, and by how much it lies off its arm's mean."""
    import pandas as pd

    prompts = len(story.readback.run.header.prompts.ids)
    table = pd.DataFrame(
        {
            "slot": slot.position + 1,
            "block": slot.block,
            "arm": slot.arm,
            "j_per_pass": slot.gross_j * prompts / slot.requests,
        }
        for slot in story.slots
        if slot.gross_j is not None and slot.requests
    )
    mean = table.groupby("arm")["j_per_pass"].transform("mean")
    return table.assign(relative_percent=100 * (table["j_per_pass"] / mean - 1))


def _draw(story: Story, table: pd.DataFrame) -> Figure:
    looks = {name: look for name, look in arm_looks(story).items() if name in set(table["arm"])}
    figure, [[axes]] = page_figure(3.0 + legend_in(looks))
    size = 5.0 if len(table) <= 150 else 3.0
    _mark_blocks(axes, table)
    axes.axhline(0, color=GREY, linewidth=0.8)
    for name, look in looks.items():
        mine = table.loc[table["arm"] == name]
        axes.plot(
            mine["slot"],
            mine["relative_percent"],
            look.marker,
            color=look.colour,
            mfc=look.face,
            ms=size,
            mew=0.7,
            linestyle="-" if len(table) <= 150 else "none",
            linewidth=0.5,
        )
    axes.set_xlabel("slot, in the order in which they ran")
    axes.set_ylabel("off the arm's mean (%)")
    axes.grid(visible=False, axis="x")
    arm_legend(figure, looks)
    return figure


def _mark_blocks(axes: Axes, table: pd.DataFrame) -> None:
    """Every other block is shaded, and numbered while there is room."""
    edges = table.groupby("block", sort=False)["slot"].agg(["min", "max"])
    for i, (block, first, last) in enumerate(rows_of(edges.reset_index())):
        if i % 2 == 0:
            axes.axvspan(first - 0.5, last + 0.5, color=FAINT, alpha=0.4, linewidth=0)
        if len(edges) <= MOST_NAMED_BLOCKS:
            axes.text(
                (first + last) / 2,
                1.01,
                f"block {block}" if len(edges) <= 8 else str(block),
                transform=axes.get_xaxis_transform(),
                ha="center",
                fontsize=7,
                color=GREY,
            )
    axes.set_xlim(0.5 - 0.01 * len(table), table["slot"].max() + 0.5 + 0.01 * len(table))
