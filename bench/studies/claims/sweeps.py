"""Sweeps made here, as `analysis.swept` judges claims on them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from analysis.claims import ClaimVerdict
from analysis.swept import BackendSweep, SweptPoint, judge_sweep
from analysis.values import Estimate
from analysis.verdict import INACTIVE
from backends.cut import Cut
from backends.cut_keys import STRENGTHS
from bench.errors import UserError


@dataclass(frozen=True, kw_only=True)
class Resweep:
    """One claim judged on one backend of a sweep."""

    run: str
    suite: str
    backend: str
    text: str
    """What perplexity was computed over."""
    verdict: ClaimVerdict
    why: str


def read_sweeps(folders: Iterable[Path]) -> list[dict[str, Any]]:
    """`sweep.json` of those run folders that are sweeps.

    Raises:
        UserError: a sweep that can't be read.
    """
    sweeps = []
    for file in (folder / "sweep" / "sweep.json" for folder in folders):
        if file.exists():
            try:
                sweep = json.loads(file.read_text(encoding="utf-8"))
                sweeps.append({"configurations": sweep.get("arms"), **sweep})  # `arms` in 0.1.0
            except ValueError as error:
                raise UserError(
                    f"{file} is damaged: {error}", fix="make it again: bench sweep --resume RUN"
                ) from None
    return sweeps


def resweeps(claim: str, sweeps: Sequence[dict[str, Any]]) -> tuple[Resweep, ...]:
    """A claim judged on every backend of every sweep; empty for a claim that no sweep touches."""
    return tuple(
        Resweep(
            run=sweep["run"],
            suite=sweep["suite"],
            backend=backend,
            text=sweep["text_name"],
            verdict=judged[0],
            why=judged[1],
        )
        for sweep in sweeps
        for backend in dict.fromkeys(arm["run"]["backend"] for arm in sweep["configurations"])
        if (judged := judge_sweep(claim, _of_backend(sweep, backend))) is not None
    )


def _of_backend(sweep: dict[str, Any], backend: str) -> BackendSweep:
    arms = [arm for arm in sweep["configurations"] if arm["run"]["backend"] == backend]
    again = [arm["tokens_per_s_ratio"] for arm in arms if arm["run"]["a_a"]]
    cliffs = [cliff for cliff in sweep["cliffs"] if cliff["backend"] == backend]
    strengths = [cliff["strength"] for cliff in cliffs if cliff["strength"] is not None]
    return BackendSweep(
        points=[_point(arm, sweep["layers"]) for arm in arms if arm["outcome"] != "ungated" and arm["cut"]],
        cliff=max(strengths, default=None),
        cliff_reason="; ".join(cliff["reason"] for cliff in cliffs) or "the sweep looked for no cliff",
        speed_floor=again[0] - 1 if again and again[0] is not None else None,
    )


def _point(arm: dict[str, Any], layers: int) -> SweptPoint:
    cut = arm["cut"]
    strengths = {key: value for key, value in cut.items() if key in STRENGTHS or key not in Cut.model_fields}
    kept = [cut[key] for key in ("kv_keep", "mlp_keep") if key in cut]
    only_pruned = set(strengths) <= {"kv_keep", "mlp_keep"}
    return SweptPoint(
        label=arm["run"]["gate"],
        cuts=frozenset(f"{key} {value}" for key, value in strengths.items()),
        kept=min(kept) if kept and only_pruned else None,
        stated=cut,
        match=_mean(arm["answers"]),
        attention_dropped=len(cut.get("drop_attention", ())) / layers,
        rise=_interval(arm["text"]["rise"]) if arm["text"] else None,
        speed_ratio=arm["tokens_per_s_ratio"],
        bytes_ratio=arm["bytes_ratio"],
        joules_ratio=_joules_ratio(arm["run"]),
        inactive=arm["outcome"] == INACTIVE,
    )


def _mean(answers: dict[str, Any] | None) -> float | None:
    agreement = answers and answers["agreement"]
    return agreement["mean"] if agreement else None


def _interval(mean: dict[str, Any]) -> Estimate | None:
    interval = mean["interval"]
    return Estimate(**interval) if "point" in interval else None


def _joules_ratio(row: dict[str, Any]) -> Estimate | None:
    saved = [row[key] for key in ("joules_saved_percent", "saved_high_percent", "saved_low_percent")]
    return None if None in saved else Estimate(*(1 - percent / 100 for percent in saved))
