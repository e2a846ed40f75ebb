"""The kappa gate against the values that follow from its definition, and its controls."""

from __future__ import annotations

import statistics
from collections import Counter

import pytest

from backends.cut import Cut
from bench.errors import UserError
from bench.suite import plugins
from bench.suite.gates.fingerprint import residue, sum_of_squares
from bench.suite.gates.kappa import kappa_table, lambda2
from bench.suite.gates.matching import match_controls

FORMULA = (
    *(1.5, 1.373266, 1.364876, 1.372164, 1.346578, 1.381834, 1.358582, 1.420123),
    *(1.360907, 1.351764, 1.368036, 1.405904, 1.363737, 1.421365, 1.381316, 1.366667),
    *(1.363596, 1.401242, 1.389454, 1.352233, 1.377959, 1.378318, 1.392534, 1.358116),
)
PROMPTS = [[n, n + 3, 2 * n + 1] for n in range(1, 201)]


def test_lambda2_follows_the_formula() -> None:
    assert [lambda2(n) for n in range(24)] == pytest.approx(FORMULA, abs=5e-7)


def test_kappa_is_normalised_by_the_range_of_its_own_table() -> None:
    formula, published = kappa_table("formula"), kappa_table("published")
    assert (min(formula), max(formula)) == (0.0, 1.0)
    assert statistics.mean(formula) == pytest.approx(0.226, abs=5e-4)
    assert published[0] == 1.0
    assert published[1] == pytest.approx((1.36216 - 1.35) / 0.15)


def test_the_gate_keeps_the_share_of_its_residue() -> None:
    gate = plugins.create("gates", "kappa", {"drives": ["kv_keep", "mlp_keep"]})
    for ids in PROMPTS:
        cut = gate.decide(ids).cut
        share = kappa_table("formula")[residue(sum_of_squares(ids))]
        assert cut.kv_keep == cut.mlp_keep == pytest.approx(max(share, 1e-6))
    only_cache = plugins.create("gates", "kappa", {})
    assert only_cache.decide([2]).cut.mlp_keep == 1.0


def test_a_shuffled_table_has_the_same_values_in_other_places() -> None:
    plain = plugins.create("gates", "kappa", {})
    shuffled = plugins.create("gates", "kappa", {"shuffle_seed": 1})
    shares = [[budget.cut.kv_keep for budget in gate.budgets] for gate in (plain, shuffled)]
    assert shares[0] != shares[1]
    assert sorted(shares[0]) == sorted(shares[1])


@pytest.mark.parametrize("name", ["norm_fraction", "graph_connectivity", "kappa"])
def test_a_matched_random_gate_deals_out_the_very_same_budgets(name: str) -> None:
    gate = plugins.create("gates", name, {})
    control = plugins.create("gates", "random", {"matches": "it", "seed": 3})
    matched = match_controls({"it": gate, "control": control}, PROMPTS)["control"]
    theirs, ours = [gate.decide(ids) for ids in PROMPTS], [matched.decide(ids) for ids in PROMPTS]
    assert Counter(theirs) == Counter(ours)
    assert theirs != ours
    again = match_controls({"it": gate, "control": control}, PROMPTS)["control"]
    assert ours == [again.decide(ids) for ids in PROMPTS]


def test_a_control_of_nothing_is_refused() -> None:
    control = plugins.create("gates", "random", {"matches": "kapa"})
    kappa = plugins.create("gates", "kappa", {})
    with pytest.raises(UserError, match="did you mean 'kappa'"):
        match_controls({"kappa": kappa, "control": control}, PROMPTS)
    with pytest.raises(UserError, match="is a control itself"):
        match_controls({"kapa": control, "control": control}, PROMPTS)


def test_constant_gives_everybody_the_same() -> None:
    gate = plugins.create("gates", "constant", {"budget": {"cut": {"kv_keep": 0.5}}})
    assert {gate.decide(ids).cut for ids in PROMPTS} == {Cut(kv_keep=0.5)}
