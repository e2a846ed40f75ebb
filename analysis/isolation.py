"""What limits a decode step? Ten tests, their figures, one verdict per backend, model and precision.

    S1   stream        reads a buffer far larger than the caches: the bandwidth all others are held against
    S2   weights       the model's matrices alone, as matrix-vector products
    S3   decode        the step itself, at batch 1
    S4   batch         1, 2, 4, 8, 16
    S5   precision     the same model in more or fewer bits
    S6   context       longer and longer caches
    S7   ablation      layers dropped, MLP sliced
    S8   compute       as many flops again inside the step, the same bytes: two tokens instead of one
    S9   mask only     outputs masked, weights still read: the negative control
    S10  launch floor  tiny width, the same number of operations

A step takes t = launches + max(bytes / rate of the kernels, flops / rate of the arithmetic), where some of
the launches may hide behind the work. The verdict follows in this order:

1. compute-bound where time answers to flops by half or more (S8) and every further token goes on costing
   (S4). Two tokens are the one way to add flops where they can overlap with the same reading; products
   that run after the step would measure their own rate and launches. They can take another kernel,
   which costs once: S4 tells that apart.
2. memory-bound where reading the step's bytes at S1's bandwidth explains 0.75 of it or more (S3).
3. kernel-bound, in words "bandwidth not reached", where time follows bytes all the same: slicing the MLP
   takes bytes away and leaves the launches as they are, so its slope (S7) is the rate that the kernels
   reach, and bytes at that rate explain 0.75 or more.
4. mixed from a share of 0.5 on, else overhead-bound: launches and other fixed costs.

The other tests are evidence: each says whether it fits a memory-bound step, and the verdict lists those
that speak against it. A figure whose interval holds a flat answer and a whole step alike says nothing, and
nothing rests on it; without S8 and S4 a step that is not memory-bound has no verdict. Two things void a
verdict: reading faster than the memory can, and a mask that saves joules.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from analysis.outcomes import FLAT, MEMORY_SHARE, Outcome, gather
from analysis.roofline import FEWEST_WINDOWS
from analysis.rows import Step
from analysis.stats import Intervals, ratio, t_interval, welch_interval
from analysis.values import NOT_ESTIMATED, Estimate, FloatArray, Withheld

Bound = Literal["memory-bound", "compute-bound", "kernel-bound", "overhead-bound", "mixed"]

MIXED_SHARE = 0.5
COMPUTE_ELASTICITY = 0.5
IMPOSSIBLE_SHARE = 1.1
"""A tenth above the bandwidth is beyond what S1 can be wrong by."""

# Whether each test fits a memory-bound step when the verdict is right; a test that may fall either
# way is left out.
_EXPECTED: dict[Bound, dict[str, bool]] = {
    "memory-bound": dict.fromkeys(
        ("weights", "each further token", "precision", "context", "ablation", "slices", "launches"), True
    ),
    "compute-bound": {"each further token": False, "compute": False},
    "kernel-bound": {"each further token": True, "slices": True, "ablation": False},
    "overhead-bound": {"each further token": True, "precision": False, "slices": False},
    "mixed": {"each further token": True, "slices": False},
}


@dataclass(frozen=True, kw_only=True)
class Figures:
    """What the rule decides by; None where it was not measured."""

    share: float
    """S3: of the step that reading its bytes at the stream's bandwidth explains."""
    rise: float | None
    """S8: relative rise in time per relative rise in flops, inside the step."""
    further: float | None
    """S4: time of each further token over a step's."""
    slices: float | None
    """S7: of the step that its bytes explain at the rate that the kernels reach."""


@dataclass(frozen=True, kw_only=True)
class CellVerdict:
    """The verdict on one cell, with what it rests on."""

    verdict: Bound | Literal["not estimated"]
    reason: str
    memory_share: Estimate | None
    """Share of a step that reading its bytes at the measured bandwidth explains."""
    evidence: tuple[Outcome, ...]
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
    figures = _figures(share.point, evidence)
    failed = _control(evidence)
    answer = failed or classify(figures)
    if isinstance(answer, Withheld):
        known = failed is None and share.point <= IMPOSSIBLE_SHARE
        return _void(answer, evidence, share if known else None)
    return CellVerdict(
        verdict=answer,
        reason=_reason(answer, share, figures, evidence),
        memory_share=share,
        evidence=evidence,
        against=_against(answer, evidence),
    )


def _figures(share: float, evidence: Sequence[Outcome]) -> Figures:
    known = {name: value.point for name, value in _telling(evidence).items()}
    rise = known.get("compute", known.get("batch"))
    return Figures(
        share=share, rise=rise, further=known.get("each further token"), slices=known.get("slices")
    )


def _telling(evidence: Sequence[Outcome]) -> dict[str, Estimate]:
    """Figures by name, without those whose interval holds a flat answer and a whole step alike."""
    values = {item.name: item.value for item in evidence if isinstance(item.value, Estimate)}
    return {name: value for name, value in values.items() if value.low > FLAT or value.high < 1}


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


def classify(figures: Figures) -> Bound | Withheld:
    """The rule, as the head of this file has it."""
    share = figures.share
    if share > IMPOSSIBLE_SHARE:
        return Withheld(
            f"the step would read {share:.2g} times faster than the memory streams: "
            "its bytes or its time can't be true, or a cache holds them"
        )
    if figures.rise is not None and figures.rise >= COMPUTE_ELASTICITY and not _costs_once(figures):
        return "compute-bound"
    if share >= MEMORY_SHARE:
        return "memory-bound"
    if figures.rise is None:
        return Withheld(
            f"its bytes explain {100 * share:.0f} % of a step, so it is not memory-bound; arithmetic and "
            "fixed costs can't be told apart, as S8 and S4 were not run or are too noisy (more --rounds, a "
            "quieter machine)"
        )
    if figures.slices is not None and figures.slices >= MEMORY_SHARE:
        return "kernel-bound"
    return "mixed" if share >= MIXED_SHARE else "overhead-bound"


def _costs_once(figures: Figures) -> bool:
    """Whether further tokens cost less, so that some of the second one's cost was another kernel's."""
    return figures.further is not None and figures.further < COMPUTE_ELASTICITY


def _control(evidence: Sequence[Outcome]) -> Withheld | None:
    """S9: a mask that leaves all work in place and still saves joules means the joules are wrong."""
    if any(item.name == "mask" and item.fits_memory_bound is False for item in evidence):
        return Withheld(
            "the negative control failed: masking outputs lowered the joules, so they can't be trusted"
        )
    return None


def _reason(answer: Bound, share: Estimate, figures: Figures, evidence: Sequence[Outcome]) -> str:
    values = _telling(evidence)
    if answer == "compute-bound":
        return _compute_reason(values)
    ends = {classify(replace(figures, share=end)) for end in (share.low, min(share.high, 1.0))}
    others = sorted(str(e) for e in ends - {answer})
    parts = [f"reading its bytes at the stream's bandwidth explains {100 * share.point:.0f} % of a step"]
    if answer == "kernel-bound":
        parts.append(_what_it_would_take(share, values["slices"]))
    elif answer != "memory-bound":
        parts += _where_the_rest_goes(values)
    parts += [f"the interval reaches into {other}" for other in others[:1]]
    rise = _rise(values)
    if rise is not None and figures.rise is not None and figures.rise >= COMPUTE_ELASTICITY:
        parts.append(
            f"a second token costs {100 * rise.point:.0f} %, each further one "
            f"{100 * (figures.further or 0.0):.0f} %: another kernel, not arithmetic"
        )
    elif rise is not None and rise.high >= COMPUTE_ELASTICITY:
        parts.append("the interval of the second token's cost reaches into compute-bound")
    return "; ".join(parts)


def _rise(values: Mapping[str, Estimate]) -> Estimate | None:
    return values.get("compute", values.get("batch"))


def _compute_reason(values: Mapping[str, Estimate]) -> str:
    value = _rise(values)
    assert value is not None, "what the verdict rests on"
    interval = f"{100 * value.point:.0f} % [{100 * value.low:.0f} %, {100 * value.high:.0f} %]"
    text = f"as many flops again cost {interval} of a step's time, while the bytes stay the same"
    unsure = value.low < COMPUTE_ELASTICITY
    rule = f"{100 * COMPUTE_ELASTICITY:.0f} % of the rule"
    return f"{text}; the interval reaches below the {rule}" if unsure else text


def _what_it_would_take(share: Estimate, slices: Estimate) -> str:
    reached = share.point / slices.point
    left = 1 - slices.point + share.point
    return (
        f"bandwidth not reached: time follows its bytes, but the products read at {100 * reached:.0f} % of "
        f"the stream's bandwidth; kernels that reached it would bring a step to {100 * left:.0f} % of its "
        "time"
    )


def _where_the_rest_goes(values: Mapping[str, Estimate]) -> list[str]:
    """Slow products and launches are both overhead to the bandwidth, and one mends them differently."""
    named = (
        ("weights", "the products with its weights alone take"),
        ("launches", "the launches alone"),
    )
    said = [f"{words} {100 * values[name].point:.0f} %" for name, words in named if name in values]
    if "slices" in values:
        said.append(f"{100 * max(0.0, 1 - values['slices'].point):.0f} % stays whatever is read")
    return [", ".join(said)] if said else []


def _against(answer: Bound, evidence: Sequence[Outcome]) -> tuple[str, ...]:
    """Tests whose outcome is not what the verdict leads to expect."""
    expected = _EXPECTED[answer]
    return tuple(
        item.name
        for item in evidence
        if item.fits_memory_bound is not None
        and item.fits_memory_bound is not expected.get(item.name, item.fits_memory_bound)
    )


def _void(why: Withheld, evidence: tuple[Outcome, ...], share: Estimate | None = None) -> CellVerdict:
    return CellVerdict(
        verdict=NOT_ESTIMATED, reason=why.reason, memory_share=share, evidence=evidence, against=()
    )
