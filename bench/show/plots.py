"""Figures: one style, safe for colour-blind readers, fit for a page and for a paper."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.show.safe_text import one_line

if TYPE_CHECKING:
    from matplotlib.axis import Axis
    from matplotlib.figure import Figure

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
"""Okabe and Ito's palette, dark ones first; markers differ too, so that colour is never alone."""
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
HATCHES = ("", "////", "\\\\\\\\", "....", "xxxx", "----", "++++")
GREY, FAINT = "#6B6B6B", "#D9D9D9"

FORMATS = ("svg", "png", "pdf")
WIDTH_IN = 6.5
"""The width of the text of a page of paper."""
LONGEST_WORDS = 36

STYLE: Any = {
    "font.size": 8.5,
    "axes.titlesize": 9,
    "axes.titlelocation": "left",
    "axes.labelsize": 8.5,
    "xtick.labelsize": 8,
    "ytick.labelsize": 8,
    "legend.fontsize": 8,
    "legend.frameon": False,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": GREY,
    "axes.linewidth": 0.8,
    "axes.axisbelow": True,
    "axes.grid": True,
    "grid.color": FAINT,
    "grid.linewidth": 0.5,
    "lines.linewidth": 1.2,
    "hatch.linewidth": 0.6,
    "text.parse_math": False,  # names come from others, and a `$` in one is no formula
    "axes.formatter.use_mathtext": False,
    "pdf.fonttype": 42,  # text stays text
    "svg.fonttype": "none",
    "svg.hashsalt": "bench",  # the same figure is the same file
    "path.simplify": True,
}


@dataclass(frozen=True)
class Look:
    """How one arm is drawn, the same in every figure of a run."""

    colour: str
    marker: str
    hatch: str
    filled: bool

    @property
    def face(self) -> str:
        """The inside of its markers."""
        return self.colour if self.filled else "none"


def looks(names: Sequence[str]) -> dict[str, Look]:
    """A look for each name; from the eighth on colours come again, with hollow markers and other hatches."""
    count = len(COLOURS)
    return {
        name: Look(COLOURS[i % count], MARKERS[i % count], HATCHES[(i + i // count) % count], i < count)
        for i, name in enumerate(names)
    }


def words(text: object, *, most: int = LONGEST_WORDS) -> str:
    """Text of others as a figure can show it: one line, not too long, a box for what the font lacks."""
    known = "".join(char if ord(char) in _glyphs() else "\u25a1" for char in one_line(text))
    return known if len(known) <= most else f"{known[: most - 1]}\u2026"


@cache
def _glyphs() -> frozenset[int]:
    from matplotlib.font_manager import fontManager, get_font

    return frozenset(get_font(fontManager.findfont("DejaVu Sans")).get_charmap())


@contextmanager
def style() -> Iterator[None]:
    """Within it, everything that matplotlib makes and writes has this project's style."""
    import matplotlib as mpl

    with mpl.rc_context(STYLE):
        yield


def page_figure(height_in: float, **grid: Any) -> tuple[Figure, Any]:
    """A figure as wide as a page's text, drawn without a screen; `grid` goes to `Figure.subplots`."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(WIDTH_IN, height_in), layout="constrained")
    return figure, figure.subplots(**{"squeeze": False, **grid})


def plain_ticks(axis: Axis) -> None:
    """Figures beside the ticks of a logarithmic axis; matplotlib sets formulas, which stay raw here."""
    from matplotlib.ticker import FuncFormatter, NullFormatter

    low, high = axis.get_view_interval()
    plain = FuncFormatter(lambda value, _: f"{value:.3g}")
    axis.set_major_formatter(plain)
    axis.set_minor_formatter(plain if low > 0 and high < 10 * low else NullFormatter())


def title(figure: Figure, text: str) -> None:
    """The title, at the left, on as many lines as it needs."""
    import textwrap

    kept_together = words(text, most=400).replace("NOT a measurement", "NOT\u00a0a\u00a0measurement")
    lines = textwrap.fill(kept_together, 84)
    figure.suptitle(lines, x=0.01, ha="left", fontsize=9, fontweight="bold")


def render(draw: Callable[[], Figure], form: str = "svg") -> bytes:
    """The content of a figure's file.

    Args:
        draw: makes the figure.
        form: `svg`, `png` or `pdf`.
    """
    dates = {"svg": {"Date": None}, "pdf": {"CreationDate": None}, "png": {}}
    content = io.BytesIO()
    with style():
        draw().savefig(content, format=form, dpi=200, metadata=dates[form])
    return content.getvalue()


def save(draw: Callable[[], Figure], folder: Path, name: str) -> list[Path]:
    """Write `name.svg` and `name.png` into a folder that is not seen yet; returns their paths."""
    files = [folder / f"{name}.{form}" for form in ("svg", "png")]
    for file in files:
        file.write_bytes(render(draw, file.suffix.removeprefix(".")))
    return files
