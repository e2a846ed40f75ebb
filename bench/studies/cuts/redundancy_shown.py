"""The redundancy profile on the terminal and as a figure."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from rich.console import Console

from analysis.words import counted
from bench.show import table
from bench.show.files import together
from bench.show.plots import COLOURS, MARKERS, page_figure, plain_ticks, save
from bench.show.table import Column, Table, say
from bench.studies.cuts.redundancy import PARTS, RULE, Layer, Profile, Ranked, drops_of, most_alike

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def show(measured: Profile, console: Console) -> None:
    """Print the profile, the ranking and what to type to drop its first modules."""
    say(console, finding(measured), "", style="bold")
    table.show([Table.of(_COLUMNS, measured.layers, title=_how(measured))], console)
    say(console, *_lines(measured, most=max(1, len(measured.ranking) // 6)))


_MODULES = {"attention": "The attention", "mlp": "The MLP"}


def finding(measured: Profile) -> str:
    """The answer: which module changes the stream least, and whether attention or the MLP does less."""
    if not measured.ranking:
        return f"Attention and MLP of {measured.model} can't be told apart; the table has its blocks."
    least = measured.ranking[0]
    both = [one for one in measured.layers if one.attention is not None and one.mlp is not None]
    fewer = sum((one.attention or 0.0) < (one.mlp or 0.0) for one in both)
    beside = f"; attention does less than the MLP in {fewer} of {counted(len(both), 'layer')}" if both else ""
    return (
        f"{_MODULES[least.part]} of layer {least.layer} changes the residual stream of {measured.model} "
        f"least, by {least.change:.2g}{beside}."
    )


def _how(measured: Profile) -> str:
    over = f"{measured.pieces} pieces of {measured.text_name}, {measured.tokens} tokens"
    return f"{measured.model} on {measured.backend}: 1 - cosine over {over}"


def _label(layer: Layer) -> str:
    mark = " (critical)" if layer.critical and layer.label != "early-critical" else ""
    return layer.label + mark


_COLUMNS: tuple[Column[Layer], ...] = (
    Column("layer", lambda layer: layer.layer),
    Column("attention", lambda layer: _change(layer.attention)),
    Column("mlp", lambda layer: _change(layer.mlp)),
    Column("block", lambda layer: _change(layer.block)),
    Column("label", _label, is_text=True),
)


def _change(change: float | None) -> str | None:
    return None if change is None else f"{change:.4f}"


def _lines(measured: Profile, *, most: int) -> Sequence[str]:
    stable = "not known from one piece" if measured.stability is None else f"{measured.stability:.2f}"
    lines = [RULE]
    if least := measured.ranking[:most]:
        lines += [
            f"smallest changes, attention and MLP in one ranking: {_named(least)}",
            f"rank correlation between two halves of the text: {stable}",
            f"what dropping these costs: {_to_type(measured, least)}",
        ]
    if pairs := most_alike(measured.layers, max(1, len(measured.layers) // 10)):
        typed = ",".join(f"{early}-{late}" for early, late in pairs)
        lines.append(
            f"neighbours most alike, side by side: bench quality {measured.model} --cut flatten={typed}"
        )
    if measured.iterative:
        lines += [
            f"dropped one by one, what is left measured anew each time: {_named(measured.iterative)}",
            f"what dropping those costs: {_to_type(measured, measured.iterative)}",
        ]
    return lines


def _named(modules: Sequence[Ranked]) -> str:
    return ", ".join(f"{one.part} {one.layer}" for one in modules)


def _to_type(measured: Profile, modules: Sequence[Ranked]) -> str:
    drops = {key: value for key, value in drops_of(modules).items() if value}
    cuts = (f"--cut {key}={','.join(map(str, value))}" for key, value in drops.items())
    return f"bench quality {measured.model} {' '.join(cuts)}"


def draw(measured: Profile, folder: Path) -> list[Path]:
    """Write the profile as `redundancy.svg` and `redundancy.png`.

    Raises:
        UserError: the folder can't be written.
    """
    with together(folder) as staging:
        heading = f"{finding(measured)} {_how(measured)}"
        files = save(lambda: _drawn(measured), staging, "redundancy", title=heading)
        names = [file.name for file in files]
    return [folder / name for name in names]


def _drawn(measured: Profile) -> Figure:
    from matplotlib.ticker import MaxNLocator

    figure, [[axes]] = page_figure(3.2)
    numbers = [layer.layer for layer in measured.layers]
    for part, colour, marker in zip(PARTS, COLOURS, MARKERS, strict=False):
        changes = np.array([getattr(layer, part) for layer in measured.layers], dtype=np.float64)
        axes.plot(numbers, changes, color=colour, marker=marker, markersize=4, label=part)
    for label, shade in (("early-critical", "0.75"), ("deep", "0.92")):
        mine = [layer.layer for layer in measured.layers if layer.label == label]
        if mine:
            axes.axvspan(mine[0] - 0.5, mine[-1] + 0.5, color=shade, zorder=0, label=label)
    axes.set(xlabel="layer", ylabel="change of the residual stream, 1 - cosine", yscale="log")
    plain_ticks(axes.yaxis)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.legend()
    return figure
