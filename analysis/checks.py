"""What could overturn a result: the gates by which slots are left out, and warnings as values.

Slots are left out by these gates alone, which are declared here and so before any run:

    as published    the run repeats the papers' protocol, which no verdict may rest on
    throttled       thermal pressure rose above nominal within the slot
    power changed   the machine's power source or power mode was another than when the session began
    few readings    the meter gave too few readings of it

What else looks odd is named and kept:

    left out        slots failed a gate (`value` is how many)
    short window    the shortest slot is shorter than a claim needs (`value` in seconds)
    drift           an arm's cost per request moved over the run (`value` is the change, a fraction)
    outlier         slots lie far from their arm's others (`value` is how many)
    grade 0         the joules are not a measurement of this run
    few blocks      no arm has the blocks that a claim needs (`value` is the most that one has)
    noisy           the ungated arm differs from itself by more than a quiet machine does (a fraction)
    correlated      blocks follow each other, so that a verdict would not stand (`value` is the correlation)
    A/A differs     the two identical arms differ, with an interval that excludes 1 (a fraction)
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from analysis.rows import Slot
from analysis.values import FloatArray
from analysis.verdict import Judgement, too_few_blocks
from analysis.words import counted, listed

AS_PUBLISHED = "the published protocol: unwarmed, one configuration after another"
SHORTEST_WINDOW_S = 60.0
LARGEST_DRIFT = 0.05
LARGEST_FLOOR = 0.10
"""An A/A floor above it says that something else was running."""
FAR_OUT = 5.0
"""In median absolute deviations scaled to a normal's; three would flag one slot in every 400 good ones."""
FEWEST_SLOTS = 6
"""Below, an outlier or a drift can't be told from noise."""


@dataclass(frozen=True, kw_only=True)
class Caution:
    """A warning that stands beside a figure."""

    code: str
    """Stable name, as in the module's list; whoever adds a warning gives it a name of its own."""
    subject: str
    """What it is about: a gate, an arm, a kind of joules, a backend."""
    said: str
    """What was seen, and what it does to the figures."""
    is_named: bool = False
    """Whether the sentence begins with the subject."""
    value: float | None = None
    """What was seen, in the unit that the module's list gives; None where there is nothing to count."""

    @property
    def words(self) -> str:
        """One sentence."""
        return f"{self.subject}: {self.said}" if self.is_named else self.said


def gate_that_failed(
    *,
    throttled: str | None,
    power: str | None,
    readings: int | None,
    fewest_readings: int,
    as_published: bool = False,
) -> str | None:
    """Which gate a slot failed, in the words that stand beside a verdict; None if it counts.

    Args:
        throttled: thermal pressure above nominal within the slot, in the meter's word; None if none.
        power: how power source or mode differ from the session's start, in words; None if they don't.
        readings: of the slot; None without a meter.
        fewest_readings: below which a window has no joules.
        as_published: whether its run was unwarmed, its arms one after another.
    """
    if as_published:
        return AS_PUBLISHED
    if throttled is not None:
        return f"throttled: thermal pressure {throttled}"
    if power is not None:
        return f"power changed: {power}"
    if readings is not None and readings < fewest_readings:
        return f"fewer than {fewest_readings} readings"
    return None


def check_slots(slots: Sequence[Slot]) -> tuple[Caution, ...]:
    """Warnings about slots and arms, in the order of the module's list."""
    by_arm = list(_by_arm(slots))
    return (
        *_left_out(slots),
        *_short_windows(slots),
        *_drift(by_arm),
        *_outliers(by_arm),
        *_not_measured(slots),
    )


def check_judgements(judgements: Mapping[str, Sequence[Judgement]]) -> tuple[Caution, ...]:
    """Warnings about the verdicts of a run, by backend."""
    return tuple(caution for check in (_few_blocks, _correlated, _noise) for caution in check(judgements))


def _left_out(slots: Sequence[Slot]) -> Iterator[Caution]:
    for gate, number in sorted(Counter(slot.excluded for slot in slots if slot.excluded).items()):
        seen = f"{number} of {counted(len(slots), 'window')} left out ({gate})"
        yield Caution(
            code="left out", subject=gate, value=number, said=f"{seen}: no verdict rests on their blocks"
        )


def _short_windows(slots: Sequence[Slot]) -> Iterator[Caution]:
    shortest_s = min((slot.seconds_s for slot in slots), default=SHORTEST_WINDOW_S)
    if shortest_s < SHORTEST_WINDOW_S:
        words = f"the shortest window lasted {shortest_s:.1f} s: short windows are mostly edge"
        yield Caution(
            code="short window",
            subject="run",
            value=shortest_s,
            said=f"{words} (a claim needs {SHORTEST_WINDOW_S:.0f} s)",
        )


ArmCosts = tuple[str, list[Slot], FloatArray]


def _by_arm(slots: Sequence[Slot]) -> Iterator[ArmCosts]:
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


def _drift(by_arm: Sequence[ArmCosts]) -> Iterator[Caution]:
    for arm, group, log_cost in by_arm:
        positions = np.array([slot.position for slot in group], dtype=np.float64)
        slope = float(stats.theilslopes(log_cost, positions)[0])
        change = float(np.expm1(slope * np.ptp(positions)))
        if abs(change) > LARGEST_DRIFT:
            moved = f"{'rose' if change > 0 else 'fell'} by {100 * abs(change):.0f} %"
            words = f"cost per request {moved} over the run"
            yield Caution(
                code="drift",
                subject=arm,
                is_named=True,
                value=change,
                said=f"{words}; ratios of counterbalanced blocks bear it",
            )


def _outliers(by_arm: Sequence[ArmCosts]) -> Iterator[Caution]:
    for arm, group, log_cost in by_arm:
        spread = float(stats.median_abs_deviation(log_cost, scale="normal"))
        distances = np.abs(log_cost - np.median(log_cost)) / spread if spread > 0 else np.zeros(len(group))
        far = [str(slot.block) for slot, d in zip(group, distances, strict=True) if d > FAR_OUT]
        if far:
            where = f"block {listed(list(dict.fromkeys(far)))}"
            yield Caution(
                code="outlier",
                subject=arm,
                is_named=True,
                value=len(far),
                said=f"{counted(len(far), 'window')} far from its others ({where}); kept, as no "
                "declared gate speaks against it",
            )


def _not_measured(slots: Sequence[Slot]) -> Iterator[Caution]:
    kinds = sorted({slot.kind for slot in slots} - {"measured", "none"})
    if kinds:
        words = f"joules are {listed(kinds)}, not measured: no claim can rest on them"
        yield Caution(code="grade 0", subject=listed(kinds), value=0, said=words)


def _few_blocks(judgements: Mapping[str, Sequence[Judgement]]) -> Iterator[Caution]:
    judged = [one for mine in judgements.values() for one in mine]
    if judged and all(one.verdict == "not enough blocks" for one in judged):
        most = max(one.blocks for one in judged)
        yield Caution(code="few blocks", subject="run", value=most, said=too_few_blocks(most))


def _correlated(judgements: Mapping[str, Sequence[Judgement]]) -> Iterator[Caution]:
    """Verdicts that rest on independent blocks where these visibly are not."""
    for backend, judged in judgements.items():
        for one in judged:
            if one.rests_on_independence:
                words = f"blocks follow each other (correlation with the next {one.lag_1:.2f})"
                yield Caution(
                    code="correlated",
                    subject=backend,
                    is_named=True,
                    value=one.lag_1,
                    said=f"{words}, and with that the verdict would not be {one.verdict}",
                )


def _noise(judgements: Mapping[str, Sequence[Judgement]]) -> Iterator[Caution]:
    for backend, judged in judgements.items():
        floor = max((one.noise_floor for one in judged if one.noise_floor is not None), default=0.0)
        if floor > LARGEST_FLOOR:
            words = f"the baseline differs from itself by {100 * floor:.0f} %"
            yield Caution(
                code="noisy",
                subject=backend,
                is_named=True,
                value=floor,
                said=f"{words}, so the machine was not quiet: see bench doctor, then run again",
            )
        unlike = [one.repeat_ratio for one in judged if one.repeat_ratio and not one.repeat_ratio.contains(1)]
        if unlike:
            change = unlike[0].point - 1
            words = f"the baseline twice came out {100 * change:+.1f} % different, and the"
            yield Caution(
                code="A/A differs",
                subject=backend,
                is_named=True,
                value=change,
                said=f"{words} interval holds no zero: one run in 20 does so by chance",
            )
