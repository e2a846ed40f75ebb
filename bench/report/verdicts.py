"""Is the saving real? Each arm against the baseline of its backend, each backend against the first.

A gate that a random one matches (`matches = "gate"` in the suite) is also held against that control: what
both save is saved by how much is left out, not by the choice of where.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from analysis.blocks import Per
from analysis.contrast import judge, judge_together
from analysis.rows import Slot
from analysis.values import Estimate
from analysis.verdict import COPY, INACTIVE, THRESHOLD, VERDICTS, Judgement
from bench.report.names import arm_label
from bench.report.readback import Readback, read_back
from bench.report.rows import held
from bench.run import store
from bench.run.records import ArmKey, SessionRecord
from bench.suite.asked import asked_of_run
from bench.suite.header import RunHeader


def judge_arms(
    slots: Sequence[Slot],
    arms: Sequence[ArmKey],
    *,
    baseline: str,
    threshold: float = THRESHOLD,
    per: Per = "request",
) -> dict[ArmKey, Judgement]:
    """The judgement on every arm but the baseline of the first backend: gates and backends are one family.

    Args:
        slots: of one run, or of runs that are pooled.
        arms: of that run.
        baseline: gate label of the baselines.
        threshold: practical threshold of the suite, as a fraction.
        per: unit of work.
    """
    pairs = {
        key: (held(slots, key, baseline), held(slots, other, baseline))
        for key, other in opponents(arms, baseline=baseline).items()
    }
    asked = {arm_label(key): pair for key, pair in pairs.items() if not key[2]}
    together = judge_together(asked, threshold=threshold, per=per)
    return {
        key: judge(*pair, threshold=threshold, per=per) if key[2] else together[arm_label(key)]
        for key, pair in pairs.items()
    }


def opponents(arms: Sequence[ArmKey], *, baseline: str) -> dict[ArmKey, ArmKey]:
    """What each arm is held against: its backend's baseline, and a baseline that of the first backend."""
    plain = [key for key in arms if key[1:] == (baseline, False)]
    by_backend = {key[0]: key for key in plain}
    baselines = {key: by_backend[key[0]] for key in arms if key[0] in by_backend}
    return {key: other if key != other else plain[0] for key, other in baselines.items() if key != plain[0]}


def controls_of(header: RunHeader) -> dict[str, str]:
    """By gate the random gate that deals its very budgets out by chance, as the suite says."""
    return {
        str(gate.options["matches"]): label
        for label, gate in asked_of_run(header).gates.items()
        if gate.plugin == "random" and gate.options.get("matches")
    }


def beside_control(readback: Readback, slots: Sequence[Slot], key: ArmKey) -> dict[str, Any]:
    """The columns that hold an arm against its control; empty where it has none."""
    backend, gate, a_a = key
    control = (backend, controls_of(readback.run.header).get(gate, ""), False)
    if a_a or control not in readback.arms:
        return {}
    mine, chance = (held(slots, one, readback.baseline) for one in (key, control))
    judgement = judge(mine, chance, threshold=readback.run.header.threshold)
    low, high = _saved_ends(judgement.ratio)
    return {
        "control": arm_label(control),
        "beyond_control_percent": None if judgement.point is None else 100 * (1 - judgement.point),
        "beyond_control_low_percent": low,
        "beyond_control_high_percent": high,
        "beyond_control_verdict": judgement.verdict,
        "beyond_control_blocks_to_settle": judgement.blocks_to_settle,
    }


def columns(
    readback: Readback, slots: Sequence[Slot], key: ArmKey, judgement: Judgement | None
) -> dict[str, Any]:
    """The columns of `ArmRow` that judge an arm's joules; empty for the baseline of the first backend.

    The A/A arm has no verdict, an arm whose gate took no effect its cost.
    """
    if judgement is None or (key[2] and judgement.point is None):
        return {}
    point, floor = judgement.point, judgement.noise_floor
    low, high = _saved_ends(judgement.ratio)
    shown = {
        "against": arm_label(opponents(readback.arms, baseline=readback.baseline)[key]),
        "joules_saved_percent": None if point is None else 100 * (1 - point),
        "saved_low_percent": low,
        "saved_high_percent": high,
        "noise_percent": None if floor is None else 100 * floor,
        "blocks": judgement.blocks,
    }
    if key[2]:
        why = "the same gate twice: the difference is the noise"
        return {**shown, "verdict": COPY, "reason": why}
    inactive = why_inactive(readback, key)
    low_ar1, high_ar1 = _saved_ends(judgement.ratio_ar1)
    return {
        **shown,
        "verdict": judgement.verdict if inactive is None else INACTIVE,
        "reason": judgement.reason if inactive is None else f"{inactive}; its joules: {_cost(judgement)}",
        **{name: getattr(judgement, name) for name in ("p", "p_holm", "lag_1", "blocks_to_settle")},
        "saved_low_ar1_percent": low_ar1,
        "saved_high_ar1_percent": high_ar1,
        **beside_control(readback, slots, key),
    }


def _saved_ends(ratio: Estimate | None) -> tuple[float | None, float | None]:
    """An interval of a ratio as one of what is saved, in per cent."""
    return (None, None) if ratio is None else (100 * (1 - ratio.high), 100 * (1 - ratio.low))


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
    verdicts = {row.label: row.verdict for row in rows if row.verdict is not None and not row.a_a}
    return verdicts, all(verdict in (*VERDICTS[:3], INACTIVE) for verdict in verdicts.values())


def why_inactive(readback: Readback, key: ArmKey) -> str | None:
    """Why an arm's gate takes no effect; None if it does. The A/A arm has no gate to take effect."""
    backend, gate, a_a = key
    sessions = readback.run.of(SessionRecord)
    verdict = sessions[-1].gates.get(f"{backend}/{gate}") if sessions else None
    if verdict is None or verdict.effective or a_a or gate == readback.baseline:
        return None
    return verdict.reason
