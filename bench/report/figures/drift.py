"""The order of the slots and what drifted: each slot against the mean of its arm."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench.report.figures.arms import arm_legend, arm_looks, legend_in, no_joules, rows_of
from bench.report.figures.drawing import Drawing, NotDrawn
from bench.report.story import Story
from bench.show.plots import FAINT, GREY, INK, letters_a_line, page_figure

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MEAN = "mean of a block"
FEWEST_BLOCKS = 3
"""Below them a slope is chance."""


def make(story: Story) -> Drawing | NotDrawn:
    """A point per window in the order of the run."""
    reason = no_joules(story)
    if reason is not None:
        return NotDrawn(reason)
    table = drift_table(story)
    blocks = table["block"].nunique()
    if blocks < FEWEST_BLOCKS:
        return NotDrawn(
            f"drift needs {FEWEST_BLOCKS} blocks, and this run has {blocks}; more: bench run --resume RUN"
        )
    relative = table["relative_percent"]
    alt = (
        f"{len(table)} windows in {table['block'].nunique()} blocks, "
        f"from {relative.min():+.1f} to {relative.max():+.1f} %."
    )
    return Drawing(
        title=_finding(table),
        alt=alt,
        table=table,
        draw=lambda: _draw(story, table),
    )


def _finding(table: pd.DataFrame) -> str:
    """How far the last third of the blocks lies from the first."""
    by_block = table.groupby("block")["relative_percent"].mean()
    third = max(1, len(by_block) // 3)
    moved = round(float(by_block.iloc[-third:].mean() - by_block.iloc[:third].mean()), 1) + 0.0
    spread = table["relative_percent"].abs().max()
    return (
        f"From the first third of the run to the last, joules moved by {moved:+.1f} %; "
        f"no window is more than {spread:.1f} % off its configuration's mean"
    )


def drift_table(story: Story) -> pd.DataFrame:
    """One row per slot with joules: where it ran, and by how much it lies off its arm's mean."""
    import pandas as pd

    prompts = len(story.readback.run.header.prompts.ids)
    table = pd.DataFrame(
        {
            "window": slot.position + 1,
            "block": slot.block,
            "arm": slot.arm,
            "j_per_repeat": slot.gross_j * prompts / slot.requests,
        }
        for slot in story.slots
        if slot.gross_j is not None and slot.requests
    )
    mean = table.groupby("arm")["j_per_repeat"].transform("mean")
    return table.assign(relative_percent=100 * (table["j_per_repeat"] / mean - 1))


def _draw(story: Story, table: pd.DataFrame) -> Figure:
    from matplotlib.lines import Line2D

    looks = {name: look for name, look in arm_looks(story).items() if name in set(table["arm"])}
    figure, [[axes]] = page_figure(3.0 + legend_in([*looks, MEAN]))
    size = 5.0 if len(table) <= 150 else 3.0
    _mark_blocks(axes, table)
    axes.axhline(0, color=GREY, linewidth=0.8)
    for name, look in looks.items():
        mine = table.loc[table["arm"] == name]
        axes.plot(
            mine["window"],
            mine["relative_percent"],
            look.marker,
            color=look.colour,
            mfc=look.face,
            ms=size,
            mew=0.7,
            linestyle="none",
            alpha=0.7,
        )
    middle = table.groupby("block")[["window", "relative_percent"]].mean()
    axes.plot(middle["window"], middle["relative_percent"], color=INK, linewidth=1.8, zorder=4)
    axes.set_xlabel("window, in the order in which they ran")
    axes.set_ylabel("off its mean (%)")
    axes.grid(visible=False, axis="x")
    arm_legend(figure, looks, extra=[Line2D([], [], color=INK, linewidth=1.8, label=MEAN)])
    return figure


def _mark_blocks(axes: Axes, table: pd.DataFrame) -> None:
    """Every other block is shaded, and numbered while there is room."""
    edges = table.groupby("block", sort=False)["window"].agg(["min", "max"])
    for i, (block, first, last) in enumerate(rows_of(edges.reset_index())):
        if i % 2 == 0:
            axes.axvspan(first - 0.5, last + 0.5, color=FAINT, alpha=0.4, linewidth=0)
        if 5 * len(edges) <= letters_a_line():
            axes.text(
                (first + last) / 2,
                1.01,
                f"block {block}" if 11 * len(edges) <= letters_a_line() else str(block),
                transform=axes.get_xaxis_transform(),
                ha="center",
                color=GREY,
            )
    axes.set_xlim(0.5 - 0.01 * len(table), table["window"].max() + 0.5 + 0.01 * len(table))
