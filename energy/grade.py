"""How far a joule figure can be trusted, as a number that is printed with it.

    0  modelled, simulated, replayed   not a measurement of this run
    1  sampled         a meter was read, but rails are missing, stale, or the window is too short for the
                       meter's readings or its lag
    2  metered         all rails of the boundary, self-test passed, edge bound below 2 %
    3  cross-checked   as 2, and another instrument agrees within its bound
    4  wall            an external meter covers the window

The lowest thing that holds sets the grade, and every such thing is named.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from energy.base import Boundary, Kind
from energy.cadence import LEAST_READINGS

WIDEST_BOUND = 0.02
WIDEST_EDGES = WIDEST_BOUND / 2
"""Of a window, what its two edges may be misplaced by: the other half is for the readings that they cut."""

SPARE = 1.4
"""A window that is to mend a bound is so much longer: the next may cut its readings worse."""


NAMES = {1: "sampled", 2: "metered", 3: "cross-checked", 4: "wall"}

SelfTest = Literal["passed", "failed", "not run"]


@dataclass(frozen=True, kw_only=True)
class Facts:
    """What a figure's grade follows from."""

    kind: Kind
    boundary: Boundary
    missing_rails: tuple[str, ...]
    """Rails of the boundary that were not measured over the whole window."""
    faults: tuple[str, ...]
    """Kinds of the faults that touch the window."""
    readings: int
    window_s: float
    """Length of the window."""
    placed_s: float
    """How far readings may lie from where the power was: alignment of the clocks, and the meter's lag."""
    joules: float | None
    bound_j: float | None
    self_test: SelfTest
    idle_stable: bool | None = None
    """None: idle was not measured."""
    cross_check: bool | None = None
    """Whether another instrument agrees; None: there is none."""
    same_counters: bool | None = None
    """Whether a second look at the same counters agrees, which can't make a figure truer; None: none."""


@dataclass(frozen=True, kw_only=True)
class Grade:
    """A grade from 0 to 4, its name, and what keeps it from being higher."""

    level: int
    name: str
    reasons: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.level} {self.name}"


def grade(facts: Facts) -> Grade:
    """The grade of a figure, from nothing but its facts."""
    if facts.kind != "measured":
        return Grade(level=0, name=facts.kind, reasons=(f"{facts.kind}, not a measurement of this run",))
    lowering = _what_makes_it_sampled(facts)
    if lowering:
        return Grade(level=1, name=NAMES[1], reasons=lowering)
    if facts.boundary == "wall":
        return Grade(level=4, name=NAMES[4], reasons=())
    if facts.cross_check is True:
        return Grade(level=3, name=NAMES[3], reasons=("no external meter",))
    return Grade(level=2, name=NAMES[2], reasons=_why_not_cross_checked(facts))


def _why_not_cross_checked(facts: Facts) -> tuple[str, ...]:
    """What keeps a figure that is metered from grade 3."""
    if facts.cross_check is False:
        return ("another instrument disagrees",)
    reasons = ["no other instrument checks it"]
    if facts.same_counters is not None:
        agree = "agree" if facts.same_counters else "disagree"
        reasons.append(f"the same counters, read by two tools, {agree}: consistent at best, not independent")
    return tuple(reasons)


def _what_makes_it_sampled(facts: Facts) -> tuple[str, ...]:
    """Every reason for which a meter's figure is no more than a sample."""
    reasons = []
    if facts.missing_rails:
        reasons.append(f"rails missing: {', '.join(facts.missing_rails)}")
    if facts.faults:
        reasons.append(f"faults in the window: {', '.join(facts.faults)}")
    if facts.readings < LEAST_READINGS:
        reasons.append(f"{facts.readings} readings in the window, {LEAST_READINGS} are needed")
    if facts.joules is None or facts.bound_j is None:
        reasons.append("no joules, or none with a bound")
    elif facts.bound_j >= WIDEST_BOUND * facts.joules:
        known = f"known to {facts.bound_j:.3g} J of {facts.joules:.3g} J, 2 % is needed"
        share = facts.bound_j / facts.joules if facts.joules > 0 else None
        reasons.append(
            known if share is None else f"{known}: windows of {mending_s(facts.window_s, share)} s would do"
        )
    edges = 2 * facts.placed_s / facts.window_s
    if edges > WIDEST_EDGES and facts.boundary != "wall":
        placed = f"power is placed within {1e3 * facts.placed_s:.0f} ms, {100 * edges:.2g} % of the window"
        would_do_s = whole_s(facts.window_s * edges / WIDEST_EDGES)
        reasons.append(
            f"{placed} at its two edges, less than 1 % is needed: windows of {would_do_s} s would do"
        )
    if facts.self_test != "passed" and facts.boundary != "wall":
        reasons.append(f"self-test {facts.self_test}")
    if facts.idle_stable is False:
        reasons.append("idle was not stable")
    return tuple(reasons)


def mending_s(window_s: float, share: float) -> int:
    """Seconds of a window whose bound is narrow enough for grade 2, where a shorter one had this share.

    A bound is of the edges alone, so its share falls as the window grows.
    """
    return whole_s(SPARE * window_s * share / WIDEST_BOUND)


def whole_s(seconds_s: float) -> int:
    """No less than this: in whole seconds below ten, in fives above."""
    step_s = 1 if seconds_s < 10 else 5
    return step_s * math.ceil(seconds_s / step_s)
