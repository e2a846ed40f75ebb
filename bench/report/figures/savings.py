"""Joules saved, arm by arm, beside everything that a saving must be shown with."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from analysis.verdict import COPY, VERDICTS
from analysis.words import listed
from bench.report.answer import importance
from bench.report.figures.arms import (
    ROW_IN,
    arm_looks,
    below,
    interval_handle,
    name_rows,
    no_joules,
    records_of,
)
from bench.report.figures.drawing import Drawing, NotDrawn
from bench.report.story import Story
from bench.show.plots import FAINT, GREY, INK, letters_a_line, page_figure, words

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

NO_VERDICT = "no verdict"
MOST_NAMED = 3


def make(story: Story) -> Drawing | NotDrawn:
    """A line per configuration that has something to be compared with."""
    reason = no_joules(story)
    if reason is not None:
        return NotDrawn(reason)
    table = saving_table(story)
    if table.empty:
        return NotDrawn("the run has only the baseline: add a gate to its suite: bench doctor --plugins")
    if not table["saved_percent"].notna().any():
        why = table["reason"].iloc[0] or "no block is whole"
        return NotDrawn(
            f"no configuration can be compared with the ungated one ({why}); look at: bench report RUN"
        )
    shown = [_sentence(row) for row in records_of(table)]
    return Drawing(
        title=_finding(story, records_of(table)),
        alt=" ".join(shown),
        table=table,
        draw=lambda: _draw(story, table),
    )


def _finding(story: Story, rows: list[dict[str, Any]]) -> str:
    """`Saves: torch length. Inconclusive: mlx.`, those that settle a question first."""
    ranks = {one.verdict_words: importance(one)[0] for one in story.answer.comparisons}
    arms_by_verdict: dict[str, list[str]] = {}
    for row in sorted(rows, key=lambda row: (ranks.get(row["verdict"], len(VERDICTS)), len(row["verdict"]))):
        if row["verdict"] != COPY:
            arms_by_verdict.setdefault(row["verdict"], []).append(row["arm"])
    said = [f"{verdict.capitalize()}: {listed(_few(arms))}" for verdict, arms in arms_by_verdict.items()]
    return ". ".join(said) or "The run has its noise (A/A), and nothing to compare"


def _few(arms: list[str]) -> list[str]:
    return (
        arms if len(arms) <= MOST_NAMED else [*arms[: MOST_NAMED - 1], f"{len(arms) - MOST_NAMED + 1} more"]
    )


def saving_table(story: Story) -> pd.DataFrame:
    """One row per arm that is held against another, as in the summary; NaN where there is no figure."""
    import pandas as pd

    compared = {one.name: one for one in story.answer.comparisons}
    names = {
        "saved_percent": "joules_saved_percent",
        "low_percent": "saved_low_percent",
        "high_percent": "saved_high_percent",
        "noise_percent": "noise_percent",
        "token_match_percent": "token_match_percent",
    }
    rows = []
    for row in (row for row in story.summary.rows if row.a_a or row.against is not None):
        one = compared.get(row.label)
        rows.append(
            {
                "arm": row.label,
                **{column: getattr(row, name) for column, name in names.items()},
                "blocks": row.blocks,
                "verdict": one.verdict_words if one else row.verdict or NO_VERDICT,
                "is_of_other_answers": one is not None and one.verdict == "saves" and one.answers_differ,
                "reason": row.reason or "",
            }
        )
    columns = ["arm", *names, "blocks", "verdict", "is_of_other_answers", "reason"]
    table = pd.DataFrame(rows, columns=columns)
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
    agreement = row["token_match_percent"]
    return f"{blocks}, token match {'unknown' if agreement != agreement else f'{agreement:.0f} %'}"


def _draw(story: Story, table: pd.DataFrame) -> Figure:
    figure, [[axes]] = page_figure(1.1 + ROW_IN * len(table))
    looks = arm_looks(story)
    rows = records_of(table)
    for position, row in enumerate(rows):
        look = looks[row["arm"]]
        if row["noise_percent"] == row["noise_percent"]:
            floor = row["noise_percent"]
            axes.broken_barh([(-floor, 2 * floor)], (position - 0.25, 0.5), color=FAINT, zorder=0)
        if row["low_percent"] == row["low_percent"]:
            ends = [row["low_percent"], row["high_percent"]]
            axes.plot(ends, [position] * 2, "|-", color=INK, linewidth=1.4, ms=8, zorder=5)
        axes.plot(
            row["saved_percent"], position, look.marker, color=look.colour, mfc=look.face, ms=6.5, zorder=4
        )
    axes.axvline(0, color=GREY, linewidth=0.8)
    name_rows(axes, _row_names(rows))
    axes.margins(x=0.08)
    axes.set_xlabel("joules saved (%), negative: costs more")
    _legend(figure, table)
    return figure


def _row_names(rows: list[dict[str, Any]]) -> list[str]:
    """Each configuration with its verdict, and as much of the figure and the answers as fits for all."""
    least = [_row_name(row, most=0) for row in rows]
    named = ([_row_name(row, most=most) for row in rows] for most in (2, 1))
    return next((names for names in named if max(map(len, names)) < 0.95 * letters_a_line()), least)


def _row_name(row: dict[str, Any], *, most: int) -> str:
    saved, match = row["saved_percent"], row["token_match_percent"]
    figure = "" if saved != saved or most < 1 else f" {_percent(saved)},"
    is_told = match == match and row["verdict"] != COPY and not row["is_of_other_answers"]
    matched = f", token match {match:.0f} %" if is_told and most > 1 else ""
    return f"{words(row['arm'], most=24)}:{figure} {row['verdict']}{matched}"


def _legend(figure: Figure, table: pd.DataFrame) -> None:
    from matplotlib.patches import Patch

    handles: list[object] = [interval_handle(table)]
    if table["noise_percent"].notna().any():
        handles.append(Patch(color=FAINT, label="noise (A/A): within it nothing is saved"))
    below(figure, handles)
