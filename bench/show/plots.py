"""Figures: one style, safe for colour-blind readers, fit for a page and for a paper."""

from __future__ import annotations

import gc
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
    from matplotlib.transforms import Bbox

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
TITLE_LINE_IN = 0.17


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


def render(draw: Callable[[], Figure], form: str = "svg", *, title: str = "", sheet: Sheet = PAPER) -> bytes:
    """The content of a figure's file.

    Args:
        draw: makes the figure.
        form: `svg`, `png` or `pdf`.
        title: stands above it.
        sheet: what it is drawn on.
    """
    with style(sheet):
        figure = _laid_out(draw)
        return _saved(figure, form, box=_entitled(figure, title))


@dataclass(frozen=True, kw_only=True)
class Pictures:
    """A figure in every form in which a page has it."""

    wide: tuple[bytes, bytes]
    """SVG without title or ground, for a light page and for a dark one,"""
    narrow: tuple[bytes, bytes]
    """and for a phone."""
    file: bytes
    """SVG with title and ground."""


def pictures(draw: Callable[[], Figure], *, title: str) -> Pictures:
    """Draw a figure once for each sheet, which is what takes time, and write it in every form."""
    with _no_collection(), style(PAPER):
        figure = _laid_out(draw)
        wide = _saved(figure, "svg", facecolor="none")
        file = _saved(figure, "svg", box=_entitled(figure, title))
    with _no_collection(), style(PHONE):
        narrow = _saved(_laid_out(draw), "svg", facecolor="none")
    return Pictures(wide=_for_both_themes(wide), narrow=_for_both_themes(narrow), file=file)


@contextmanager
def _no_collection() -> Iterator[None]:
    """A figure is many small objects: looking for garbage among them takes a fifth of the time."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def _for_both_themes(light: bytes) -> tuple[bytes, bytes]:
    return light, re.sub(rb"#[0-9a-fA-F]{6}\b", lambda hit: on_dark(hit[0].decode()).encode(), light)


def _laid_out(draw: Callable[[], Figure]) -> Figure:
    """The figure with everything in its place, so that writing it once more does not place it once more."""
    figure = draw()
    engine = figure.get_layout_engine()
    if engine is not None:
        engine.execute(figure)
    figure.set_layout_engine(None)
    return figure


def _entitled(figure: Figure, title: str) -> Bbox | None:
    """Put a title above a figure, on as many lines as it needs; the box in inches that holds both."""
    import textwrap

    from matplotlib.transforms import Bbox

    if not title:
        return None
    kept_together = words(title, most=400).replace("NOT a measurement", "NOT\u00a0a\u00a0measurement")
    lines = textwrap.wrap(kept_together, round(0.83 * letters_a_line()))
    figure.text(0.01, 1, "\n".join(lines), fontweight="bold", va="bottom")
    width_in, height_in = figure.get_size_inches()
    return Bbox([[0, 0], [width_in, height_in + TITLE_LINE_IN * len(lines) + 0.05]])


def _saved(figure: Figure, form: str, *, box: Bbox | None = None, **how: Any) -> bytes:
    dates: dict[str, Any] = {"svg": {"Date": None}, "pdf": {"CreationDate": None}, "png": {}}
    content = io.BytesIO()
    figure.savefig(content, format=form, dpi=200, metadata=dates[form], bbox_inches=box, **how)
    return content.getvalue()


def save(draw: Callable[[], Figure], folder: Path, name: str, *, title: str) -> list[Path]:
    """Write `name.svg` and `name.png` into a folder that is not seen yet; returns their paths."""
    files = {form: folder / f"{name}.{form}" for form in ("svg", "png")}
    with style():
        figure = _laid_out(draw)
        box = _entitled(figure, title)
        for form, file in files.items():
            file.write_bytes(_saved(figure, form, box=box))
    return list(files.values())
