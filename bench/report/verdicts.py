"""Each arm against the ungated arm of its backend: is the saving real?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from analysis.contrast import judge
from analysis.rows import Slot
from analysis.verdict import COPY, INACTIVE, VERDICTS, Judgement
from bench.report.readback import Readback, read_back
from bench.report.rows import held
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
    plain = {key: (key[0], baseline, False) for key in arms}
    return {
        key: judge(held(slots, key, baseline), held(slots, plain[key], baseline), threshold=threshold)
        for key in arms
        if key != plain[key] and plain[key] in arms
    }


def columns(readback: Readback, key: ArmKey, judgement: Judgement | None) -> ArmVerdict:
    """What stands beside an arm; the A/A arm and an arm whose gate took no effect have no verdict."""
    if judgement is None:
        return ArmVerdict()
    inactive = why_inactive(readback, key)
    if inactive is not None:
        return ArmVerdict(blocks=judgement.blocks, verdict=INACTIVE, reason=inactive)
    point, ratio, floor = judgement.point, judgement.ratio, judgement.noise_floor
    saved = None if point is None else 100 * (1 - point)
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
        verdict=judgement.verdict,
        reason=judgement.reason,
    )


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
