"""Time along the bottom: the sessions of a run after one another, and lanes that show what ran when."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from bench.report.names import arm_label
from bench.report.story import Story
from bench.run.records import IdleRecord
from bench.show.plots import DECODE, FAINT, GREY, GROUND, PREFILL, Look, letters_a_line, words

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Floats = NDArray[np.float64]
Spans = list[tuple[float, float]]

PAUSE_SHARE = 0.02
"""Room between two sessions, as a share of all; how long the pause really was is not on any clock."""
PIXELS = 950
"""Of a figure's width, about: what is narrower than one can't be seen."""
LANE_IN = 0.17
IDLE, PHASES = "idle", "phase"


@dataclass(frozen=True)
class Timeline:
    """Where the instants of each session lie along the figure. A session's clock means nothing in another."""

    begins_s: dict[int, float]
    """The first reading of each session, on its own clock."""
    shifts_s: dict[int, float]
    """Where the session begins along the figure."""
    length_s: float

    @classmethod
    def of(cls, story: Story) -> Timeline:
        """All sessions that have readings."""
        traces = {number: s.lead.trace for number, s in story.readback.sources.items()}
        edges = {n: (float(t.start_s[0]), float(t.end_s[-1])) for n, t in traces.items() if len(t.end_s)}
        pause_s = PAUSE_SHARE * sum(end_s - start_s for start_s, end_s in edges.values())
        shifts_s, now_s = {}, 0.0
        for number, (start_s, end_s) in edges.items():
            shifts_s[number] = now_s
            now_s += end_s - start_s + pause_s
        begins_s = {number: start_s for number, (start_s, _) in edges.items()}
        return cls(begins_s, shifts_s, max(0.0, now_s - pause_s))

    def place(self, session: int, instants_s: Floats) -> Floats:
        """Instants of a session's clock as seconds along the figure."""
        placed: Floats = np.asarray(instants_s) - self.begins_s[session] + self.shifts_s[session]
        return placed

    @property
    def unit(self) -> tuple[str, float]:
        """A unit in which the length is a handy number, and its seconds."""
        if self.length_s > 3 * 3600:
            return "h", 3600.0
        return ("min", 60.0) if self.length_s > 600 else ("s", 1.0)

    def label(self, axes: Axes) -> None:
        """Name the time axis, and mark where a new session begins."""
        name, unit_s = self.unit
        axes.set_xlabel(f"time since the run's start ({name})")
        axes.set_xlim(-0.005 * self.length_s / unit_s, 1.005 * self.length_s / unit_s)

    def mark_sessions(self, axes: Axes) -> None:
        """Grey out the pauses between sessions, whose length no clock knows."""
        _, unit_s = self.unit
        for number, shift_s in list(self.shifts_s.items())[1:]:
            pause_s = PAUSE_SHARE / (1 + PAUSE_SHARE * (len(self.shifts_s) - 1)) * self.length_s
            axes.axvspan((shift_s - pause_s) / unit_s, shift_s / unit_s, color=FAINT, linewidth=0)
            axes.annotate(
                f"resumed: session {number}",
                (shift_s / unit_s, 1.0),
                xycoords=("data", "axes fraction"),
                xytext=(3, -3),
                textcoords="offset points",
                va="top",
                color=GREY,
                bbox={"facecolor": GROUND, "edgecolor": "none", "pad": 1},
            )


def lane_names(story: Story, timeline: Timeline) -> list[str]:
    """What gets a lane: every arm, idle, and the phases where the shortest of them can be seen."""
    arms = [arm_label(key) for key in story.readback.arms]
    return [*arms, IDLE, *([PHASES] if phases_can_be_seen(story, timeline) else [])]


def draw_lanes(axes: Axes, story: Story, timeline: Timeline, looks: Mapping[str, Look]) -> None:
    """What ran when, a lane for each arm, so that an arm is told by its place and not by colour alone."""
    names = lane_names(story, timeline)
    for lane, name in enumerate(names):
        if name == PHASES:
            _draw_phases(axes, story, timeline, lane)
            continue
        spans = _idle_spans(story, timeline) if name == IDLE else _slot_spans(story, timeline, name)
        colour = GREY if name == IDLE else looks[name].colour
        axes.broken_barh(spans, (lane - 0.4, 0.8), color=colour, linewidth=0.3)
    axes.set_yticks(range(len(names)), [words(name, most=letters_a_line() // 3) for name in names])
    axes.set_ylim(len(names) - 0.4, -0.6)
    axes.tick_params(axis="y", length=0)
    axes.grid(visible=False, axis="y")
    axes.spines["left"].set_visible(False)


def phases_can_be_seen(story: Story, timeline: Timeline) -> bool:
    """Whether the middling prefill is at least two pixels wide."""
    lengths_s = [r.prefill_s for slot in story.slots for r in slot.answers]
    return bool(lengths_s) and float(np.median(lengths_s)) > 2 * timeline.length_s / PIXELS


def _slot_spans(story: Story, timeline: Timeline, name: str) -> Spans:
    slots = [slot.record for slot in story.slots if slot.arm == name]
    return [_span(timeline, s.session, s.start_s, s.end_s) for s in slots]


def _idle_spans(story: Story, timeline: Timeline) -> Spans:
    idle = [i for i in story.readback.run.of(IdleRecord) if i.session in timeline.begins_s]
    return [_span(timeline, i.session, i.start_s, i.end_s) for i in idle]


def _draw_phases(axes: Axes, story: Story, timeline: Timeline, lane: int) -> None:
    """Prefill high and dark, decode low and light; what is left white is neither."""
    requests = [r for slot in story.slots for r in slot.answers]
    prefills = [_span(timeline, r.session, r.gated_s, r.prefilled_s) for r in requests]
    decodes = [_span(timeline, r.session, r.prefilled_s, r.end_s) for r in requests]
    axes.broken_barh(prefills, (lane - 0.4, 0.8), color=PREFILL, linewidth=0)
    axes.broken_barh(decodes, (lane, 0.4), color=DECODE, linewidth=0)


def _span(timeline: Timeline, session: int, start_s: float, end_s: float) -> tuple[float, float]:
    _, unit_s = timeline.unit
    begin, end = timeline.place(session, np.array([start_s, end_s])) / unit_s
    return float(begin), float(end - begin)
