"""The gates against the published record and the values that follow from its definitions."""

from __future__ import annotations

import csv
import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.errors import UserError
from bench.suite import plugins
from bench.suite.gates.base import Budget
from bench.suite.gates.fingerprint import connectivity, fraction, residue, sum_of_squares

ROUTING = Path(__file__).resolve().parents[4] / "shared" / "published" / "routing_50.csv"
CONNECTIVITY = {
    1: 0.3060764333,
    5: 0.3132453889,
    7: 0.3856091166,
    11: 0.3126586812,
    13: 0.2597316946,
    17: 0.3187569823,
    19: 0.3000183787,
    23: 0.3332182536,
}
MODULI = {  # units, share of residues with a value, mean, deviation: the paper's table
    8: (4, 0.500, 0.2100, 0.0522),
    12: (4, 0.333, 0.1711, 0.0231),
    16: (8, 0.500, 0.3416, 0.0347),
    20: (8, 0.400, 0.3151, 0.0388),
    24: (8, 0.333, 0.3162, 0.0352),
    32: (16, 0.500, 0.6500, 0.0412),
    48: (16, 0.333, 0.6614, 0.0643),
}


def float32_residue(ids: Sequence[int], modulus: int = 24) -> int:
    """The residue as the paper computed it, with a float32 norm."""
    return math.floor(float(np.linalg.norm(np.asarray(ids, dtype=np.float32)))) % modulus


def test_connectivity_has_the_eight_values_and_is_undefined_for_the_rest() -> None:
    for n in range(24):
        value = connectivity(n)
        if n in CONNECTIVITY:
            assert value == pytest.approx(CONNECTIVITY[n], abs=1e-9)
        else:
            assert value is None


@pytest.mark.parametrize("modulus", MODULI)
def test_connectivity_gives_the_published_table_of_moduli(modulus: int) -> None:
    _, share, mean, deviation = MODULI[modulus]
    values = [v for n in range(modulus) if (v := connectivity(n, modulus)) is not None]
    assert len(values) / modulus == pytest.approx(share, abs=5e-4)
    assert np.mean(values) == pytest.approx(mean, abs=5e-5)
    assert np.std(values, ddof=1) == pytest.approx(deviation, abs=5e-5)


@pytest.mark.skipif(not ROUTING.exists(), reason="the published record is not here")
def test_norm_fraction_routes_exactly_the_published_rows() -> None:
    with ROUTING.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    routed = [fraction(int(row["sum_of_squared_ids"])) >= 0.3 for row in rows]
    assert routed == [row["routed_to_small"] == "1" for row in rows]
    assert sum(routed) == 36


def test_norm_fraction_routes_a_row_of_the_record() -> None:
    assert fraction(969496959) == pytest.approx(0.3645, abs=2e-4)


@given(st.integers(min_value=0, max_value=10**24), st.sampled_from([8, 24, 48]))
def test_fraction_and_residue_tell_the_same_story(total: int, modulus: int) -> None:
    value = fraction(total, modulus)
    assert 0 <= value < 1
    assert math.floor(value * modulus + 1e-9) in (residue(total, modulus), residue(total, modulus) + 1)
    assert residue(total, modulus) == math.isqrt(total) % modulus


def test_fraction_keeps_its_precision_for_long_prompts() -> None:
    whole = 10**9 * 24  # |x| = whole + 1/2, far beyond what a float32 norm resolves
    assert fraction(whole * whole + whole) == pytest.approx(0.5 / 24, rel=1e-6)


def test_a_float32_norm_can_fall_on_the_wrong_side_of_a_whole_number() -> None:
    ids = [16_777_217, 1]
    assert residue(sum_of_squares(ids)) != float32_residue(ids)


def test_gates_send_prompts_where_they_say() -> None:
    by_norm = plugins.create("gates", "norm_fraction", {"threshold": 0.3})
    assert by_norm.decide([16]).model == "small"  # 16 / 24
    assert by_norm.decide([7]).model == "full"  # 7 / 24
    by_graph = plugins.create("gates", "graph_connectivity", {"threshold": 0.3})
    assert by_graph.decide([7]).model == "small"  # lambda2(7) = .386
    assert by_graph.decide([13]).model == "full"  # lambda2(13) = .260
    assert by_graph.decide([8]).model == "full"  # undefined
    by_length = plugins.create("gates", "length", {"tokens": 3})
    assert [by_length.decide([1] * n).model for n in (3, 4)] == ["small", "full"]


def test_random_routes_at_its_rate_and_the_same_way_every_time() -> None:
    gate = plugins.create("gates", "random", {"rate": 0.3, "seed": 5})
    prompts = [[n, n + 1] for n in range(4000)]
    small = [gate.decide(ids).model == "small" for ids in prompts]
    assert sum(small) / len(small) == pytest.approx(0.3, abs=0.03)
    assert small == [gate.decide(ids).model == "small" for ids in prompts]
    other = plugins.create("gates", "random", {"rate": 0.3, "seed": 6})
    assert small != [other.decide(ids).model == "small" for ids in prompts]


def test_budgets_are_options() -> None:
    options = {"small": {"model": "tiny", "max_new_tokens": 3}}
    gate = plugins.create("gates", "norm_fraction", options)
    assert gate.decide([16]) == Budget(model="tiny", max_new_tokens=3)


@pytest.mark.parametrize(
    ("name", "options", "said"),
    [
        ("norm_fraktion", {}, "did you mean 'norm_fraction'"),
        ("norm_fraction", {"treshold": 0.3}, "did you mean 'threshold'"),
        ("norm_fraction", {"threshold": 1.5}, "1.5"),
        ("norm_fraction", {"threshold": "much"}, "much"),
        ("norm_fraction", {"small": {"modell": "x"}}, "modell"),
        ("random", {}, "give either a rate"),
        ("random", {"rate": 0.5, "matches": "x"}, "give either a rate"),
        ("kappa", {"table": "papyrus"}, "papyrus"),
        ("kappa", {"drives": []}, "drives"),
        ("constant", {"budget": {"cut": {"kv_keep": 0}}}, "kv_keep"),
        ("constant", {"budget": {"cut": {"mlp_keep": 1.2}}}, "1.2"),
        ("constant", {"budget": {"cut": {"weight_bits": 3}}}, "weight_bits = 3"),
        ("random", {"rate": -0.1}, "-0.1"),
        ("length", {"tokens": 0}, "tokens = 0"),
    ],
)
def test_wrong_options_are_one_line_that_names_them(name: str, options: dict[str, object], said: str) -> None:
    with pytest.raises(UserError) as error:
        plugins.create("gates", name, options)
    assert said in str(error.value)
    assert "\n" not in str(error.value)
