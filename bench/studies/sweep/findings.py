"""What is known of a sweep: a row per arm with cost and loss, the cliffs, the Pareto set."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from analysis.frontier import CLIFF_RISE, cliff, pareto
from analysis.rows import Trade
from analysis.values import Withheld
from analysis.verdict import INACTIVE
from backends.cut import FULL, Cut
from bench.report.summary import ArmRow
from bench.studies.cuts.options import strength
from bench.studies.cuts.quality import AnswerQuality, TextQuality

SECONDS = "seconds per new token"


@dataclass(frozen=True, kw_only=True)
class SweptArm:
    """One backend and gate of a sweep."""

    row: ArmRow
    """Work and joules, as every run has them."""
    cut: Cut | None
    """None for a gate that gives different prompts different cuts."""
    outcome: str
    """`effective`, `gate inactive`, or `ungated`."""
    reason: str
    tokens_per_s: float | None
    """New tokens per second of decoding, the first token of an answer left out."""
    bytes_per_token: float | None
    """Weights and cache that decoding such a token has to read, counted; None for a stand-in."""
    tokens_per_s_ratio: float | None = None
    """To the ungated arm of the same backend, as is the next."""
    bytes_ratio: float | None = None
    answers: AnswerQuality | None = None
    """None for the ungated arms, which are what quality is measured against."""
    text: TextQuality | None = None
    pareto: bool = False
    """No other arm of its backend costs less without losing more."""


@dataclass(frozen=True, kw_only=True)
class Cliff:
    """Where perplexity gives way along one cut."""

    backend: str
    key: str
    beside: str
    """The values of the other cuts; empty where there is none."""
    strength: float | None
    """Largest kept fraction with a rise above 1 %."""
    reason: str
    """Why there is none."""


@dataclass(frozen=True, kw_only=True)
class JudgedSweep:
    """A sweep with everything that is known of it."""

    run: str
    suite: str
    swept: tuple[str, ...]
    text_name: str
    cost: str
    """What the Pareto set weighs against perplexity; it says how the joules were got."""
    arms: list[SweptArm]
    cliffs: list[Cliff]
    warnings: list[str]
    layers: int
    loaded_bits: int


def loss_of(arm: SweptArm) -> float | None:
    """Perplexity over the ungated one; 1 for the ungated arm itself."""
    if arm.outcome == "ungated":
        return 1.0
    return 1 + arm.text.rise.mean if arm.text else None


def with_pareto(arms: Sequence[SweptArm]) -> tuple[list[SweptArm], str]:
    """The arms with the best marked, backend by backend; and what they cost in."""
    ours = [arm for arm in arms if not arm.row.a_a]
    known = all(arm.row.joules_per_new_token is not None for arm in ours)
    kinds = " and ".join(sorted({arm.row.energy_kind for arm in ours}))
    best: set[tuple[str, str]] = set()
    for backend in {arm.row.backend for arm in ours}:
        trades = [_trade(arm, known) for arm in ours if arm.row.backend == backend]
        best |= {(backend, trade.label) for trade in pareto([trade for trade in trades if trade])}
    marked = [
        replace(arm, pareto=not arm.row.a_a and (arm.row.backend, arm.row.gate) in best) for arm in arms
    ]
    return marked, f"{kinds} J per new token" if known else SECONDS


def cost_of(arm: SweptArm, *, in_joules: bool) -> float | None:
    """Joules or seconds of a new token."""
    if in_joules:
        return arm.row.joules_per_new_token
    return 1 / arm.tokens_per_s if arm.tokens_per_s else None


def _trade(arm: SweptArm, in_joules: bool) -> Trade | None:
    cost, loss = cost_of(arm, in_joules=in_joules), loss_of(arm)
    if cost is None or loss is None:
        return None
    inactive = arm.outcome == INACTIVE
    return Trade(label=arm.row.gate, strength=1.0, cost=cost, loss=loss, inactive=inactive)


def cliffs_of(judged: JudgedSweep) -> list[Cliff]:
    """A cliff along every swept cut, for each value of the other one."""
    found = []
    ours = [arm for arm in judged.arms if arm.cut is not None and not arm.row.a_a]
    for backend in dict.fromkeys(arm.row.backend for arm in ours):
        for key in judged.swept:
            lines: dict[Cut, list[SweptArm]] = {}
            for arm in ours:
                if arm.row.backend == backend and arm.cut is not None:
                    lines.setdefault(arm.cut.without(key), []).append(arm)
            found += [_cliff(judged, backend, key, rest, line) for rest, line in lines.items()]
    return [one for one in found if one is not None]


def _cliff(judged: JudgedSweep, backend: str, key: str, rest: Cut, line: Sequence[SweptArm]) -> Cliff | None:
    if not any(arm.cut is not None and arm.cut != rest for arm in line):
        return None  # nothing is swept here
    kept = [
        (arm, strength(arm.cut or FULL, key, layers=judged.layers, loaded_bits=judged.loaded_bits))
        for arm in line
    ]
    trades = [
        Trade(label=arm.row.gate, strength=share, cost=0, loss=loss, inactive=arm.outcome == INACTIVE)
        for arm, share in kept
        if share is not None and (loss := loss_of(arm)) is not None
    ]
    answer = cliff(trades, rise=CLIFF_RISE)
    beside = " ".join(f"{k}={v}" for k, v in rest.model_dump(exclude_defaults=True).items())
    if isinstance(answer, Withheld):
        return Cliff(backend=backend, key=key, beside=beside, strength=None, reason=answer.reason)
    return Cliff(backend=backend, key=key, beside=beside, strength=answer, reason="")
