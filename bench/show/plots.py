"""Figures: one style, safe for colour-blind readers, fit for a page and for a paper."""

from __future__ import annotations

import io
import re
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

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#8C6D31")
"""Okabe and Ito's palette; markers differ too, so that colour is never alone."""
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
HATCHES = ("", "////", "\\\\\\\\", "....", "xxxx", "----", "++++")
INK, GREY, FAINT, GROUND = "#1C2126", "#6B6B6B", "#D9D9D9", "#FFFFFF"
PREFILL, DECODE = "#5E3C99", "#B2ABD2"
"""The two phases, in every figure."""
DARK = {
    **{INK: "#E8EAEC", GREY: "#A7AFB7", FAINT: "#3C434A", GROUND: "#1C2024"},
    **{PREFILL: "#C4B5FD", DECODE: "#6D5BA8"},
    **{"#0072B2": "#4FA8E0", "#D55E00": "#FF8A3D", "#009E73": "#2FC796", "#CC79A7": "#E79BC6"},
    **{"#E69F00": "#F2B632", "#56B4E9": "#8ACDF5", "#8C6D31": "#BF9C56"},
}
"""What each colour becomes on a dark ground; one that is not here is lightened."""

FORMATS = ("svg", "png", "pdf")
LONGEST_WORDS = 36


@dataclass(frozen=True)
class Sheet:
    """What a figure is drawn on."""

    width_in: float
    points: float
    """Size of its letters."""


PAPER = Sheet(width_in=7.2, points=8.5)
"""As wide as two columns of a journal, and as the page."""
PHONE = Sheet(width_in=3.9, points=9.0)
"""A page that is 390 pixels wide leaves 350 for a figure: letters are 11 pixels high."""

STYLE: Any = {
    "axes.titlelocation": "left",
    **dict.fromkeys(("text.color", "axes.labelcolor", "xtick.color", "ytick.color"), INK),
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
    """How one thing is drawn, the same in every figure of a run."""

    colour: str
    marker: str
    hatch: str
    filled: bool = True

    @property
    def face(self) -> str:
        """The inside of its markers."""
        return self.colour if self.filled else "none"


def looks(names: Sequence[str]) -> dict[str, Look]:
    """A look for each name; from the eighth on colours come again, with other markers and hatches."""
    return {name: nth_look(i) for i, name in enumerate(names)}


def nth_look(number: int) -> Look:
    """The look of the thing of this number; forty-nine differ."""
    count = len(COLOURS)
    other = (number + number // count) % count
    return Look(COLOURS[number % count], MARKERS[other], HATCHES[other])


def shade(colour: str, number: int) -> str:
    """The colour itself, then lighter and darker ones."""
    if number == 0:
        return colour
    towards = 255 if number % 2 else 0
    share = 1 - 0.55 ** ((number + 1) // 2)
    return _mixed(colour, towards, share)


def on_dark(colour: str) -> str:
    """A colour as it is on the dark page."""
    return DARK.get(colour.upper()) or _mixed(colour, 255, 0.25)


def _mixed(colour: str, towards: int, share: float) -> str:
    parts = [int(colour[i : i + 2], 16) for i in (1, 3, 5)]
    return "#" + "".join(f"{round(part + share * (towards - part)):02X}" for part in parts)


def words(text: object, *, most: int = LONGEST_WORDS) -> str:
    """Text of others as a figure can show it: one line, not too long, a box for what the font lacks."""
    known = "".join(char if ord(char) in _glyphs() else "\u25a1" for char in one_line(text))
    return known if len(known) <= most else f"{known[: most - 1]}\u2026"


@cache
def _glyphs() -> frozenset[int]:
    from matplotlib.font_manager import fontManager, get_font

    return frozenset(get_font(fontManager.findfont("DejaVu Sans")).get_charmap())


@contextmanager
def style(sheet: Sheet = PAPER) -> Iterator[None]:
    """Within it, everything that matplotlib makes and writes has this project's style."""
    import matplotlib as mpl

    sizes = ("font.size", "axes.titlesize", "axes.labelsize", "xtick.labelsize", "ytick.labelsize")
    settings: Any = dict.fromkeys((*sizes, "legend.fontsize"), sheet.points)
    settings |= {**STYLE, "figure.figsize": (sheet.width_in, 4.0)}
    with mpl.rc_context(settings):
        yield


def letters_a_line() -> int:
    """How many letters fit beside each other on the sheet in use."""
    import matplotlib as mpl

    return int(72 * mpl.rcParams["figure.figsize"][0] / (0.6 * mpl.rcParams["font.size"]))


def page_figure(height_in: float, **grid: Any) -> tuple[Figure, Any]:
    """A figure as wide as the sheet, drawn without a screen; `grid` goes to `Figure.subplots`."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    width_in = mpl.rcParams["figure.figsize"][0]
    figure = Figure(figsize=(width_in, height_in), layout="constrained")
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
    lines = textwrap.wrap(kept_together, round(0.83 * letters_a_line()))
    size_in = figure.get_size_inches()
    figure.set_size_inches(size_in[0], size_in[1] + 0.17 * len(lines))
    figure.suptitle("\n".join(lines), x=0.01, ha="left", fontweight="bold")


def render(draw: Callable[[], Figure], form: str = "svg", *, sheet: Sheet = PAPER) -> bytes:
    """The content of a figure's file.

    Args:
        draw: makes the figure.
        form: `svg`, `png` or `pdf`.
        sheet: what it is drawn on.
    """
    with style(sheet):
        return _saved(draw(), form)


def render_for_page(draw: Callable[[], Figure], *, sheet: Sheet) -> tuple[bytes, bytes]:
    """The SVGs of a figure without a ground of its own, for a light page and a dark one."""
    with style(sheet):
        light = _saved(draw(), "svg", facecolor="none")
    return light, re.sub(rb"#[0-9a-fA-F]{6}\b", lambda hit: on_dark(hit[0].decode()).encode(), light)


def _saved(figure: Figure, form: str, **how: Any) -> bytes:
    dates: dict[str, Any] = {"svg": {"Date": None}, "pdf": {"CreationDate": None}, "png": {}}
    content = io.BytesIO()
    figure.savefig(content, format=form, dpi=200, metadata=dates[form], **how)
    return content.getvalue()


def save(draw: Callable[[], Figure], folder: Path, name: str) -> list[Path]:
    """Write `name.svg` and `name.png` into a folder that is not seen yet; returns their paths."""
    files = [folder / f"{name}.{form}" for form in ("svg", "png")]
    for file in files:
        file.write_bytes(render(draw, file.suffix.removeprefix(".")))
    return files
