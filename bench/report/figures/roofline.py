"""Decoding against the memory's roof: tokens per second over the bytes that each token must read."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from analysis.roofline import GB, apple_bandwidth, measured_stream
from analysis.rows import Step, rows_from_columns
from analysis.values import Withheld
from bench.report.figures.arms import arm_legend, arm_looks, legend_in, rows_of
from bench.report.figures.drawing import Drawing, NotDrawn
from bench.report.names import arm_label
from bench.report.slots import that_count
from bench.report.story import Story
from bench.show.plots import GREY, GROUND, INK, page_figure

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

ISOLATION = "isolate.csv"
"""Where a run folder keeps the steps of `bench isolate --csv`, if they were put there."""


def make(story: Story) -> Drawing | NotDrawn:
    """A point per configuration, lines of equal bandwidth, and the roof where it is known."""
    table = rate_table(story)
    if table.empty:
        reason = "its backends count no bytes (a stand-in) or decoded nothing: run a suite with torch or mlx"
        return NotDrawn(reason)
    roof = _roof(story)
    if roof is None:
        return NotDrawn(f"the bandwidth of this memory is not known; measure it: {_advice(story)}")
    shown = [f"{r.arm} {r.tokens_per_s:.3g} tokens/s, {r.gb_per_s:.3g} GB/s" for r in rows_of(table)]
    fastest = table.sort_values("gb_per_s").iloc[-1]
    return Drawing(
        title=f"Decoding reads at most {100 * fastest['gb_per_s'] / roof[0]:.0f} % of what the memory can: "
        f"{fastest['arm']} {fastest['gb_per_s']:.3g} of {roof[0]:.3g} GB/s ({roof[1]}), counted bytes",
        joules=False,
        alt=f"{'; '.join(shown)}. Roof {roof[0]:.3g} GB/s, {roof[1]}.",
        table=table.assign(roof_gb_per_s=roof[0]),
        draw=lambda: _draw(story, table, roof),
    )


def rate_table(story: Story) -> pd.DataFrame:
    """One row per arm whose bytes are counted: bytes per token, tokens per second, and their product."""
    import pandas as pd

    rows = []
    for key, row in zip(story.readback.arms, story.summary.rows, strict=True):
        slots = that_count(story.readback.of_arm(key))
        requests = [r for slot in slots for r in slot.answers if r.forwards]
        counted = [r.decode_bytes for r in requests if r.decode_bytes is not None]
        if len(counted) < len(requests) or not sum(counted) or row.decode_tokens_per_s is None:
            continue
        forwards, read_bytes = sum(r.forwards for r in requests), sum(counted)
        rows.append(
            {
                "arm": arm_label(key),
                "bytes_per_token": read_bytes / forwards,
                "tokens_per_s": row.decode_tokens_per_s,
                "gb_per_s": read_bytes / forwards * row.decode_tokens_per_s / GB,
            }
        )
    return pd.DataFrame(rows, columns=["arm", "bytes_per_token", "tokens_per_s", "gb_per_s"])


def _roof(story: Story) -> tuple[float, str] | None:
    """GB/s of this machine's memory and where that comes from; None where nobody knows."""
    measured = _isolated(story.readback.run.folder / ISOLATION)
    if measured is not None:
        return measured, "measured by bench isolate"
    host = story.readback.run.header.host
    published = apple_bandwidth(host.chip or "", host.gpu_cores)
    return (published / GB, "published by Apple, not measured here") if published else None


def _isolated(file: Path) -> float | None:
    import pandas as pd

    if not file.is_file():
        return None
    try:
        steps = rows_from_columns(Step, dict(pd.read_csv(file).items()))  # type: ignore[arg-type]
    except (OSError, ValueError):
        return None
    if isinstance(steps, Withheld):
        return None
    stream = measured_stream(steps)
    return None if isinstance(stream, Withheld) else stream.bandwidth_bytes_per_s.point / GB


def _advice(story: Story) -> str:
    return f"bench isolate --csv {story.readback.run.folder / ISOLATION}"


def _draw(story: Story, table: pd.DataFrame, roof: tuple[float, str]) -> Figure:
    looks = {name: look for name, look in arm_looks(story).items() if name in set(table["arm"])}
    figure, [[axes]] = page_figure(3.5 + legend_in(looks))
    axes.set_xscale("log")
    axes.set_yscale("log")
    for row in rows_of(table):
        look = looks[str(row.arm)]
        axes.plot(
            row.bytes_per_token / 1e6, row.tokens_per_s, look.marker, color=look.colour, mfc=look.face, ms=7
        )
    _scale(axes, table, roof)
    _draw_bandwidths(axes, table, roof)
    arm_legend(figure, looks)
    return figure


def _scale(axes: Axes, table: pd.DataFrame, roof: tuple[float, str]) -> None:
    """Room for all points, and for the roof above them."""
    from matplotlib.ticker import LogLocator, NullFormatter, StrMethodFormatter

    mb = table["bytes_per_token"] / 1e6
    rates = table["tokens_per_s"]
    highest = max(rates.max(), (roof[0] * 1000 / mb).max())
    axes.set_xlim(mb.min() / 1.8, mb.max() * 1.8)
    axes.set_ylim(rates.min() / 2, highest * 2)
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axis.set_major_formatter(StrMethodFormatter("{x:g}"))
        axis.set_minor_formatter(NullFormatter())
    axes.set_xlabel("bytes that a token must read, counted (MB)")
    axes.set_ylabel("decode speed (tokens/s)")


def _draw_bandwidths(axes: Axes, table: pd.DataFrame, roof: tuple[float, str]) -> None:
    """Lines of equal GB/s: what each arm achieved, dotted, and the roof."""
    mb = np.array(axes.get_xlim())
    for gb_per_s in _apart(table["gb_per_s"].to_list()):
        axes.plot(mb, gb_per_s * 1000 / mb, ":", color=GREY, linewidth=0.8, zorder=1)
        _name_line(axes, gb_per_s, f"{gb_per_s:.3g} GB/s")
    axes.plot(mb, roof[0] * 1000 / mb, "-", color=INK, linewidth=1.4, zorder=1)
    _name_line(axes, roof[0], f"roof {roof[0]:.3g} GB/s")


def _apart(values: list[float]) -> list[float]:
    """Values of which no two are so alike that their lines and names would overlap."""
    apart: list[float] = []
    for value in sorted(values):
        if not apart or value > 1.35 * apart[-1]:
            apart.append(value)
    return apart


def _name_line(axes: Axes, gb_per_s: float, text: str) -> None:
    """Names stand at the left end of a line if that is inside, else where the line leaves at the top."""
    left_mb, top = axes.get_xlim()[0] * 1.03, axes.get_ylim()[1]
    x_mb = max(left_mb, gb_per_s * 1000 / top * 1.05)
    axes.annotate(
        text,
        (x_mb, gb_per_s * 1000 / x_mb),
        xytext=(2, 2),
        textcoords="offset points",
        color=GREY,
        bbox={"facecolor": GROUND, "edgecolor": "none", "pad": 0.5, "alpha": 0.8},
    )
