"""Each arm against the ungated arm of its backend: is the saving real?"""

from __future__ import annotations

import math
from dataclasses import dataclass

from analysis.rows import Slot
from analysis.savings import Question, Saving, judge
from bench.report.readback import ArmKey, Readback
from bench.report.rows import arm_label, slot_rows

INACTIVE = "gate inactive"


@dataclass(frozen=True, kw_only=True)
class ArmVerdict:
    """The columns of an arm that judge its joules; all None for the ungated arm itself."""

    joules_saved_percent: float | None = None
    """From the geometric mean over blocks of the ratio of joules."""
    saved_low_percent: float | None = None
    """95 % interval; None below five blocks."""
    saved_high_percent: float | None = None
    noise_floor_percent: float | None = None
    """What the ungated arm `saves` against itself: an effect inside it is not a saving."""
    blocks: int = 0
    """Blocks behind the figures; a claim needs 5."""
    verdict: str | None = None
    """saves, costs, equivalent, inconclusive, not enough blocks, withheld, or gate inactive."""
    reason: str | None = None


def verdicts(readback: Readback, *, threshold: float) -> dict[ArmKey, ArmVerdict]:
    """Judge every arm that is not the ungated one.

    Args:
        readback: what of a run counts.
        threshold: practical threshold of the suite, as a fraction.
    """
    slots = slot_rows(readback)
    gate = readback.run.header["baseline"]
    found = {}
    for key in readback.arms:
        baseline, repeat = (key[0], gate, False), (key[0], gate, True)
        if key == baseline or baseline not in readback.arms:
            found[key] = ArmVerdict()
            continue
        again = repeat if repeat in readback.arms else None
        floor = _judge(slots, repeat, baseline, None, threshold) if again else None
        if key == repeat:
            found[key] = _of_the_copy(floor)
        else:
            saving = _judge(slots, key, baseline, again, threshold)
            found[key] = _columns(saving, floor, inactive=why_inactive(readback, key))
    return found


def _judge(
    slots: list[Slot], treated: ArmKey, baseline: ArmKey, repeat: ArmKey | None, threshold: float
) -> Saving:
    return judge(
        slots,
        Question(
            treated=arm_label(treated),
            baseline=arm_label(baseline),
            repeat=arm_label(repeat) if repeat else None,
            threshold=threshold,
        ),
    )


def _of_the_copy(floor: Saving | None) -> ArmVerdict:
    """The A/A arm has no verdict: whatever it `saves` is the noise floor."""
    if floor is None or not floor.block_ratios:
        return ArmVerdict()
    return ArmVerdict(
        joules_saved_percent=100 * (1 - _mean_ratio(floor.block_ratios)),
        blocks=floor.blocks,
        verdict="A/A",
        reason="the same gate twice: the difference is the noise floor",
    )


def why_inactive(readback: Readback, key: ArmKey) -> str | None:
    """Why an arm's gate takes no effect; None if it does. The A/A arm has no gate to take effect."""
    backend, gate, a_a = key
    sessions = readback.run.of_type("session")
    gates = sessions[-1]["gates"] if sessions else {}
    verdict = gates.get(f"{backend}/{gate}")
    if verdict is None or a_a or gate == readback.run.header["baseline"]:
        return None
    return str(verdict["reason"]) if verdict["outcome"] == INACTIVE else None


def _columns(saving: Saving, copy: Saving | None, *, inactive: str | None) -> ArmVerdict:
    if inactive is not None:
        return ArmVerdict(blocks=saving.blocks, verdict=INACTIVE, reason=inactive)
    floor = saving.noise_floor
    if floor is None and copy is not None and copy.block_ratios:
        floor = 1 - math.exp(-abs(math.log(_mean_ratio(copy.block_ratios))))  # as `analysis.savings` has it
    ratio = saving.ratio
    return ArmVerdict(
        joules_saved_percent=100 * (1 - _mean_ratio(saving.block_ratios)) if saving.block_ratios else None,
        saved_low_percent=100 * (1 - ratio.high) if ratio else None,
        saved_high_percent=100 * (1 - ratio.low) if ratio else None,
        noise_floor_percent=None if floor is None else 100 * floor,
        blocks=saving.blocks,
        verdict=saving.verdict,
        reason=saving.reason,
    )


def _mean_ratio(ratios: tuple[float, ...]) -> float:
    """Geometric mean."""
    return math.exp(sum(map(math.log, ratios)) / len(ratios))
