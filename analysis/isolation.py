"""What limits a decode step? Ten tests, one figure each, one verdict per backend, model and precision.

    S1   stream        reads a buffer far larger than the caches: the bandwidth all others are held against
    S2   weights       the model's matrices alone, as matrix-vector products
    S3   decode        the step itself, at batch 1
    S4   batch         1, 2, 4, 8, 16
    S5   precision     the same model in more or fewer bits
    S6   context       longer and longer caches
    S7   ablation      layers dropped, MLP sliced
    S8   compute       extra flops on cached operands, the same bytes
    S9   mask only     outputs masked, weights still read: the negative control
    S10  launch floor  tiny width, the same number of operations

The verdict follows from two of them. If time answers to flops (S8, or S4 where S8 is missing) by half
or more, the step is compute-bound. Otherwise the share of it that reading at S1's bandwidth explains
(S3) decides: 0.75 and more memory-bound, 0.5 to 0.75 mixed, below overhead-bound. The others are
evidence: each says whether it fits a memory-bound step, and the verdict lists those that speak against
it. Two things void a verdict: reading faster than the memory can, and a mask that saves joules.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from analysis.evidence import MEMORY_SHARE, Evidence, gather
from analysis.roofline import FEWEST_WINDOWS
from analysis.rows import Step
from analysis.stats import Intervals, ratio, t_interval, welch_interval
from analysis.values import Estimate, FloatArray, Withheld

Bound = Literal["memory-bound", "compute-bound", "overhead-bound", "mixed"]

MIXED_SHARE = 0.5
COMPUTE_ELASTICITY = 0.5
IMPOSSIBLE_SHARE = 1.1
"""A tenth above the bandwidth is beyond what S1 can be wrong by."""

# Whether each test fits a memory-bound step when the verdict is right; a test that may fall either
# way is left out. A mixed step promises nothing.
_EXPECTED: dict[Bound, dict[str, bool]] = {
    "memory-bound": dict.fromkeys(
        ("weights", "batch", "precision", "context", "ablation", "compute", "launches"), True
    ),
    "compute-bound": {"batch": False, "compute": False},
    "overhead-bound": {"batch": True, "precision": False, "compute": True, "launches": False},
    "mixed": {},
}


@dataclass(frozen=True, kw_only=True)
class CellVerdict:
    """The verdict on one cell, with what it rests on."""

    verdict: Bound | Literal["withheld"]
    reason: str
    memory_share: Estimate | None
    """Share of a step that reading its bytes at the measured bandwidth explains."""
    evidence: tuple[Evidence, ...]
    against: tuple[str, ...]
    """Tests that do not fit the verdict."""


def judge_cell(steps: Sequence[Step], *, bandwidth_bytes_per_s: float | None = None) -> CellVerdict:
    """One verdict from the rows of one backend, model and precision.

    Args:
        steps: repeated rows of any of the tests; S3 is needed, S8 or S4, and S1 or a bandwidth.
        bandwidth_bytes_per_s: published figure to fall back on where S1 was not run.
    """
    share = memory_share(steps, bandwidth_bytes_per_s=bandwidth_bytes_per_s)
    if isinstance(share, Withheld):
        return _void(share, ())
    evidence = gather(steps, bandwidth_bytes_per_s=bandwidth_bytes_per_s)
    rise = _compute_rise(evidence)
    answer = _control(evidence) or classify(
        share.point, compute_elasticity=None if rise is None else rise[1].point
    )
    if isinstance(answer, Withheld):
        return _void(answer, evidence)
    return CellVerdict(
        verdict=answer,
        reason=_reason(answer, share, evidence),
        memory_share=share,
        evidence=evidence,
        against=_against(answer, evidence),
    )


def memory_share(steps: Sequence[Step], *, bandwidth_bytes_per_s: float | None = None) -> Estimate | Withheld:
    """S3: bytes per second of a decode step over those of the stream, as geometric means."""
    decode = log_rates(steps, "S3")
    if len(decode) < 2:
        return Withheld("S3 has fewer than two timed decode steps: no share to judge")
    stream = log_rates(steps, "S1")
    if len(stream) >= FEWEST_WINDOWS:
        return ratio(welch_interval(decode, stream))
    if bandwidth_bytes_per_s is None:
        return Withheld("the bandwidth is neither measured (S1) nor known: nothing to hold the step against")
    return ratio(Intervals(*(x - np.log(bandwidth_bytes_per_s) for x in t_interval(decode))))


def log_rates(steps: Sequence[Step], test: str) -> FloatArray:
    """Logarithm of bytes per second of each plain row of a test, shape (rows,)."""
    rows = [s for s in steps if s.test == test and not s.changed and s.seconds_s > 0 and s.read_bytes > 0]
    return np.log(np.array([s.read_bytes / s.seconds_s for s in rows], dtype=np.float64))


def classify(share: float, *, compute_elasticity: float | None) -> Bound | Withheld:
    """The rule.

    Args:
        share: of the step that reading its bytes explains.
        compute_elasticity: relative rise in time per relative rise in flops; None where not tested,
            and then a low share can't be told from a compute-bound step.
    """
    if share > IMPOSSIBLE_SHARE:
        return Withheld(
            f"the step would read {share:.2g} times faster than the memory streams: "
            "its bytes or its time can't be true, or a cache holds them"
        )
    if compute_elasticity is not None and compute_elasticity >= COMPUTE_ELASTICITY:
        return "compute-bound"
    if share >= MEMORY_SHARE:
        return "memory-bound"
    if compute_elasticity is None:
        return Withheld("neither S8 nor S4 was run: arithmetic and fixed costs can't be told apart")
    return "mixed" if share >= MIXED_SHARE else "overhead-bound"


def _compute_rise(evidence: Sequence[Evidence]) -> tuple[str, Estimate] | None:
    """S8's elasticity, or S4's where S8 is missing, with the name of the test."""
    by_name = {item.name: item.value for item in evidence}
    for name in ("compute", "batch"):
        value = by_name.get(name)
        if isinstance(value, Estimate):
            return name, value
    return None


def _control(evidence: Sequence[Evidence]) -> Withheld | None:
    """S9: a mask that leaves all work in place and still saves joules means the joules are wrong."""
    if any(item.name == "mask" and item.fits_memory_bound is False for item in evidence):
        return Withheld(
            "the negative control failed: masking outputs lowered the joules, so they can't be trusted"
        )
    return None


def _reason(answer: Bound, share: Estimate, evidence: Sequence[Evidence]) -> str:
    if answer == "compute-bound":
        return _compute_reason(evidence)
    ends = {classify(end, compute_elasticity=0.0) for end in (share.low, min(share.high, 1.0))}
    others = sorted(str(e) for e in ends - {answer})
    parts = [f"reading its bytes at the stream's bandwidth explains {share.point:.0%} of a step"]
    if answer != "memory-bound":
        parts += _where_the_rest_goes(evidence)
    if answer == "overhead-bound":
        parts.append("slow products count as overhead like launches: neither bytes nor flops explain them")
    parts += [f"the interval reaches into {other}" for other in others[:1]]
    rise = _compute_rise(evidence)
    if rise is not None and rise[1].high >= COMPUTE_ELASTICITY:
        parts.append(f"the interval of the {rise[0]} test reaches into compute-bound")
    return "; ".join(parts)


def _compute_reason(evidence: Sequence[Evidence]) -> str:
    rise = _compute_rise(evidence)
    assert rise is not None, "what the verdict rests on"
    name, value = rise
    cause = "as many flops again" if name == "compute" else "a second token in the batch"
    interval = f"{value.point:.0%} [{value.low:.0%}, {value.high:.0%}]"
    text = f"{cause} cost {interval} of a step's time, while the bytes stay the same"
    unsure = value.low < COMPUTE_ELASTICITY
    return f"{text}; the interval reaches below the {COMPUTE_ELASTICITY:.0%} of the rule" if unsure else text


def _where_the_rest_goes(evidence: Sequence[Evidence]) -> list[str]:
    """Slow products and launches are both overhead to the bandwidth, and one mends them differently."""
    found = {item.name: item.value for item in evidence}
    named = (("weights", "the products with its weights alone take"), ("launches", "the launches alone"))
    shares = [(words, found.get(name)) for name, words in named]
    said = [f"{words} {value.point:.0%}" for words, value in shares if isinstance(value, Estimate)]
    return [", ".join(said)] if said else []


def _against(answer: Bound, evidence: Sequence[Evidence]) -> tuple[str, ...]:
    """Tests whose outcome is not what the verdict leads to expect."""
    expected = _EXPECTED[answer]
    return tuple(
        item.name
        for item in evidence
        if item.fits_memory_bound is not None
        and item.fits_memory_bound is not expected.get(item.name, item.fits_memory_bound)
    )


def _void(why: Withheld, evidence: tuple[Evidence, ...]) -> CellVerdict:
    return CellVerdict(
        verdict="withheld", reason=why.reason, memory_share=None, evidence=evidence, against=()
    )
