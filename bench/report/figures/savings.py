"""Joules saved, arm by arm, beside everything that a saving must be shown with."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bench.report.figures.arms import arm_looks, below, no_joules, records_of
from bench.report.figures.drawing import Drawing, NotDrawn
from bench.report.story import Story
from bench.show.plots import FAINT, GREY, page_figure, words

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

NO_VERDICT = "no verdict"
ROW_IN = 0.5


def make(story: Story) -> Drawing | NotDrawn:
    """A line per arm that has something to be compared with."""
    reason = no_joules(story)
    if reason is not None:
        return NotDrawn(reason)
    table = saving_table(story)
    if table.empty:
        return NotDrawn("the run has only the ungated arm: add a gate to its suite: bench doctor --plugins")
    if not table["saved_percent"].notna().any():
        why = table["reason"].iloc[0] or "no block is whole"
        return NotDrawn(f"no arm can be compared with the ungated one ({why}); look at: bench report RUN")
    shown = [_sentence(row) for row in records_of(table)]
    return Drawing(
        title="Joules saved against the ungated arm of the same backend",
        alt=" ".join(shown),
        table=table,
        draw=lambda: _draw(story, table),
    )


def saving_table(story: Story) -> pd.DataFrame:
    """One row per arm that is not the ungated one, as in the summary; NaN where there is no figure."""
    import pandas as pd

    baseline = story.readback.baseline
    names = {
        "saved_percent": "joules_saved_percent",
        "low_percent": "saved_low_percent",
        "high_percent": "saved_high_percent",
        "noise_floor_percent": "noise_floor_percent",
        "agreement_percent": "agreement_percent",
    }
    rows = [
        {
            "arm": row.label,
            **{column: getattr(row, name) for column, name in names.items()},
            **{"blocks": row.blocks, "verdict": row.verdict or NO_VERDICT, "reason": row.reason or ""},
        }
        for row in story.summary.rows
        if row.a_a or row.gate != baseline
    ]
    table = pd.DataFrame(rows, columns=["arm", *names, "blocks", "verdict", "reason"])
    return table.astype(dict.fromkeys(names, "float64"))


def _sentence(row: dict[str, Any]) -> str:
    saved = row["saved_percent"]
    amount = "no figure" if saved != saved else _percent(saved)
    return f"{row['arm']}: {amount}, {row['verdict']}, {_trust(row)}."


def _percent(value: Any) -> str:
    return f"{round(value, 1) + 0.0:+.1f} %"  # no "-0.0"


def _trust(row: dict[str, Any]) -> str:
    """Blocks and agreement, which stand beside every saving."""
    blocks = "1 block" if row["blocks"] == 1 else f"{row['blocks']} blocks"
    agreement = row["agreement_percent"]
    return f"{blocks}, agreement {'unknown' if agreement != agreement else f'{agreement:.0f} %'}"


def _draw(story: Story, table: pd.DataFrame) -> Figure:
    figure, [[axes]] = page_figure(1.35 + ROW_IN * len(table))
    looks = arm_looks(story)
    rows = records_of(table)
    for position, row in enumerate(rows):
        look = looks[row["arm"]]
        if row["noise_floor_percent"] == row["noise_floor_percent"]:
            floor = row["noise_floor_percent"]
            axes.broken_barh([(-floor, 2 * floor)], (position - 0.38, 0.76), color=FAINT, zorder=0)
        if row["low_percent"] == row["low_percent"]:
            ends = [row["low_percent"], row["high_percent"]]
            axes.plot(ends, [position] * 2, "|-", color=look.colour, linewidth=1.8, ms=8, zorder=3)
        axes.plot(
            row["saved_percent"], position, look.marker, color=look.colour, mfc=look.face, ms=6.5, zorder=4
        )
        _say_verdict(axes, position, row)
    axes.axvline(0, color=GREY, linewidth=0.8)
    axes.set_yticks(range(len(rows)), [f"{words(row['arm'])}\n{_trust(row)}" for row in rows])
    axes.set_ylim(len(rows) - 0.4, -0.6)
    axes.grid(visible=False, axis="y")
    axes.tick_params(axis="y", length=0)
    axes.margins(x=0.08)
    axes.set_xlabel("joules saved (%), negative: costs more")
    _legend(figure, table)
    return figure


def _say_verdict(axes: Axes, position: int, row: dict[str, Any]) -> None:
    """The verdict in words at the right, with the figure it is about."""
    saved = row["saved_percent"]
    figure = "" if saved != saved else f"{_percent(saved)}  "
    verdict = "A/A, the noise" if row["verdict"] == "A/A" else row["verdict"]
    axes.text(1.02, position, f"{figure}{verdict}", transform=axes.get_yaxis_transform(), va="center")


def _legend(figure: Figure, table: pd.DataFrame) -> None:
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    interval = table["low_percent"].notna().any()
    said = "95 % interval over blocks" if interval else "no interval: fewer than 5 blocks"
    handles: list[object] = [Line2D([], [], color="black", linestyle="-" if interval else "none", label=said)]
    if table["noise_floor_percent"].notna().any():
        handles.append(Patch(color=FAINT, label="A/A noise floor: within it nothing is saved"))
    below(figure, handles)
