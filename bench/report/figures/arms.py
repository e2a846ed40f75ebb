"""What the figures of a run have in common: its arms, how each is drawn, what its joules are called."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from analysis.effect import FEWEST_BLOCKS
from bench.report.names import arm_label
from bench.report.story import Story
from bench.run.records import ArmKey
from bench.show.plots import GREY, GROUND, INK, Look, letters_a_line, nth_look, shade, words

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

LEGEND_LINE_IN = 0.19
HANDLE_LETTERS = 7
ROW_IN = 0.46
"""Height of one arm in a figure with a line for each, its name above the line."""


def arm_looks(story: Story) -> dict[str, Look]:
    """Label -> look, in reading order; the same in every figure of the run."""
    return {arm_label(key): look for key, look in looks_of(story.readback.arms).items()}


def looks_of(arms: Sequence[ArmKey]) -> dict[ArmKey, Look]:
    """Hue and marker say the gate, shade says the backend; the A/A copy is grey and hollow."""
    gates = {gate: nth_look(i) for i, gate in enumerate(dict.fromkeys(gate for _, gate, _ in arms))}
    backends = {backend: i for i, backend in enumerate(dict.fromkeys(backend for backend, _, _ in arms))}
    return {
        (backend, gate, a_a): replace(
            gates[gate], colour=shade(GREY if a_a else gates[gate].colour, backends[backend]), filled=not a_a
        )
        for backend, gate, a_a in arms
    }


def measured_note(story: Story) -> str:
    """What a title says of joules that are no measurement of this run: `, modelled, NOT a measurement`."""
    kinds = sorted({slot.kind for slot in story.slots} - {"measured", "none"})
    return f", {' and '.join(kinds)}, NOT a measurement" if kinds else ""


def no_joules(story: Story) -> str | None:
    """Why a figure of joules can't be drawn; None if it can."""
    if not story.slots:
        return "no window was finished: there is nothing to draw; go on with: bench run --resume RUN"
    if all(slot.gross_j is None for slot in story.slots):
        reasons = story.readback.why_withheld
        why = f" ({reasons[0]})" if reasons else ""
        return f"the joules of every window are not estimated{why}; look at: bench report RUN"
    return None


def interval_handle(table: pd.DataFrame) -> Any:
    """What a legend says of the intervals of a table, with their blocks."""
    from matplotlib.lines import Line2D

    if not table["low_percent"].notna().any():
        return Line2D([], [], linestyle="none", label=f"no interval: fewer than {FEWEST_BLOCKS} blocks")
    compared = table.loc[table["blocks"] > 0, "blocks"]
    fewest, most = int(compared.min()), int(compared.max())
    blocks = fewest if fewest == most else f"{fewest} to {most}"
    return Line2D([], [], color=INK, label=f"95 % interval over {blocks} blocks")


def rows_of(table: pd.DataFrame) -> list[Any]:
    """The rows of a table, columns as attributes; pandas does not say of what type they are."""
    return list(table.itertuples(index=False))


def records_of(table: pd.DataFrame) -> list[dict[str, Any]]:
    """The rows of a table, columns as keys."""
    return [{str(name): value for name, value in row.items()} for row in table.to_dict("records")]


def name_rows(axes: Axes, names: Sequence[str], *, panels: int = 1) -> None:
    """A line for each name, the first on top; the name stands above its line, so that all width is left."""
    for position, name in enumerate(names):
        shown = words(name, most=round(0.98 * letters_a_line()) // panels - 1)
        row = axes.text(
            0, position - 0.3, shown, transform=axes.get_yaxis_transform(), va="bottom", color=INK
        )
        row.set_in_layout(False)
        row.set_bbox({"facecolor": GROUND, "edgecolor": "none", "pad": 0.5, "alpha": 0.8})
    axes.set_yticks([])
    axes.set_ylim(len(names) - 0.55, -0.85)
    axes.grid(visible=False, axis="y")
    axes.spines["left"].set_visible(False)


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
    figure.legend(
        handles=handles, loc="outside lower left", ncols=columns, columnspacing=1.2, handletextpad=0.5
    )


def legend_in(labels: Iterable[str]) -> float:
    """Height of the legend of these labels."""
    shown = [words(label) for label in labels]
    return LEGEND_LINE_IN * -(-len(shown) // _columns(shown))


def _columns(labels: list[str]) -> int:
    """The most columns that fit on a line; the first hold one more where they don't come out even."""
    wide = [len(label) + HANDLE_LETTERS for label in labels]

    def needed(columns: int) -> int:
        rows, more = divmod(len(wide), columns)
        ends = [rows * n + min(n, more) for n in range(columns + 1)]
        return sum(max(wide[begin:end]) for begin, end in pairwise(ends))

    return next((n for n in range(len(wide), 1, -1) if needed(n) <= letters_a_line()), 1)
