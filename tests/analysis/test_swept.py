"""Claims about cuts, judged on sweeps with a known answer."""

from __future__ import annotations

from dataclasses import replace

import pytest

from analysis.swept import BackendSweep, SweptPoint, judge_sweep
from analysis.values import Estimate


def around(point: float, half: float = 0.001) -> Estimate:
    return Estimate(point, point - half, point + half)


def pruned(kept: float, rise: float, *, half: float = 0.001, **changes: object) -> SweptPoint:
    known = {"label": f"kv_keep {kept}", "cuts": frozenset({f"kv_keep {kept}"}), "speed_ratio": 1.0 / kept}
    return SweptPoint(kept=kept, rise=around(rise, half), **{**known, **changes})  # type: ignore[arg-type]


def sweep(*points: SweptPoint, cliff: float | None = None, floor: float | None = 0.01) -> BackendSweep:
    return BackendSweep(points=points, cliff=cliff, cliff_reason="no cliff down to 0.1", speed_floor=floor)


def verdict(claim: str, found: BackendSweep) -> str:
    judged = judge_sweep(claim, found)
    assert judged is not None
    assert judged[1]
    return judged[0]


@pytest.mark.parametrize(
    ("points", "expected"),
    [
        ([pruned(0.9, 0.0), pruned(0.5, 0.002)], "reproduced"),
        ([pruned(0.9, 0.0), pruned(0.5, 0.3)], "not reproduced"),
        ([pruned(0.5, 0.012, half=0.01)], "not testable here"),
        ([pruned(0.5, 0.0, inactive=True)], "not testable here"),
        ([pruned(0.3, 4.0)], "not testable here"),  # outside the published range
    ],
)
def test_equal_perplexity(points: list[SweptPoint], expected: str) -> None:
    assert verdict("redundancy.perplexity", sweep(*points)) == expected


@pytest.mark.parametrize(
    ("ratio", "floor", "expected"),
    [
        (1.5, 0.01, "reproduced"),
        (1.01, 0.001, "not reproduced"),
        (1.05, -0.2, "reproduced but inside the A/A error"),
        (1.5, None, "not testable here"),
    ],
)
def test_speed_is_taken_at_the_strongest_published_cut(
    ratio: float, floor: float | None, expected: str
) -> None:
    points = pruned(0.9, 0.0, speed_ratio=9.0), pruned(0.5, 0.0, speed_ratio=ratio)
    assert verdict("redundancy.speed", sweep(*points, floor=floor)) == expected


@pytest.mark.parametrize(
    ("cliff", "expected"), [(0.5, "reproduced"), (0.9, "not reproduced"), (None, "not testable here")]
)
def test_the_place_of_the_cliff(cliff: float | None, expected: str) -> None:
    assert verdict("redundancy.cliff", sweep(cliff=cliff)) == expected


@pytest.mark.parametrize(
    ("share", "rise", "expected"),
    [(0.5, 0.02, "reproduced"), (0.5, 0.4, "not reproduced"), (0.3, 0.01, "not testable here")],
)
def test_half_of_the_attention_dropped(share: float, rise: float, expected: str) -> None:
    point = SweptPoint(
        label="drop", cuts=frozenset({"drop"}), kept=None, attention_dropped=share, rise=around(rise)
    )
    assert verdict("literature.attention_dropped", sweep(point)) == expected


@pytest.mark.parametrize(
    ("ratio", "floor", "expected"),
    [
        (1.47, 0.01, "reproduced"),
        (1.2, 0.01, "not reproduced"),
        (1.9, 0.01, "not reproduced"),
        (1.3, 0.15, "reproduced"),
        (1.47, None, "not testable here"),
    ],
)
def test_half_of_the_attention_is_as_fast_as_published(
    ratio: float, floor: float | None, expected: str
) -> None:
    point = SweptPoint(
        label="drop", cuts=frozenset({"drop"}), kept=None, attention_dropped=0.5, speed_ratio=ratio
    )
    assert verdict("literature.attention_speed", sweep(point, floor=floor)) == expected
    fewer = replace(point, attention_dropped=0.4)
    assert verdict("literature.attention_speed", sweep(fewer, floor=floor)) == "not testable here"


@pytest.mark.parametrize(
    ("removed", "bytes_ratio", "expected"),
    [
        (0.10, 0.92, "reproduced"),
        (0.01, 0.92, "not reproduced"),
        (0.05, 0.92, "not testable here"),
        (0.01, 0.80, "not testable here"),
    ],
)
def test_flattening_is_held_against_removing_what_reads_as_much(
    removed: float, bytes_ratio: float, expected: str
) -> None:
    flat = SweptPoint(
        label="flat", cuts=frozenset({"flatten {}"}), kept=None, rise=around(0.05), bytes_ratio=0.92
    )
    less = SweptPoint(
        label="removed",
        cuts=frozenset({"drop_blocks [3]"}),
        kept=None,
        rise=around(removed),
        bytes_ratio=bytes_ratio,
    )
    assert verdict("literature.flatten_perplexity", sweep(flat, less)) == expected


def grid(both: float, half: float = 0.001) -> BackendSweep:
    a, b = frozenset({"weight_bits 8"}), frozenset({"mlp_keep 0.5"})
    ratios = {a: 0.6, b: 0.7, a | b: both}
    points = [
        SweptPoint(label="+".join(cuts), cuts=cuts, kept=None, joules_ratio=around(ratio, half))
        for cuts, ratio in ratios.items()
    ]
    return sweep(*points)


@pytest.mark.parametrize(
    ("both", "half", "expected"),
    [
        (0.42, 0.001, "reproduced"),
        (0.55, 0.001, "not reproduced"),
        (0.43, 0.05, "not testable here"),
    ],
)
def test_savings_multiply(both: float, half: float, expected: str) -> None:
    assert verdict("literature.savings_multiply", grid(both, half)) == expected


def test_one_cut_is_no_product() -> None:
    assert verdict("literature.savings_multiply", sweep(pruned(0.5, 0.0))) == "not testable here"


def test_a_claim_about_something_else_is_none_of_a_sweeps_business() -> None:
    assert judge_sweep("routing.short.energy", sweep()) is None


def other(stated: dict[str, object], **known: object) -> SweptPoint:
    return SweptPoint(label="point", cuts=frozenset(), kept=None, stated=stated, **known)  # type: ignore[arg-type]


REBUILT: dict[str, object] = {"kv_direct": "h0", "kv_hot": 16}
COPIED: dict[str, object] = {"lookup": True, "lookup_rule": "copyspec"}


@pytest.mark.parametrize(
    ("claim", "points", "expected"),
    [
        ("cache_from_residual", [other(REBUILT, match=1.0)], "reproduced"),
        ("cache_from_residual", [other(REBUILT, match=1.0), other(REBUILT, match=0.98)], "not reproduced"),
        ("cache_from_residual", [other(REBUILT, match=1.0, inactive=True)], "not testable here"),
        ("cache_from_residual", [other(COPIED, match=1.0)], "not testable here"),
        ("rebuilding_faster", [other(REBUILT, speed_ratio=0.11)], "not reproduced"),
        ("rebuilding_faster", [other(REBUILT, speed_ratio=1.4)], "reproduced"),
        ("copied_tokens", [other(COPIED, speed_ratio=1.4)], "not reproduced"),
        ("copied_tokens", [other(COPIED, speed_ratio=2.4)], "reproduced"),
        ("copied_tokens", [other({"lookup": True}, speed_ratio=2.4)], "not testable here"),
        ("drafted_tokens", [other({"draft": "small"}, speed_ratio=1.9)], "not reproduced"),
        ("drafted_tokens", [other({"draft": "small"}, speed_ratio=2.1)], "reproduced"),
        ("drafted_tokens", [other({"lookup": True}, speed_ratio=2.1)], "not testable here"),
    ],
)
def test_claims_on_exact_cuts(claim: str, points: list[SweptPoint], expected: str):
    assert verdict(f"literature.{claim}", sweep(*points)) == expected


def test_a_match_is_told_with_its_price():
    point = other(REBUILT, match=1.0, joules_ratio=around(9.0))
    judged = judge_sweep("literature.cache_from_residual", sweep(point))
    assert judged == ("reproduced", "point: 100.0 % of the tokens, at 9.00 times the joules")


@pytest.mark.parametrize(
    ("kept", "rise", "expected"),
    [(0.125, 0.03, "reproduced"), (0.125, 0.3, "not reproduced"), (0.5, 0.0, "not testable here")],
)
def test_tova_is_judged_at_a_quarter_and_less(kept: float, rise: float, expected: str):
    point = pruned(kept, rise, stated={"kv_keep": kept, "kv_policy": "tova"})
    assert verdict("literature.cache_of_an_eighth", sweep(point)) == expected
