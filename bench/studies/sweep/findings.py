"""What is known of a sweep: a row per arm with cost and loss, the cliffs, the Pareto set."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from analysis.effect import FEWEST_BLOCKS
from analysis.frontier import CLIFF_RISE, cliff, pareto
from analysis.rows import Trade
from analysis.values import Estimate, Withheld
from analysis.verdict import INACTIVE, more_blocks
from analysis.words import counted, listed
from backends.cut import FULL, Cut
from bench.report.arm_row import ArmRow
from bench.show.words import percent
from bench.studies.cuts.cut_options import strength
from bench.studies.cuts.quality import AnswerQuality, TextQuality

SECONDS = "seconds per generated token"


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
    known = all(arm.row.joules_per_token is not None for arm in ours)
    kinds = " and ".join(sorted({arm.row.kind for arm in ours}))
    best: set[tuple[str, str]] = set()
    for backend in {arm.row.backend for arm in ours}:
        trades = [_trade(arm, known) for arm in ours if arm.row.backend == backend and _is_told_apart(arm)]
        best |= {(backend, trade.label) for trade in pareto([trade for trade in trades if trade])}
    marked = [
        replace(arm, pareto=not arm.row.a_a and (arm.row.backend, arm.row.gate) in best) for arm in arms
    ]
    return marked, f"{kinds} J per generated token" if known else SECONDS


def _is_told_apart(arm: SweptArm) -> bool:
    """Whether a point differs from the ungated one by more than noise: it saves, or it is surely better.

    Without this a cut that costs as much and loses as little by chance would be called worth having.
    """
    surely_better = (
        arm.text is not None
        and isinstance(arm.text.rise.interval, Estimate)
        and arm.text.rise.interval.high < 0
    )
    return surely_better or arm.row.verdict not in ("costs", "equivalent", "inconclusive")


def answers_of(judged: JudgedSweep) -> list[str]:
    """What the sweep found, a sentence a backend: the most that is saved before quality gives way."""
    backends = dict.fromkeys(arm.row.backend for arm in judged.arms)
    return [_answer(backend, [a for a in judged.arms if a.row.backend == backend]) for backend in backends]


def _answer(backend: str, arms: Sequence[SweptArm]) -> str:
    cuts = [arm for arm in arms if arm.outcome not in ("ungated", INACTIVE)]
    good = [arm for arm in cuts if (loss := loss_of(arm)) is not None and loss <= 1 + CLIFF_RISE]
    saving = [arm for arm in good if arm.row.verdict == "saves"]
    within = f"within {percent(100 * CLIFF_RISE)} of the ungated perplexity"
    if not cuts:
        return f"On {backend} no cut took effect: there is nothing to compare."
    if saving:
        best = max(saving, key=lambda arm: arm.row.joules_saved_percent or 0.0)
        return (
            f"On {backend} {best.row.gate} saves most {within}: {_saving(best.row)} of the joules per token, "
            f"perplexity {_rise_in_words(best)}."
        )
    elsewhere = [arm.row.gate for arm in cuts if arm.row.verdict == "saves"]
    beyond = f"; what saves costs more quality: {listed(elsewhere)}" if elsewhere else ""
    unknown = {arm.row.verdict for arm in good} - {"costs", "equivalent"}
    if not elsewhere and good and unknown:
        said = listed(sorted(f"{verdict or 'no verdict'}" for verdict in unknown))
        return f"On {backend} no saving {within} is shown yet ({said}): {_longer(good)}."
    return f"On {backend} no cut saves joules {within}{beyond}."


def _longer(arms: Sequence[SweptArm]) -> str:
    """How many more blocks would settle what is open; five are the fewest."""
    rows = [arm.row for arm in arms if arm.row.verdict in ("inconclusive", "not enough blocks")]
    if few := [row for row in rows if row.verdict == "not enough blocks"]:
        return f"a claim needs {FEWEST_BLOCKS} blocks, and there are {min(row.blocks for row in few)}"
    known = [row for row in rows if row.blocks_to_settle is not None]
    if not known:
        return more_blocks(None, 0) if rows else "the report says why"
    last = max(known, key=lambda row: (row.blocks_to_settle or 0) - row.blocks)
    return more_blocks(last.blocks_to_settle, last.blocks)


def _saving(row: ArmRow) -> str:
    low, high = percent(row.saved_low_percent), percent(row.saved_high_percent)
    return f"{percent(row.joules_saved_percent)} ({low} to {high})"


def _rise_in_words(arm: SweptArm) -> str:
    assert arm.text is not None, "what is within a rise has one"
    tokens = counted(arm.text.tokens, "token")
    return f"{percent(100 * arm.text.rise.mean, signed=True)} over {tokens}"


def cost_of(arm: SweptArm, *, in_joules: bool) -> float | None:
    """Joules or seconds of a new token."""
    if in_joules:
        return arm.row.joules_per_token
    return 1 / arm.tokens_per_s if arm.tokens_per_s else None


def _trade(arm: SweptArm, in_joules: bool) -> Trade | None:
    cost, loss = cost_of(arm, in_joules=in_joules), loss_of(arm)
    if cost is None or loss is None:
        return None
    inactive = arm.outcome == INACTIVE
    return Trade(label=arm.row.gate, strength=1.0, cost=cost, loss=loss, inactive=inactive)


def cliffs_of(judged: JudgedSweep) -> list[Cliff]:
    """A cliff along every swept cut, for each value of the other one."""
    cliffs = []
    ours = [arm for arm in judged.arms if arm.cut is not None and not arm.row.a_a]
    for backend in dict.fromkeys(arm.row.backend for arm in ours):
        for key in judged.swept:
            lines: dict[Cut, list[SweptArm]] = {}
            for arm in ours:
                if arm.row.backend == backend and arm.cut is not None:
                    lines.setdefault(arm.cut.without(key), []).append(arm)
            cliffs += [_cliff(judged, backend, key, rest, line) for rest, line in lines.items()]
    return [one for one in cliffs if one is not None]


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
