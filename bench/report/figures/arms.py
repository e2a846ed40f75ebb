"""What the figures of a run have in common: its arms, how each is drawn, what its joules are called."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from bench.report.rows import arm_label
from bench.report.story import Story
from bench.show.plots import Look, looks, words

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

LEGEND_LETTERS = 104
"""How many fit on a line, with seven for each handle."""
LEGEND_LINE_IN = 0.18
ROW_IN = 0.34
"""Height of one arm in a figure with a line for each."""


def arm_looks(story: Story) -> dict[str, Look]:
    """Label -> look, in reading order; the same in every figure of the run.

    The A/A arm is hollow: it lies on the ungated one, which has to be seen through it.
    """
    keys = {arm_label(key): key for key in story.readback.arms}
    return {
        name: replace(look, filled=look.filled and not keys[name][2])
        for name, look in looks(list(keys)).items()
    }


def measured_note(story: Story) -> str:
    """What a title says of joules that are no measurement of this run: `, modelled, NOT a measurement`."""
    kinds = sorted({slot.kind for slot in story.slots} - {"measured", "none"})
    return f", {' and '.join(kinds)}, NOT a measurement" if kinds else ""


def no_joules(story: Story) -> str | None:
    """Why a figure of joules can't be drawn; None if it can."""
    if not story.slots:
        return "no slot was finished: there is nothing to draw; go on with: bench run --resume RUN"
    if all(slot.gross_j is None for slot in story.slots):
        reasons = {s.joules.withheld for s in story.readback.slots if s.joules and s.joules.withheld}
        why = f" ({min(reasons)})" if reasons else ""
        return f"the joules of every slot are withheld{why}; look at: bench report RUN"
    return None


def rows_of(table: pd.DataFrame) -> list[Any]:
    """The rows of a table, columns as attributes; pandas does not say of what type they are."""
    return list(table.itertuples(index=False))


def records_of(table: pd.DataFrame) -> list[dict[str, Any]]:
    """The rows of a table, columns as keys."""
    return [{str(name): value for name, value in row.items()} for row in table.to_dict("records")]


def name_rows(axes: Axes, names: list[str]) -> None:
    """A line of the y axis for each name, the first on top."""
    axes.set_yticks(range(len(names)), [words(name) for name in names])
    axes.set_ylim(len(names) - 0.4, -0.6)
    axes.grid(visible=False, axis="y")
    axes.tick_params(axis="y", length=0)


def arm_legend(figure: Figure, names: Mapping[str, Look], *, extra: list[Any] | None = None) -> None:
    """The arms with their looks, below everything else; `extra` are further handles."""
    from matplotlib.lines import Line2D

    handles: list[Any] = [
        Line2D(
            [],
            [],
            linestyle="none",
            marker=look.marker,
            color=look.colour,
            markerfacecolor=look.face,
            markersize=5,
            label=words(name),
        )
        for name, look in names.items()
    ]
    below(figure, handles + (extra or []))


def below(figure: Figure, handles: list[Any]) -> None:
    """A legend under the figure, in as many columns as fit beside each other."""
    columns = _columns([str(handle.get_label()) for handle in handles])
    figure.legend(handles=handles, loc="outside lower left", ncols=columns)


def legend_in(labels: Iterable[str]) -> float:
    """Height of the legend of these labels."""
    shown = [words(label) for label in labels]
    return LEGEND_LINE_IN * -(-len(shown) // _columns(shown))


def _columns(labels: list[str]) -> int:
    lengths = [len(label) + 7 for label in labels]
    return len(labels) if sum(lengths) <= LEGEND_LETTERS else max(1, LEGEND_LETTERS // max(lengths))
