"""Idle power: models loaded, nothing running; before, between and after the blocks of a run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

DRIFTS_BY = 0.10
DRIFTS_BY_W = 0.2
"""Idle is stable while it stays within a tenth, or a fifth of a watt where that is more."""


@dataclass(frozen=True, kw_only=True)
class IdleVerdict:
    """Idle power over a run, and whether it stayed what it was."""

    mean_w: float | None
    drift_w: float | None
    """Highest minus lowest."""
    stable: bool
    reason: str


def judge_idle(watts: Sequence[float | None]) -> IdleVerdict:
    """Judge the idle powers of a run, in the order in which they were measured.

    Args:
        watts: mean watts of each idle window; None where it was not measured.
    """
    known = [value for value in watts if value is not None]
    if len(known) < 2 or len(known) < len(watts):
        return IdleVerdict(
            mean_w=sum(known) / len(known) if known else None,
            drift_w=None,
            stable=False,
            reason=f"{len(known)} of {len(watts)} idle windows were measured; two and all are needed",
        )
    mean_w, drift_w = sum(known) / len(known), max(known) - min(known)
    allowed_w = max(DRIFTS_BY * mean_w, DRIFTS_BY_W)
    stable = drift_w <= allowed_w
    reason = f"idle power moved by {drift_w:.2f} W, {allowed_w:.2f} W is allowed"
    return IdleVerdict(mean_w=mean_w, drift_w=drift_w, stable=stable, reason=reason)
