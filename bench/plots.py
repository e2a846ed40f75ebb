"""Figures: one style, safe for colour-blind readers, written as SVG and PNG."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
"""Okabe and Ito's palette, dark ones first; markers differ too, so that colour is never alone."""
MARKERS = ("o", "s", "^", "D", "v", "P", "X")


def new_figure(panels: int, *, title: str) -> tuple[Figure, list[Axes]]:
    """A figure with panels side by side, drawn without a screen."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(5.5 * panels, 4.2), layout="constrained")
    figure.suptitle(title, fontsize=10)
    axes = list(figure.subplots(1, panels, squeeze=False)[0])
    for one in axes:
        one.grid(visible=True, alpha=0.3)
        one.spines[["top", "right"]].set_visible(False)
    return figure, axes


def save(figure: Figure, folder: Path, name: str) -> list[Path]:
    """Write `name.svg` and `name.png`; each appears whole or not at all."""
    files = []
    for suffix in ("svg", "png"):
        file = folder / f"{name}.{suffix}"
        staging = folder / f".{name}.{suffix}"
        figure.savefig(staging, format=suffix, dpi=150)
        files.append(staging.replace(file))
    return files
