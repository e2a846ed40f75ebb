"""Energy against quality: an arm that costs less and answers otherwise has saved nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from analysis.frontier import pareto
from analysis.rows import Trade
from bench.report.arm_row import ArmRow
from bench.report.figures.arms import arm_legend, arm_looks, interval_handle, legend_in, no_joules, rows_of
from bench.report.figures.drawing import Drawing, NotDrawn
from bench.report.story import Story
from bench.show.plots import FAINT, GREY, HATCHES, INK, page_figure, words

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

LONGEST_NOTE = "no interval: fewer than 5 blocks"
SAME_PERCENT = 90
"""Token match from which answers count as the same."""
FEWEST_POINTS = 3
"""From which on a Pareto set says something."""


def make(story: Story) -> Drawing | NotDrawn:
    """A point per configuration; those that no other of the backend beats in both are marked."""
    reason = no_joules(story)
    if reason is not None:
        return NotDrawn(reason)
    table = trade_table(story)
    if table["blocks"].max() == 0 or table.empty:
        return NotDrawn("there is no configuration beside the ungated one to compare; see: bench report RUN")
    shown = [
        f"{r.arm}: {r.energy_percent:.1f} % energy, {r.token_match_percent:.0f} % token match"
        for r in rows_of(table)
    ]
    return Drawing(
        title=_finding(table),
        alt=f"Energy and token match beside what each is compared with: {'; '.join(shown)}.",
        table=table,
        draw=lambda: _draw(story, table),
    )


def _finding(table: pd.DataFrame) -> str:
    """Which of those that keep the answers costs least."""
    others = table.loc[table["verdict"] != ""]
    kept = others.loc[others["token_match_percent"] >= SAME_PERCENT].sort_values("energy_percent")
    if kept.empty:
        return f"No gate keeps the answers of its baseline: token match is below {SAME_PERCENT} % everywhere"
    best = kept.iloc[0]
    return (
        f"Of the gates that keep the answers {best['arm']} takes fewest joules: "
        f"{best['energy_percent']:.0f} % of its baseline's ({best['verdict']}), "
        f"token match {best['token_match_percent']:.0f} %"
    )


def trade_table(story: Story) -> pd.DataFrame:
    """One row per arm whose joules can be set beside its backend's baseline, which is at 100 %, 100 %."""
    import pandas as pd

    baseline = story.readback.baseline
    rows = [
        _row(row, is_base=row.gate == baseline, noise=story.summary.noise_percent(row.backend))
        for row in story.summary.rows
        if not row.a_a
    ]
    table = pd.DataFrame([row for row in rows if row is not None], columns=list(_COLUMNS)).astype(_COLUMNS)
    table["pareto"] = table["arm"].isin(_unbeaten(table))
    return table


_COLUMNS = {
    **dict.fromkeys(("arm", "backend", "verdict"), "object"),
    **dict.fromkeys(("energy_percent", "low_percent", "high_percent"), "float64"),
    **dict.fromkeys(("token_match_percent", "noise_percent"), "float64"),
    "blocks": "int64",
}


def _row(row: ArmRow, *, is_base: bool, noise: float | None) -> dict[str, Any] | None:
    saved, agreement = (0.0, 100.0) if is_base else (row.joules_saved_percent, row.token_match_percent)
    if saved is None or agreement is None or row.gross_per_repeat_j is None:
        return None
    low, high = (None, None) if is_base else (row.saved_low_percent, row.saved_high_percent)
    return {
        "arm": row.label,
        "backend": row.backend,
        "verdict": "" if is_base else row.verdict or "no verdict",
        "energy_percent": 100 - saved,
        "low_percent": None if high is None else 100 - high,
        "high_percent": None if low is None else 100 - low,
        "token_match_percent": agreement,
        "noise_percent": noise,
        "blocks": 0 if is_base else row.blocks,
    }


def _unbeaten(table: pd.DataFrame) -> set[str]:
    """The Pareto set of each backend; of two points there is nothing to choose."""
    unbeaten: set[str] = set()
    for _, group in table.groupby("backend"):
        if len(group) < FEWEST_POINTS:
            continue
        trades = [
            Trade(
                label=str(row.arm),
                strength=1.0,
                cost=float(row.energy_percent),
                loss=float(100 - row.token_match_percent),
            )
            for row in rows_of(group)
        ]
        unbeaten |= {trade.label for trade in pareto(trades)}
    return unbeaten


def _draw(story: Story, table: pd.DataFrame) -> Figure:
    looks = {name: look for name, look in arm_looks(story).items() if name in set(table["arm"])}
    notes = [LONGEST_NOTE] * (2 + table["backend"].nunique())
    figure, [[axes]] = page_figure(3.4 + legend_in([*looks, *notes]))
    for _, group in table.loc[table["pareto"]].groupby("backend"):
        if len(group) < FEWEST_POINTS:
            continue
        front = group.sort_values("token_match_percent")
        axes.plot(front["token_match_percent"], front["energy_percent"], color=GREY, linewidth=0.8, zorder=1)
    for row in rows_of(table):
        look = looks[str(row.arm)]
        at = (row.token_match_percent, row.energy_percent)
        if row.pareto:
            axes.plot(*at, "o", ms=14, mfc="none", mec=GREY, mew=0.9, zorder=2)
        if row.low_percent == row.low_percent:
            ends = [row.low_percent, row.high_percent]
            axes.plot([at[0]] * 2, ends, "_-", color=INK, linewidth=1.2, ms=7, zorder=4)
        axes.plot(*at, look.marker, color=look.colour, mfc=look.face, ms=7, zorder=3)
    _scale(axes, table)
    arm_legend(figure, looks, extra=_handles(axes, table))
    return figure


def _handles(axes: Axes, table: pd.DataFrame) -> list[Any]:
    """What stands beside a saving: the interval with its blocks, the floor, and which points count."""
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    handles: list[Any] = [interval_handle(table)]
    if table["pareto"].any():
        ring: Any = {"marker": "o", "ms": 11, "mfc": "none", "color": GREY, "lw": 0.8}
        handles.insert(0, Line2D([], [], **ring, label="Pareto set of a backend"))
    noise = table.groupby("backend")["noise_percent"].max().dropna()
    for (backend, floor), hatch in zip(noise.items(), HATCHES, strict=False):
        look: dict[str, Any] = {"facecolor": FAINT, "edgecolor": GREY, "hatch": hatch, "linewidth": 0}
        axes.axhspan(100 - floor, 100 + floor, alpha=0.6, zorder=0, **look)
        handles.append(Patch(**look, label=words(f"noise (A/A) of {backend}: \u00b1{floor:.1f} %")))
    return handles


def _scale(axes: Axes, table: pd.DataFrame) -> None:
    axes.axhline(100, color=GREY, linewidth=0.8, linestyle=":")
    axes.set_xlabel("token match with the baseline (%)")
    axes.set_ylabel("joules (% of the baseline)")
    lowest = float(np.floor(table["token_match_percent"].min() / 10) * 10)
    axes.set_xlim(max(-2.0, min(lowest, 90.0) - 2), 102)
    ends = table[["energy_percent", "low_percent", "high_percent"]]
    lowest, highest = float(np.nanmin(ends.to_numpy())), float(np.nanmax(ends.to_numpy()))
    axes.set_ylim(min(90.0, lowest - 8), max(104.0, 1.04 * highest))
    axes.text(0.99, 0.03, "better: right and down", transform=axes.transAxes, ha="right", color=GREY)
