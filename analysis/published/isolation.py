"""FP's isolated tests: latency, energy, and whether they show a memory-bound decode."""

from __future__ import annotations

from typing import Any

from analysis.claims import Claim, ClaimFigure
from analysis.isolation import Bound, Figures, classify
from analysis.published.record import record
from analysis.roofline import apple_bandwidth
from analysis.values import Withheld
from analysis.words import listed

BITS = (16, 4)
"""Of a weight: what is assumed, and how far that goes. The paper does not state the precision."""
ISOLATE = "bench isolate on the Mac that is in question, with both models"
_FIELDS = {"ms/token": "ms_per_token", "J/token": "j_per_token"}
"""What a unit is called in the record."""


def isolation_claims() -> list[Claim]:
    """Latency, energy and the bound, from the published table."""
    big, small = record()["isolation"]["tinyllama"], record()["isolation"]["pythia"]
    return [_latency(big, small), _energy(big, small), _memory_bound(big, small)]


def decode_share(row: dict[str, Any], *, bits: int) -> float:
    """Share of a published decode step that reading weights of so many bits at full bandwidth explains."""
    bandwidth = apple_bandwidth(record()["machine"]["chip"], None)
    assert bandwidth is not None
    return float(row["parameters"] * bits / 8 / bandwidth / (row["decode_ms_per_token"] / 1e3))


def judge_row(row: dict[str, Any], other: dict[str, Any], *, bits: int) -> Bound | Withheld:
    """The rule of `analysis.isolation` on one published row; the other shows what flops do to time."""
    more_time = other["decode_ms_per_token"] / row["decode_ms_per_token"] - 1
    more_flops = other["parameters"] / row["parameters"] - 1
    rise = more_time / more_flops
    return classify(Figures(share=decode_share(row, bits=bits), rise=rise, further=None, slices=None))


def _published(big: dict[str, Any], small: dict[str, Any], phase: str, unit: str) -> tuple[ClaimFigure, ...]:
    return tuple(
        ClaimFigure(
            label=f"{phase}, {row['model']}",
            value=row[f"{phase}_{_FIELDS[unit]}"],
            unit=unit,
            role="detail" if phase == "prefill" else "figure",
        )
        for row in (big, small)
    )


def _latency(big: dict[str, Any], small: dict[str, Any]) -> Claim:
    return Claim(
        name="isolation.latency",
        published=(
            *_published(big, small, "prefill", "ms/token"),
            *_published(big, small, "decode", "ms/token"),
        ),
        recomputed=(
            ClaimFigure(
                label="time, small over large",
                value=small["decode_ms_per_token"] / big["decode_ms_per_token"],
            ),
            ClaimFigure(
                label="parameters, large over small",
                value=big["parameters"] / small["parameters"],
                role="control",
            ),
        ),
        verdict="not testable here",
        why="a table of times holds nothing that it could be recomputed from",
        would_test=ISOLATE,
    )


def _energy(big: dict[str, Any], small: dict[str, Any]) -> Claim:
    return Claim(
        name="isolation.energy",
        published=_published(big, small, "decode", "J/token"),
        recomputed=tuple(
            ClaimFigure(
                label=row["model"],
                value=row["decode_j_per_token"] / row["decode_ms_per_token"] * 1e3,
                unit="W",
            )
            for row in (big, small)
        ),
        verdict="not testable here",
        why="both rows are nearly the same power times the time, so they add nothing to the latencies",
        would_test=ISOLATE,
    )


def _memory_bound(big: dict[str, Any], small: dict[str, Any]) -> Claim:
    return Claim(
        name="isolation.memory_bound",
        published=_published(big, small, "decode", "ms/token"),
        recomputed=tuple(
            ClaimFigure(
                label=f"its bytes explain at {bits} bits, {row['model']}",
                value=decode_share(row, bits=bits),
                unit="of the step",
                role="figure" if bits == BITS[0] else "control",
            )
            for bits in BITS
            for row in (big, small)
        ),
        verdict="not reproduced",
        why="a fifteenth of the bytes took longer, which a bandwidth limit can't produce and a fixed cost "
        "per step can. The paper does not state the precision: "
        + ". ".join(_by_the_rule(row, other) for row, other in ((big, small), (small, big))),
        would_test=ISOLATE,
    )


def _by_the_rule(row: dict[str, Any], other: dict[str, Any]) -> str:
    answers = {bits: judge_row(row, other, bits=bits) for bits in BITS}
    words = [
        f"{decode_share(row, bits=bits):.2f} of a step at {bits} bits a weight "
        f"({'more than can be' if isinstance(answer, Withheld) else answer})"
        for bits, answer in answers.items()
    ]
    return f"{row['model']}'s bytes explain {listed(words)}"
