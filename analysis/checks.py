"""What could overturn a result: warnings as values, found in the slots themselves.

throttled           a slot's thermal pressure was above nominal
few readings        a slot holds fewer readings than a claim needs (`value` is the count)
short window        a slot is shorter than a claim needs (`value` in seconds)
drift               an arm's cost per request moved over the run (`value` is the change, a fraction)
A/A spread large    what the run can mistake for an effect exceeds the threshold (`value`, a fraction)
A/A differs         the two identical arms differ, with an interval that excludes 1 (`value`, a fraction)
outlier             a slot lies far from its arm's others; it is kept (`value` in robust deviations)
excluded            slots failed a gate that was declared before (`value` is the count)
blocks left out     blocks do not count (`value` is the number)
grade 0             the joules are not a measurement of this run
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence

import numpy as np
from scipy import stats

from analysis.rows import Slot
from analysis.savings import Saving
from analysis.values import Caution, FloatArray

FEWEST_READINGS = 30
SHORTEST_WINDOW_S = 60.0
NOMINAL = ("nominal", "none")
LARGEST_DRIFT = 0.05
FAR_OUT = 5.0
"""In median absolute deviations scaled to a normal's; three would flag one slot in every 400 good ones."""
FEWEST_SLOTS = 6
"""Below, an outlier or a drift can't be told from noise."""


def check_slots(slots: Sequence[Slot]) -> tuple[Caution, ...]:
    """Warnings about single slots and arms, in the order of the module's list."""
    checks: tuple[Callable[[Sequence[Slot]], Iterator[Caution]], ...] = (
        _throttled,
        _few_readings,
        _short_windows,
        _drift,
        _outliers,
        _excluded,
        _not_measured,
    )
    return tuple(caution for check in checks for caution in check(slots))


def check_saving(saving: Saving) -> tuple[Caution, ...]:
    """Warnings about one verdict."""
    return tuple(_aa_checks(saving)) + tuple(
        Caution(
            code="blocks left out",
            subject=saving.question.treated,
            value=count,
            limit=0,
            meaning=f"{reason}: these blocks do not count",
        )
        for reason, count in sorted(saving.left_out.items())
    )


def _aa_checks(saving: Saving) -> Iterator[Caution]:
    floor, repeat = saving.noise_floor, saving.repeat_ratio
    threshold, arm = saving.question.threshold, saving.question.repeat or ""
    if floor is not None and floor > threshold:
        yield Caution(
            code="A/A spread large",
            subject=arm,
            value=floor,
            limit=threshold,
            meaning="this run can mistake that much for an effect; more blocks or a quieter machine lower it",
        )
    if repeat is not None and not repeat.contains(1.0):
        yield Caution(
            code="A/A differs",
            subject=arm,
            value=repeat.point - 1,
            limit=0.0,
            meaning="identical arms came out different: one run in 20 does so by chance",
        )


def _slot_name(slot: Slot) -> str:
    return f"{slot.arm}, block {slot.block}, slot {slot.position}"


def _throttled(slots: Sequence[Slot]) -> Iterator[Caution]:
    for slot in slots:
        if slot.thermal is not None and slot.thermal.lower() not in NOMINAL:
            yield Caution(
                code="throttled",
                subject=_slot_name(slot),
                value=None,
                limit=None,
                meaning=f"thermal pressure was {slot.thermal}: the machine was slower than it is when cool",
            )


def _few_readings(slots: Sequence[Slot]) -> Iterator[Caution]:
    for slot in slots:
        if slot.readings is not None and slot.readings < FEWEST_READINGS:
            yield Caution(
                code="few readings",
                subject=_slot_name(slot),
                value=slot.readings,
                limit=FEWEST_READINGS,
                meaning="the edges of the window weigh too much for a claim",
            )


def _short_windows(slots: Sequence[Slot]) -> Iterator[Caution]:
    for slot in slots:
        if slot.seconds_s < SHORTEST_WINDOW_S:
            yield Caution(
                code="short window",
                subject=_slot_name(slot),
                value=slot.seconds_s,
                limit=SHORTEST_WINDOW_S,
                meaning="power has not settled: good for a look, not for a claim",
            )


def _by_arm(slots: Sequence[Slot]) -> Iterator[tuple[str, list[Slot], FloatArray]]:
    """Arm of a run, its slots in order, and log of cost per request: joules, or seconds without them."""
    groups: dict[tuple[str, str], list[Slot]] = defaultdict(list)
    for slot in sorted(slots, key=lambda s: (s.run, s.position)):
        if slot.excluded is None and slot.requests and slot.seconds_s > 0:
            groups[slot.run, slot.arm].append(slot)
    for (_, arm), group in groups.items():
        metered = all(slot.gross_j is not None and slot.gross_j > 0 for slot in group)
        costs = [(slot.gross_j if metered else slot.seconds_s) or 0.0 for slot in group]
        work = [slot.requests for slot in group]
        if len(group) >= FEWEST_SLOTS:
            yield arm, group, np.log(np.array(costs) / np.array(work))


def _drift(slots: Sequence[Slot]) -> Iterator[Caution]:
    for arm, group, log_cost in _by_arm(slots):
        positions = np.array([slot.position for slot in group], dtype=np.float64)
        slope = float(stats.theilslopes(log_cost, positions)[0])
        change = float(np.expm1(slope * np.ptp(positions)))
        if abs(change) > LARGEST_DRIFT:
            yield Caution(
                code="drift",
                subject=arm,
                value=change,
                limit=LARGEST_DRIFT,
                meaning="cost per request moved over the run: ratios of counterbalanced blocks bear it",
            )


def _outliers(slots: Sequence[Slot]) -> Iterator[Caution]:
    for _, group, log_cost in _by_arm(slots):
        spread = float(stats.median_abs_deviation(log_cost, scale="normal"))
        distances = np.abs(log_cost - np.median(log_cost)) / spread if spread > 0 else np.zeros(len(group))
        for slot, distance in zip(group, distances, strict=True):
            if distance > FAR_OUT:
                yield Caution(
                    code="outlier",
                    subject=_slot_name(slot),
                    value=float(distance),
                    limit=FAR_OUT,
                    meaning="far from the arm's other slots; kept, as no declared gate speaks against it",
                )


def _excluded(slots: Sequence[Slot]) -> Iterator[Caution]:
    gates: dict[str, int] = defaultdict(int)
    for slot in slots:
        if slot.excluded is not None:
            gates[slot.excluded] += 1
    for gate, count in sorted(gates.items()):
        yield Caution(
            code="excluded",
            subject=gate,
            value=count,
            limit=0,
            meaning="slots failed this gate, which was declared before the run, and do not count",
        )


def _not_measured(slots: Sequence[Slot]) -> Iterator[Caution]:
    kinds = sorted({slot.kind for slot in slots if slot.grade == 0})
    for kind in kinds:
        yield Caution(
            code="grade 0",
            subject=kind,
            value=0,
            limit=1,
            meaning=f"the joules are {kind}: they show what the harness does, not what this machine uses",
        )
