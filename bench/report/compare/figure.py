"""The forest plot of comparisons: a ratio of joules with its interval per pair, over the band of noise."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from analysis.effect import LogPair
from bench.errors import UserError
from bench.report.compare.pairs import PairComparison
from bench.report.compare.tables import kind_label, side_label
from bench.show import files
from bench.show.plots import COLOURS, FORMATS, page_figure, plain_ticks, render, words

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def check(file: Path) -> None:
    """Refuse a file that can't be drawn to, before anything is read.

    Raises:
        UserError: its ending is not one of a picture.
    """
    if file.suffix.lstrip(".") not in FORMATS:
        raise UserError(f"--figure {file}: the ending says the format", fix="use .svg, .png or .pdf")


def draw(comparisons: list[PairComparison], file: Path) -> None:
    """Write the forest plot; it appears whole or not at all.

    Raises:
        UserError: no pair has a ratio, or the file can't be written.
    """
    rows = [
        (one, ratio)
        for one in comparisons
        if isinstance(ratio := one.ratios.get("gross_per_repeat_j"), LogPair)
    ]
    if not rows:
        raise UserError(f"nothing to draw in {file}: no pair has a ratio", fix="leave --figure out")
    kinds = " / ".join(dict.fromkeys(kind_label(one) for one, _ in rows))
    heading = f"Ratio of joules ({kinds}); grey: noise (A/A)"
    files.write(file, render(lambda: _forest(rows), file.suffix.removeprefix("."), title=heading))


def _forest(rows: list[tuple[PairComparison, LogPair]]) -> Figure:
    figure, [[axes]] = page_figure(1.3 + 0.8 * len(rows))
    for height, (one, ratio) in enumerate(reversed(rows)):
        _row(axes, height, one, ratio)
    axes.axvline(1, color="black", linewidth=0.8)
    axes.set_yticks(range(len(rows)), [_name(*row) for row in reversed(rows)], fontsize=7)
    axes.set_ylim(-0.6, len(rows) - 0.4)
    axes.set_xscale("log")
    plain_ticks(axes.xaxis)
    axes.tick_params(axis="x", which="both", labelsize=7)
    axes.set_xlabel("joules per repeat, second / first (geometric mean over blocks, 95 %)")
    axes.grid(visible=False, axis="y")
    axes.spines["left"].set_visible(False)
    return figure


def _row(axes: Axes, height: int, one: PairComparison, ratio: LogPair) -> None:
    point = ratio.point
    assert point is not None, "pairs without a block have no ratio"
    if one.noise_floor is not None:
        low = 1 - one.noise_floor
        axes.fill_betweenx([height - 0.3, height + 0.3], low, 1 / low, color="0.85", linewidth=0)
    colour = COLOURS[0] if one.is_measured else COLOURS[1]
    interval = ratio.interval
    if interval is not None:
        axes.plot([interval.low, interval.high], [height, height], color=colour, linewidth=2)
    filled = colour if interval is not None else "white"
    axes.plot(point, height, marker="o", color=colour, markerfacecolor=filled)


def _name(one: PairComparison, ratio: LogPair) -> str:
    """What is divided, and what a ratio may not be shown without."""
    treated, baseline = ratio.blocks
    blocks = str(treated) if ratio.paired else f"{baseline} and {treated}"
    agreement = "unknown" if one.agreement is None else f"{one.agreement.mean:.0%}"
    lines = [
        side_label(one.second),
        f"over {side_label(one.first)}",
        f"{ratio.point:.3f}, {one.verdict_words}",
        f"blocks: {blocks}; token match {agreement}",
    ]
    return "\n".join(words(line, most=80) for line in lines)
