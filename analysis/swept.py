"""Claims about what a cut costs, judged on the points of a sweep made here."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations

from analysis.claims import ClaimVerdict
from analysis.frontier import CLIFF_RISE
from analysis.values import Estimate
from analysis.verdict import THRESHOLD, place

PUBLISHED_CLIFF = 0.5
"""RC: perplexity as it is down to kappa = 0.5, and a cliff there."""
GRID_STEP = 0.05
SMALL_LOSS = 0.05
"""Rise in perplexity that passes for a small loss."""
COPYSPEC = 2.35
"""Tokens per second over those without, on summaries (arXiv 2502.08923)."""
DRAFTED = 2.0
"""The same with a model that guesses, at least (arXiv 2211.17192)."""
TOVA_KEPT = 0.25
"""Share of the cache at most (arXiv 2401.06104)."""
DROPPED_SPEED = 1.484
"""LLM-Drop: Llama-2-70B without half of its attention."""
SAME_BYTES = 0.005
"""Two cuts read as much if their bytes are so near, as a fraction of the whole model's."""


@dataclass(frozen=True, kw_only=True)
class SweptPoint:
    """One cut of a sweep beside the ungated arm of the same backend."""

    label: str
    cuts: frozenset[str]
    """What is left out, such as {`kv_keep 0.5`, `weight_bits 8`}: a product of savings is of two of them."""
    kept: float | None
    """Smallest fraction of cache or MLP that is kept; None where the cut is of another kind."""
    stated: Mapping[str, object] = field(default_factory=dict)
    """The cut as it is written in a suite."""
    match: float | None = None
    """Mean share of the tokens that are those of the whole model."""
    attention_dropped: float = 0.0
    """Share of the layers without attention."""
    rise: Estimate | None = None
    """Perplexity with the cut over without, less 1."""
    speed_ratio: float | None = None
    """Tokens per second with the cut over without."""
    joules_ratio: Estimate | None = None
    """None below the blocks that a claim needs."""
    bytes_ratio: float | None = None
    """Bytes read per token with the cut over without."""
    inactive: bool = False


@dataclass(frozen=True, kw_only=True)
class BackendSweep:
    """What a sweep on one backend found."""

    points: Sequence[SweptPoint]
    cliff: float | None
    """Largest kept fraction with a rise in perplexity above 1 %."""
    cliff_reason: str
    """Why there is none."""
    speed_floor: float | None
    """Tokens per second of the ungated arm over itself, less 1."""


Verdict = tuple[ClaimVerdict, str]


def judge_sweep(claim: str, sweep: BackendSweep) -> Verdict | None:
    """Verdict on a claim by its name, with the reason; None for a claim that no sweep touches."""
    rule = _RULES.get(claim)
    return None if rule is None else rule(sweep)


def _perplexity(sweep: BackendSweep) -> Verdict:
    """Pruning to kappa leaves perplexity as it is: at every kept fraction of the published range."""
    points = [(p, p.rise) for p in _pruned(sweep) if p.rise is not None]
    if not points:
        return "not testable here", _no_points("with perplexity")
    worst, rise = max(points, key=lambda pair: pair[1].point)
    seen = f"{worst.label}: perplexity rises by {_percent(rise)}"
    if rise.low > CLIFF_RISE:
        return "not reproduced", seen
    if all(r.high <= CLIFF_RISE for _, r in points):
        return "reproduced", f"{seen}; within {100 * CLIFF_RISE:.0f} % at all {len(points)} points"
    return "not testable here", f"{seen}, too wide an interval: score more windows of text"


def _speed(sweep: BackendSweep) -> Verdict:
    """Pruning makes generation faster: at the smallest kept fraction of the published range."""
    points = [(p, p.speed_ratio) for p in _pruned(sweep) if p.speed_ratio is not None and p.kept]
    if not points:
        return "not testable here", _no_points("with a speed")
    point, ratio = min(points, key=lambda pair: pair[0].kept or 1)
    gain, floor = ratio - 1, abs(sweep.speed_floor) if sweep.speed_floor is not None else None
    seen = f"{point.label}: {ratio:.2f} times the tokens per second"
    if floor is None:
        return "not testable here", f"{seen}, but no A/A says what chance gives"
    seen += f", the baseline against itself {1 + (sweep.speed_floor or 0):.2f}"
    if gain <= THRESHOLD:
        return "not reproduced", seen
    return ("reproduced" if gain > floor else "reproduced but inside the A/A error"), seen


def _cliff(sweep: BackendSweep) -> Verdict:
    if sweep.cliff is None:
        return "not testable here", sweep.cliff_reason
    said = f"the largest kept fraction with perplexity up by over {100 * CLIFF_RISE:.0f} % is {sweep.cliff:g}"
    is_there = abs(sweep.cliff - PUBLISHED_CLIFF) <= GRID_STEP
    return ("reproduced" if is_there else "not reproduced"), said


def _attention_dropped(sweep: BackendSweep) -> Verdict:
    """Half of the attention layers can go at a small loss."""
    points = [p for p in sweep.points if p.attention_dropped >= 0.5 and p.rise and not p.inactive]
    if not points:
        return "not testable here", "no active point drops half of the attention layers and has a perplexity"
    best = min(points, key=lambda p: p.rise.point if p.rise else math.inf)
    assert best.rise is not None
    small = f"small means within {100 * SMALL_LOSS:.0f} %"
    seen = f"{best.label}: perplexity rises by {_percent(best.rise)}; {small}"
    if best.rise.high <= SMALL_LOSS:
        return "reproduced", seen
    return ("not reproduced" if best.rise.low > SMALL_LOSS else "not testable here"), seen


def _attention_speed(sweep: BackendSweep) -> Verdict:
    """Without half of its attention a model is 48.4 % faster."""
    points = [
        (p, p.speed_ratio)
        for p in sweep.points
        if p.attention_dropped >= 0.5 and p.speed_ratio and not p.inactive
    ]
    if not points:
        return "not testable here", "no active point drops half of the attention layers and has a speed"
    point, ratio = min(points, key=lambda pair: pair[0].attention_dropped)
    seen = f"{point.label}: {ratio:.2f} times the tokens per second, {DROPPED_SPEED:.3f} claimed of 70 B"
    if sweep.speed_floor is None:
        return "not testable here", f"{seen}, but no A/A says what chance gives"
    near = abs(math.log(ratio / DROPPED_SPEED)) <= math.log1p(THRESHOLD + abs(sweep.speed_floor))
    return ("reproduced" if near else "not reproduced"), seen


def _flatten_perplexity(sweep: BackendSweep) -> Verdict:
    """Flattening loses less than removing blocks that save no more bytes: at every flattened point."""
    removed = [(p, p.rise) for p in _of(sweep, "drop_blocks") if p.rise]
    pairs = [
        (p, p.rise, min(rivals, key=lambda pair: pair[1].point))
        for p in _of(sweep, "flatten")
        if p.rise
        and (
            rivals := [
                (r, rise) for r, rise in removed if (r.bytes_ratio or 0) >= (p.bytes_ratio or 1) - SAME_BYTES
            ]
        )
    ]
    if not pairs:
        missing = "no point flattens beside one that removes blocks and reads as much, both with perplexity"
        return "not testable here", missing
    worst, rise, (rival, other) = max(pairs, key=lambda pair: pair[1].point - pair[2][1].point)
    seen = f"{worst.label}: perplexity {_percent(rise)}; {rival.label}: {_percent(other)}"
    if rise.high < other.low:
        return "reproduced", seen
    return ("not reproduced" if rise.low > other.high else "not testable here"), seen


def _of(sweep: BackendSweep, key: str) -> list[SweptPoint]:
    """Active points that cut by one key alone."""
    alone = (p for p in sweep.points if len(p.cuts) == 1 and not p.inactive)
    return [p for p in alone if next(iter(p.cuts)).startswith(f"{key} ")]


def _savings_multiply(sweep: BackendSweep) -> Verdict:
    """Joules with two cuts are the product of the joules with each: the worst of the grid's points."""
    known = {p.cuts: p.joules_ratio for p in sweep.points if p.joules_ratio is not None and not p.inactive}
    pairs = [
        (both, _against_the_product(known[both], known[one], known[other]))
        for one, other in combinations(known, 2)
        if (both := one | other) in known and both not in (one, other) and not one & other
    ]
    if not pairs:
        return "not testable here", "needs two cuts alone and together, each with a saving from 5 blocks"
    both, ratio = max(pairs, key=lambda pair: abs(math.log(pair[1].point)))
    seen = (
        f"{' and '.join(sorted(both))}: {ratio.point:.3f} [{ratio.low:.3f}, {ratio.high:.3f}] of the product"
    )
    if place(ratio) == "equivalent":
        return "reproduced", seen
    return ("not testable here" if ratio.contains(1.0) else "not reproduced"), seen


def _rebuilt_match(sweep: BackendSweep) -> Verdict:
    """KV-Direct gives the tokens of the whole cache, every one of them."""
    points = [(p, p.match) for p in _active(sweep, kv_direct=("h0", "layers")) if p.match is not None]
    if not points:
        return "not testable here", "no active point has kv_direct, with answers"
    point, match = min(points, key=lambda pair: pair[1])
    seen = f"{point.label}: {100 * match:.1f} % of the tokens{_price(point)}"
    return ("reproduced" if match == 1 else "not reproduced"), seen


def _rebuilt_speed(sweep: BackendSweep) -> Verdict:
    """Rebuilding keys and values is faster than reading them."""
    return _faster(_active(sweep, kv_direct=("h0", "layers")), sweep, than=1.0, what="kv_direct")


def _copied_speed(sweep: BackendSweep) -> Verdict:
    """CopySpec decodes at least as much faster as it did in its paper."""
    points = _active(sweep, lookup=(True,), lookup_rule=("copyspec",))
    return _faster(points, sweep, than=COPYSPEC, what="lookup_rule = copyspec")


def _drafted_speed(sweep: BackendSweep) -> Verdict:
    """A smaller model that guesses makes decoding at least as much faster as it did in its paper."""
    points = [point for point in _active(sweep) if point.stated.get("draft")]
    return _faster(points, sweep, than=DRAFTED, what="draft")


def _tova_eighth(sweep: BackendSweep) -> Verdict:
    """TOVA with an eighth to a quarter of the cache is close to the whole model."""
    points = [p for p in _active(sweep, kv_policy=("tova",)) if p.kept and p.kept <= TOVA_KEPT and p.rise]
    if not points:
        return "not testable here", f"no active point keeps {TOVA_KEPT:g} or less by tova, with a perplexity"
    best = min(points, key=lambda p: p.rise.point if p.rise else math.inf)
    assert best.rise is not None
    seen = f"{best.label}: perplexity rises by {_percent(best.rise)}; close means {100 * SMALL_LOSS:.0f} %"
    if best.rise.high <= SMALL_LOSS:
        return "reproduced", seen
    return ("not reproduced" if best.rise.low > SMALL_LOSS else "not testable here"), seen


def _faster(points: Sequence[SweptPoint], sweep: BackendSweep, *, than: float, what: str) -> Verdict:
    """Whether the fastest of some points decodes more than `than` times as fast as the whole model."""
    known = [(p, p.speed_ratio) for p in points if p.speed_ratio is not None]
    if not known or sweep.speed_floor is None:
        return "not testable here", f"needs an active point of {what} with a speed, and an A/A beside it"
    point, ratio = max(known, key=lambda pair: pair[1])
    seen = f"{point.label}: {ratio:.2f} times the tokens per second{_price(point)}"
    if ratio < than or ratio - 1 <= THRESHOLD:
        return "not reproduced", seen
    inside = ratio - 1 <= abs(sweep.speed_floor)
    return ("reproduced but inside the A/A error" if inside else "reproduced"), seen


def _price(point: SweptPoint) -> str:
    """What it costs in joules, where that is known."""
    return f", at {point.joules_ratio.point:.2f} times the joules" if point.joules_ratio else ""


def _active(sweep: BackendSweep, **values: tuple[object, ...]) -> list[SweptPoint]:
    """Active points whose cut has one of these values for each key."""
    return [
        point
        for point in sweep.points
        if not point.inactive and all(point.stated.get(key) in some for key, some in values.items())
    ]


def _against_the_product(both: Estimate, one: Estimate, other: Estimate) -> Estimate:
    """Joules of both over the product, with independent log-normal errors."""
    ratios = (both, one, other)
    half_width = math.hypot(*(math.log(r.high / r.low) / 2 for r in ratios))
    point = both.point / (one.point * other.point)
    return Estimate(point, point * math.exp(-half_width), point * math.exp(half_width))


def _pruned(sweep: BackendSweep) -> list[SweptPoint]:
    """Active points of nothing but cache and MLP, in the range that was published."""
    return [
        p for p in sweep.points if p.kept is not None and PUBLISHED_CLIFF <= p.kept < 1 and not p.inactive
    ]


def _no_points(what: str) -> str:
    return f"no active point keeps {PUBLISHED_CLIFF:g} to 1 of cache or MLP, {what}"


def _percent(rise: Estimate) -> str:
    return f"{100 * rise.point:+.1f} % [{100 * rise.low:+.1f} %, {100 * rise.high:+.1f} %]"


_RULES: dict[str, Callable[[BackendSweep], Verdict]] = {
    "redundancy.perplexity": _perplexity,
    "redundancy.speed": _speed,
    "redundancy.cliff": _cliff,
    "literature.attention_dropped": _attention_dropped,
    "literature.attention_speed": _attention_speed,
    "literature.flatten_perplexity": _flatten_perplexity,
    "literature.savings_multiply": _savings_multiply,
    "literature.cache_from_residual": _rebuilt_match,
    "literature.rebuilding_faster": _rebuilt_speed,
    "literature.copied_tokens": _copied_speed,
    "literature.drafted_tokens": _drafted_speed,
    "literature.cache_of_an_eighth": _tova_eighth,
}
