"""Which prompts each gate sent to which model or cut, against their length."""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING, Any

import numpy as np

from analysis.words import listed
from bench.report.figures.arms import ROW_IN, arm_legend, name_rows
from bench.report.figures.drawing import Drawing, NotDrawn
from bench.report.names import arm_label
from bench.report.readback import Readback
from bench.report.story import Story
from bench.run.records import RequestRecord
from bench.show.plots import looks, page_figure

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

COLUMNS = ["arm", "prompt", "prompt_tokens", "route", "new_tokens"]


def make(story: Story) -> Drawing | NotDrawn:
    """A line per gated configuration, a point per prompt."""
    table = route_table(story)
    if table.empty:
        return NotDrawn(
            "the run has no gated configuration with finished requests; add a gate: bench doctor --plugins"
        )
    if table["route"].nunique() == 1:
        return NotDrawn(f"every gate sent every prompt to {table['route'].iloc[0]}: nothing was routed")
    counts = Counter(zip(table["arm"], table["route"], strict=True))
    shown = ", ".join(f"{arm} sent {count} to {route}" for (arm, route), count in counts.items())
    return Drawing(
        title=_finding(table),
        joules=False,
        alt=f"{shown}.",
        table=table,
        draw=lambda: _draw(table),
    )


def _finding(table: pd.DataFrame) -> str:
    """`torch length sent 3 of 6 prompts elsewhere than most`, or that nothing was routed."""
    said = []
    for arm, routes in table.groupby("arm", sort=False)["route"]:
        counts = routes.value_counts()
        split = [f"{count} to {route}" for route, count in counts.items()]
        said.append(f"{arm} sent {listed(split[:3]) if len(split) > 1 else f'all to {counts.index[0]}'}")
    few = said if len(said) <= 2 else [*said[:2], f"{len(said) - 2} more below"]
    return "; ".join(few)


def route_table(story: Story) -> pd.DataFrame:
    """One row per gated arm and prompt, as it was first asked in a slot that counts."""
    import pandas as pd

    readback = story.readback
    lengths = _usual_lengths(readback)
    rows = [
        {
            "arm": arm_label(key),
            "prompt": prompt,
            "prompt_tokens": lengths.get((key[0], prompt), request.prompt_tokens),
            "route": route_of(request),
            "new_tokens": len(request.tokens),
        }
        for key in readback.arms
        if key[1] != readback.baseline
        for prompt, request in readback.answers(key).items()
    ]
    return pd.DataFrame(rows, columns=COLUMNS)


def route_of(request: RequestRecord) -> str:
    """The model that a prompt was sent to, and what was left out of it."""
    parts = [
        f"{name} {value if isinstance(value, int | float | str) else json.dumps(value)}"
        for name, value in (request.cut or {}).items()
    ]
    return f"{request.model}, {', '.join(parts)}" if parts else request.model


def _usual_lengths(readback: Readback) -> dict[tuple[str, str], int]:
    """Tokens of each prompt for the ungated arm's model: one length, whatever it was sent to."""
    return {
        (key[0], prompt): request.prompt_tokens
        for key in readback.arms
        if key[1] == readback.baseline
        for prompt, request in readback.answers(key).items()
    }


def _draw(table: pd.DataFrame) -> Figure:
    arms = list(dict.fromkeys(table["arm"]))
    routes = looks(sorted(dict.fromkeys(table["route"])))
    figure, [[axes]] = page_figure(1.2 + 1.1 * ROW_IN * len(arms))
    for position, arm in enumerate(arms):
        mine = table.loc[table["arm"] == arm]
        lengths = mine["prompt_tokens"].to_numpy()
        rows = position + _beside_each_other(lengths)
        for route, look in routes.items():
            here = (mine["route"] == route).to_numpy()
            drawn: dict[str, Any] = {"color": look.colour, "mfc": look.face, "ms": 4.5, "alpha": 0.85}
            axes.plot(lengths[here], rows[here], look.marker, **drawn)
    name_rows(axes, arms)
    axes.set_xlabel("prompt length (tokens)")
    axes.xaxis.get_major_locator().set_params(integer=True)
    axes.margins(x=0.04)
    arm_legend(figure, {f"to {route}": look for route, look in routes.items()})
    return figure


def _beside_each_other(lengths: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Offsets within a line that keep prompts of one length apart."""
    order = np.zeros(len(lengths))
    seen: dict[int, int] = {}
    for i, length in enumerate(lengths.tolist()):
        order[i] = seen[length] = seen.get(length, -1) + 1
    crowd = max(seen.values(), default=0)
    return (order - np.array([seen[length] for length in lengths.tolist()]) / 2) * min(
        0.12, 0.45 / max(crowd, 1)
    )
