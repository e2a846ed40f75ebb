"""Where the joules went: by phase, as far as the readings can tell phases apart, and by rail."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from analysis.values import NOT_ESTIMATED
from bench.report.figures.arms import ROW_IN, below, name_rows, no_joules, records_of
from bench.report.figures.drawing import Drawing, NotDrawn
from bench.report.slots import SlotRead, that_count
from bench.report.story import Story
from bench.run.records import ArmKey
from bench.show.plots import (
    DECODE,
    FAINT,
    GREY,
    GROUND,
    HATCHES,
    INK,
    PREFILL,
    letters_a_line,
    page_figure,
    words,
)
from energy.boundary import total_j
from energy.phases import GAP, PhasePower, phase_power

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

PHASES = ("prefill", "decode", GAP)
LOOKS = dict(zip(PHASES, ((PREFILL, ""), (DECODE, ""), (FAINT, HATCHES[2])), strict=True))
SHADES = ("#4D4D4D", "#A6A6A6", "#E3E3E3", "#7A7A7A", "#C8C8C8")
SHOWN = {GAP: "gate and gaps"}
WITHHELD = "not estimated: not separable"
LEAST_SEEN = 0.005
"""Of a bar: what is less can't be seen in it."""
ENOUGH_READINGS = 1200
"""So many readings of an arm give its phases; all those of a long run would say the same, later."""

Floats = NDArray[np.float64]


def make(story: Story) -> Drawing | NotDrawn:
    """Two panels over the same configurations: joules per repeat by phase, and by rail."""
    reason = no_joules(story)
    if reason is not None:
        return NotDrawn(reason)
    table = share_table(story)
    return Drawing(
        title=_finding(records_of(table)[0]),
        alt=" ".join(_sentence(row) for row in records_of(table)),
        table=table,
        draw=lambda: _draw(story, table),
    )


def _finding(row: dict[str, Any]) -> str:
    """What took the most of the first arm's joules, as far as phases can be told apart."""
    known = {name: row[f"{name}_j"] for name in PHASES if not row[f"{name}_withheld"]}
    whole = row["gross_j"]
    if not known or not whole > 0:
        idle = row["idle_share_j"] / whole if whole > 0 else float("nan")
        of_idle = "" if idle != idle else f"; idle power alone explains {100 * idle:.0f} %"
        return f"Prefill and decode of {row['arm']} can't be told apart by this meter{of_idle}"
    most = max(known, key=lambda name: known[name])
    name = SHOWN.get(most, most).capitalize()
    return f"{name} takes {100 * known[most] / whole:.0f} % of the joules of {row['arm']}"


def share_table(story: Story) -> pd.DataFrame:
    """One row per arm: J per pass in all, at idle, in each phase with its interval, and on each rail."""
    import pandas as pd

    rows = []
    for row in story.summary.rows:
        slots = that_count(story.readback.of_arm(_key(row)))
        gross_j = np.nan if row.gross_per_repeat_j is None else row.gross_per_repeat_j
        idle_w = story.readback.idle.judged.mean_w
        shares: dict[str, Any] = {"arm": row.label, "passes": row.repeats, "gross_j": gross_j}
        shares["idle_share_j"] = np.nan if idle_w is None else idle_w * row.seconds_per_repeat_s
        parts = _by_phase(slots, story, passes=row.repeats) | _by_rail(slots, passes=row.repeats)
        weight = _weight(slots, gross_j=gross_j, passes=row.repeats)
        shares |= {name: part * weight if name.endswith("_j") else part for name, part in parts.items()}
        rows.append(shares)
    return pd.DataFrame(rows)


def _key(row: Any) -> ArmKey:
    return row.backend, row.gate, row.a_a


def _weight(slots: Sequence[SlotRead], *, gross_j: float, passes: int) -> float:
    """What makes the parts add up to the total, in which every block weighs the same."""
    pooled_j = sum(slot.gross_j or 0.0 for slot in slots)
    return gross_j * passes / pooled_j if pooled_j else 1.0


def _by_rail(slots: Sequence[SlotRead], *, passes: int) -> dict[str, float]:
    rails = {rail: None for slot in slots for rail in slot.record.joules.rails_j}
    by_rail = {}
    for rail in rails:
        values = [slot.record.joules.rails_j.get(rail) for slot in slots]
        known = [np.nan if value is None else value for value in values]
        by_rail[f"rail_{rail}_j"] = float(np.sum(known)) / passes if passes else np.nan
    return by_rail


def _by_phase(slots: Sequence[SlotRead], story: Story, *, passes: int) -> dict[str, Any]:
    """Joules per pass of each phase: its watts, from some of the slots, times its seconds in all of them."""
    spent_s = dict.fromkeys(PHASES, 0.0)
    for slot in slots:
        for name, spans in _phases(slot).items():
            spent_s[name] += float(np.sum(spans[:, 1] - spans[:, 0]))
    spent_s[GAP] = sum(slot.seconds_s for slot in slots) - spent_s["prefill"] - spent_s["decode"]
    power = _powers([s for s in slots if s.gross_j is not None], story)
    by_phase: dict[str, Any] = {}
    for name in PHASES:
        fit = power.get(name)
        per_pass_s = spent_s[name] / passes if passes else np.nan
        for column, watts in (("j", "watts"), ("low_j", "low_w"), ("high_j", "high_w")):
            value = None if fit is None else getattr(fit, watts)
            by_phase[f"{name}_{column}"] = np.nan if value is None else value * per_pass_s
        by_phase[f"{name}_s"] = per_pass_s
        by_phase[f"{name}_withheld"] = "no readings" if fit is None else fit.withheld or ""
    return by_phase


def _powers(slots: Sequence[SlotRead], story: Story) -> dict[str, PhasePower]:
    """Watts of each phase, from slots spread over the run and laid end to end.

    Within a slot a reading holds a mixture of phases; laying slots end to end changes none of them.
    """
    start_s, end_s, joules = [], [], []
    phases: dict[str, list[Floats]] = {"prefill": [], "decode": []}
    now_s, alignment_s = 0.0, 0.0
    for slot in _some(slots):
        lead = story.readback.sources[slot.record.session].lead
        begin_s, until_s = slot.record.start_s, slot.record.end_s
        first = int(np.searchsorted(lead.trace.start_s, begin_s))
        last = int(np.searchsorted(lead.trace.end_s, until_s, side="right"))
        start_s.append(lead.trace.start_s[first:last] - begin_s + now_s)
        end_s.append(lead.trace.end_s[first:last] - begin_s + now_s)
        joules.append(total_j(lead.trace, lead.info.rails)[first:last])
        for name, spans in _phases(slot).items():
            phases[name].append(spans - begin_s + now_s)
        now_s += until_s - begin_s
        alignment_s = max(alignment_s, lead.trace.alignment_s)
    if not start_s:
        return {}
    return phase_power(
        np.concatenate(start_s),
        np.concatenate(end_s),
        np.concatenate(joules),
        {name: np.concatenate(spans) for name, spans in phases.items()},
        (0.0, now_s),
        alignment_s=alignment_s,
    )


def _some(slots: Sequence[SlotRead]) -> list[SlotRead]:
    """So many slots, spread evenly, that their readings are enough."""
    readings = sum(slot.record.joules.readings for slot in slots)
    wanted = max(1, round(len(slots) * min(1.0, ENOUGH_READINGS / max(readings, 1))))
    chosen = np.linspace(0, len(slots) - 1, wanted).round().astype(int)
    return [slots[i] for i in chosen] if slots else []


def _phases(slot: SlotRead) -> dict[str, Floats]:
    spans = [(r.gated_s, r.prefilled_s, r.end_s) for r in slot.answers]
    edges = np.array(spans, dtype=np.float64).reshape(-1, 3)
    return {"prefill": edges[:, :2], "decode": edges[:, 1:]}


def _sentence(row: dict[str, Any]) -> str:
    parts = [
        f"{name} {NOT_ESTIMATED}" if row[f"{name}_withheld"] else f"{name} {row[f'{name}_j']:.3g} J"
        for name in PHASES
    ]
    at_idle = row["idle_share_j"]
    idle = "" if at_idle != at_idle else f", of which idle would have taken {at_idle:.3g} J"
    return f"{row['arm']}: {row['gross_j']:.3g} J{idle}; {', '.join(parts)}."


def _draw(story: Story, table: pd.DataFrame) -> Figure:
    beside = letters_a_line() > 90
    panel_in = 0.75 + ROW_IN * len(table)
    figure, grid = page_figure(
        0.6 + panel_in * (1 if beside else 2), nrows=1 if beside else 2, ncols=2 if beside else 1
    )
    by_phase, by_rail = grid.flat
    rows = records_of(table)
    drawn = _draw_phases(by_phase, rows) | _draw_rails(by_rail, rows)
    for axes, said in ((by_phase, "by phase"), (by_rail, "by rail")):
        axes.set_title(said)
        axes.set_xlabel("energy per repeat (J)")
        name_rows(axes, list(table["arm"]), panels=2 if beside else 1)
    below(figure, list(drawn.values()))
    return figure


def _draw_phases(axes: Axes, rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Phases that are known, then what is left and can't be told apart; a tick where idle power would end."""
    handles: dict[str, Any] = {}
    for position, row in enumerate(rows):
        left_j = 0.0
        for name in PHASES:
            if not row[f"{name}_withheld"]:
                colour, hatch = LOOKS[name]
                bar = axes.barh(position, row[f"{name}_j"], left=left_j, **_filled(colour, hatch))
                handles.setdefault(name, bar).set_label(SHOWN.get(name, name))
                left_j += row[f"{name}_j"]
        open_ = [name for name in PHASES if row[f"{name}_withheld"]]
        if open_ and row["gross_j"] - left_j > LEAST_SEEN * row["gross_j"]:
            bar = axes.barh(position, row["gross_j"] - left_j, left=left_j, **_filled(GROUND, "xxxx"))
            handles.setdefault(WITHHELD, bar).set_label(WITHHELD)
        if row["idle_share_j"] == row["idle_share_j"]:
            (tick,) = axes.plot(
                [row["idle_share_j"]] * 2, [position - 0.29, position + 0.29], color=INK, lw=2
            )
            handles.setdefault("idle", tick).set_label("idle power for as long")
    return handles


def _draw_rails(axes: Axes, rows: list[dict[str, Any]]) -> dict[str, Any]:
    rails = [name for name in rows[0] if name.startswith("rail_")]
    handles: dict[str, Any] = {}
    for position, row in enumerate(rows):
        left_j = 0.0
        for i, rail in enumerate(rails):
            if row[rail] == row[rail] and row[rail] > 0:
                look = _filled(SHADES[i % 5], HATCHES[(2 * i) % 7])
                bar = axes.barh(position, row[rail], left=left_j, **look)
                handles.setdefault(rail, bar).set_label(f"{words(rail[5:-2])} rail")
                left_j += row[rail]
    return handles


def _filled(colour: str, hatch: str) -> dict[str, Any]:
    return {"color": colour, "hatch": hatch, "edgecolor": GREY, "linewidth": 0.5, "height": 0.5}
