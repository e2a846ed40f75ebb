"""Sweeps made here, as `analysis.swept` judges claims on them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, PositiveInt

from analysis.claims import ClaimVerdict
from analysis.quality import Mean
from analysis.swept import BackendSweep, SweptPoint, judge_sweep
from analysis.values import Estimate
from analysis.verdict import INACTIVE
from backends.cut import Cut
from backends.cut_keys import STRENGTHS
from bench import typed
from bench.errors import UserError
from bench.studies.cuts.quality import AnswerQuality, TextQuality
from bench.studies.sweep.findings import Cliff


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


@dataclass(frozen=True, kw_only=True)
class StoredRow:
    """What claims need of an arm's row in `sweep.json`."""

    backend: str
    gate: str
    a_a: bool
    joules_saved_percent: float | None = None
    saved_low_percent: float | None = None
    saved_high_percent: float | None = None


class StoredCut(BaseModel):
    """A cut as its suite states it; those of other packages may have other keys."""

    model_config = ConfigDict(extra="allow")

    kv_keep: float | None = None
    mlp_keep: float | None = None
    drop_attention: tuple[int, ...] = ()


@dataclass(frozen=True, kw_only=True)
class StoredArm:
    """An arm as `bench.studies.sweep.tables.to_json` writes it."""

    run: StoredRow
    cut: StoredCut | None
    outcome: str
    answers: AnswerQuality | None
    text: TextQuality | None
    tokens_per_s_ratio: float | None
    bytes_ratio: float | None


@dataclass(frozen=True, kw_only=True)
class StoredSweep:
    """`sweep.json`, of which everything that is not needed here is passed over."""

    run: str
    suite: str
    text_name: str
    layers: PositiveInt
    cliffs: list[Cliff]
    configurations: list[StoredArm]


def read_sweeps(folders: Iterable[Path]) -> list[StoredSweep]:
    """`sweep.json` of those run folders that are sweeps.

    Raises:
        UserError: a sweep that can't be read.
    """
    files = [folder / "sweep" / "sweep.json" for folder in folders]
    return [_read(file) for file in files if file.exists()]


def _read(file: Path) -> StoredSweep:
    try:
        sweep = typed.loads(file.read_bytes())
        if isinstance(sweep, dict) and "arms" in sweep:  # so version 0.1.0 called them
            sweep = {"configurations": sweep["arms"], **sweep}
        return typed.from_json(StoredSweep, sweep)
    except ValueError as error:
        raise UserError(
            f"{file} is damaged: {error}", fix="make it again: bench sweep --resume RUN"
        ) from None


def resweeps(claim: str, sweeps: Sequence[StoredSweep]) -> tuple[Resweep, ...]:
    """A claim judged on every backend of every sweep; empty for a claim that no sweep touches."""
    return tuple(
        Resweep(
            run=sweep.run,
            suite=sweep.suite,
            backend=backend,
            text=sweep.text_name,
            verdict=judged[0],
            why=judged[1],
        )
        for sweep in sweeps
        for backend in dict.fromkeys(arm.run.backend for arm in sweep.configurations)
        if (judged := judge_sweep(claim, _of_backend(sweep, backend))) is not None
    )


def _of_backend(sweep: StoredSweep, backend: str) -> BackendSweep:
    arms = [arm for arm in sweep.configurations if arm.run.backend == backend]
    again = [arm.tokens_per_s_ratio for arm in arms if arm.run.a_a]
    cliffs = [cliff for cliff in sweep.cliffs if cliff.backend == backend]
    strengths = [cliff.strength for cliff in cliffs if cliff.strength is not None]
    cuts = [(arm, arm.cut.model_dump(exclude_unset=True)) for arm in arms if arm.cut]
    return BackendSweep(
        points=[_point(arm, cut, sweep.layers) for arm, cut in cuts if cut and arm.outcome != "ungated"],
        cliff=max(strengths, default=None),
        cliff_reason="; ".join(cliff.reason for cliff in cliffs) or "the sweep looked for no cliff",
        speed_floor=again[0] - 1 if again and again[0] is not None else None,
    )


def _point(arm: StoredArm, cut: dict[str, Any], layers: int) -> SweptPoint:
    strengths = {key: value for key, value in cut.items() if key in STRENGTHS or key not in Cut.model_fields}
    kept = [cut[key] for key in ("kv_keep", "mlp_keep") if key in cut]
    only_pruned = set(strengths) <= {"kv_keep", "mlp_keep"}
    return SweptPoint(
        label=arm.run.gate,
        cuts=frozenset(f"{key} {value}" for key, value in strengths.items()),
        kept=min(kept) if kept and only_pruned else None,
        stated=cut,
        match=arm.answers.agreement.mean if arm.answers and arm.answers.agreement else None,
        attention_dropped=len(cut.get("drop_attention", ())) / layers,
        rise=_interval(arm.text.rise) if arm.text else None,
        speed_ratio=arm.tokens_per_s_ratio,
        bytes_ratio=arm.bytes_ratio,
        joules_ratio=_joules_ratio(arm.run),
        inactive=arm.outcome == INACTIVE,
    )


def _interval(mean: Mean) -> Estimate | None:
    return mean.interval if isinstance(mean.interval, Estimate) else None


def _joules_ratio(row: StoredRow) -> Estimate | None:
    point, low, high = row.joules_saved_percent, row.saved_high_percent, row.saved_low_percent
    if point is None or low is None or high is None:
        return None
    return Estimate(1 - point / 100, 1 - low / 100, 1 - high / 100)
