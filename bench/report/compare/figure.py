"""The forest plot of comparisons: a ratio of joules with its interval per pair, over the band of noise."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from analysis.effect import LogPair
from bench.errors import UserError
from bench.report.compare.pairs import PairComparison
from bench.report.compare.tables import kind_label
from bench.report.figures.arms import below
from bench.show import files
from bench.show.plots import (
    COLOURS,
    FAINT,
    FORMATS,
    GREY,
    INK,
    letters_a_line,
    page_figure,
    plain_ticks,
    render,
    words,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

ROW_IN = 0.66
"""Height of one pair, its two lines of words included."""


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
    file_form = file.suffix.removeprefix(".")
    files.write(file, render(lambda: _forest(rows), file_form, title=_finding([one for one, _ in rows])))


def _finding(pairs: list[PairComparison]) -> str:
    """`mlx against torch saves joules`, or how many pairs have which verdict."""
    kinds = " / ".join(dict.fromkeys(kind_label(one) for one in pairs))
    if len(pairs) == 1:
        second, first = reversed(pairs[0].names)
        return f"{second} against {first}: {pairs[0].verdict_words} ({kinds})"
    said = Counter(one.verdict_words for one in pairs)
    each = ", ".join(f"{verdict}: {count}" for verdict, count in said.items())
    return f"Joules of {len(pairs)} pairs, {kinds}; {each}"


def _forest(rows: list[tuple[PairComparison, LogPair]]) -> Figure:
    figure, [[axes]] = page_figure(1.2 + ROW_IN * len(rows))
    axes.set_ylim(len(rows) - 0.55, -0.85)
    for position, (one, ratio) in enumerate(rows):
        _row(axes, position, one, ratio)
    axes.axvline(1, color=GREY, linewidth=0.8)
    axes.set_xscale("log")
    plain_ticks(axes.xaxis)
    axes.set_xlabel("joules per repeat, second / first (geometric mean over blocks)")
    axes.set_yticks([])
    axes.grid(visible=False, axis="y")
    axes.spines["left"].set_visible(False)
    axes.margins(x=0.08)
    below(figure, _handles(rows))
    return figure


def _handles(rows: list[tuple[PairComparison, LogPair]]) -> list[Any]:
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    handles: list[Any] = []
    if any(ratio.interval is not None for _, ratio in rows):
        handles.append(Line2D([], [], color=INK, label="95 % interval"))
    if any(one.noise_floor is not None for one, _ in rows):
        handles.append(Patch(color=FAINT, label="noise (A/A)"))
    return handles


def _row(axes: Axes, position: int, one: PairComparison, ratio: LogPair) -> None:
    point = ratio.point
    assert point is not None, "pairs without a block have no ratio"
    if one.noise_floor is not None:
        low = 1 - one.noise_floor
        axes.broken_barh([(low, 1 / low - low)], (position - 0.25, 0.5), color=FAINT, zorder=0)
    colour = COLOURS[0] if one.is_measured else COLOURS[1]
    interval = ratio.interval
    if interval is not None:
        axes.plot(
            [interval.low, interval.high], [position] * 2, "|-", color=INK, linewidth=1.4, ms=8, zorder=5
        )
    text = axes.text(
        0, position - 0.27, _name(one, ratio), transform=axes.get_yaxis_transform(), va="bottom", color=INK
    )
    text.set_in_layout(False)
    axes.plot(point, position, "o", color=colour, mfc=colour if interval else "none", ms=6.5, zorder=4)


def _name(one: PairComparison, ratio: LogPair) -> str:
    """What is divided, and what a ratio may not be shown without."""
    treated, baseline = ratio.blocks
    blocks = str(treated) if ratio.paired else f"{baseline} and {treated}"
    match = "unknown" if one.agreement is None else f"{100 * one.agreement.mean:.0f} %"
    first, second = one.names
    said = f"{ratio.point:.3f}, {one.verdict_words}; blocks {blocks}, token match {match}"
    return "\n".join(words(line, most=letters_a_line()) for line in (f"{second} / {first}", said))
