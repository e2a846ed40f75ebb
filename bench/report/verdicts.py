"""Each arm against the ungated arm of its backend: is the saving real?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from analysis.contrast import judge, judge_together
from analysis.rows import Slot
from analysis.verdict import COPY, INACTIVE, VERDICTS, Judgement
from bench.report.readback import Readback, read_back
from bench.report.rows import arm_label, held
from bench.run import store
from bench.run.records import ArmKey, SessionRecord


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
    p: float | None = None
    """One-sided p of lying beyond the threshold, of this arm alone."""
    p_holm: float | None = None
    """The same, corrected for the arms that are held against the same ungated arm (Holm)."""
    lag_1: float | None = None
    """Correlation of a block's log-ratio with the next one's; the interval takes it to be 0."""
    saved_low_ar1_percent: float | None = None
    """The 95 % interval if blocks followed each other with that correlation."""
    saved_high_ar1_percent: float | None = None


def judge_arms(
    slots: Sequence[Slot], arms: Sequence[ArmKey], *, baseline: str, threshold: float
) -> dict[ArmKey, Judgement]:
    """The judgement on every arm that has an ungated arm beside it; the ungated arms have none.

    Args:
        slots: of one run.
        arms: of that run.
        baseline: gate label of the ungated arms.
        threshold: practical threshold of the suite, as a fraction.
    """
    judged: dict[ArmKey, Judgement] = {}
    for backend in dict.fromkeys(key[0] for key in arms if key[1:] == (baseline, False)):
        plain = held(slots, (backend, baseline, False), baseline)
        together = judge_together(plain, threshold=threshold)
        others = [key for key in arms if key[0] == backend and key[1:] != (baseline, False)]
        judged |= {
            key: together.get(arm_label(key)) or judge(held(slots, key, baseline), plain, threshold=threshold)
            for key in others
        }
    return judged


def columns(readback: Readback, key: ArmKey, judgement: Judgement | None) -> ArmVerdict:
    """What stands beside an arm; the A/A arm has no verdict, an arm whose gate took no effect its cost."""
    if judgement is None:
        return ArmVerdict()
    inactive = why_inactive(readback, key)
    point, ratio, floor = judgement.point, judgement.ratio, judgement.noise_floor
    saved, ar1 = None if point is None else 100 * (1 - point), judgement.ratio_ar1
    if key[2]:
        if saved is None:
            return ArmVerdict()
        why = "the same gate twice: the difference is the noise floor"
        return ArmVerdict(joules_saved_percent=saved, blocks=judgement.blocks, verdict=COPY, reason=why)
    return ArmVerdict(
        joules_saved_percent=saved,
        saved_low_percent=100 * (1 - ratio.high) if ratio else None,
        saved_high_percent=100 * (1 - ratio.low) if ratio else None,
        noise_floor_percent=None if floor is None else 100 * floor,
        blocks=judgement.blocks,
        verdict=judgement.verdict if inactive is None else INACTIVE,
        reason=judgement.reason if inactive is None else f"{inactive}; its joules: {_cost(judgement)}",
        p=judgement.p,
        p_holm=judgement.p_holm,
        lag_1=judgement.lag_1,
        saved_low_ar1_percent=100 * (1 - ar1.high) if ar1 else None,
        saved_high_ar1_percent=100 * (1 - ar1.low) if ar1 else None,
    )


def _cost(judgement: Judgement) -> str:
    """What an arm changes in the joules, with its interval."""
    if judgement.point is None:
        return "not known"
    more = f"{100 * (judgement.point - 1):+.1f} %"
    if judgement.ratio is None:
        return more
    low, high = (100 * (end - 1) for end in (judgement.ratio.low, judgement.ratio.high))
    return f"{more} ({low:+.1f} to {high:+.1f})"


def verdicts_of(folder: Path) -> tuple[dict[str, str], bool]:
    """The verdict on each arm of a run as far as it is, and whether more blocks would change none of them."""
    from bench.report.summary import summarise  # which puts these verdicts into its rows

    rows = summarise(read_back(store.read(folder))).rows
    found = {row.label: row.verdict for row in rows if row.verdict is not None and not row.a_a}
    return found, all(verdict in (*VERDICTS[:3], INACTIVE) for verdict in found.values())


def why_inactive(readback: Readback, key: ArmKey) -> str | None:
    """Why an arm's gate takes no effect; None if it does. The A/A arm has no gate to take effect."""
    backend, gate, a_a = key
    sessions = readback.run.of(SessionRecord)
    verdict = sessions[-1].gates.get(f"{backend}/{gate}") if sessions else None
    if verdict is None or verdict.effective or a_a or gate == readback.baseline:
        return None
    return verdict.reason
