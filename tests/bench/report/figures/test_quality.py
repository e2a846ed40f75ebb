import pytest

from bench.report.story import Story
from tests.bench.report.figures.drawn import drawing, reason, row, table


def test_energy_and_agreement_are_those_of_the_summary_and_the_tokens(made: Story) -> None:
    found = row(table("quality", made), "torch norm_fraction")
    saving = row(table("savings", made), "torch norm_fraction")
    assert found["energy_percent"] == pytest.approx(100 - saving["saved_percent"])
    assert found["low_percent"] == pytest.approx(100 - saving["high_percent"])
    asked = {
        gate: {
            r.prompt_id: r.tokens for s in made.readback.of_arm(("torch", gate, False)) for r in s.requests
        }
        for gate in ("ungated", "norm_fraction")
    }
    same = [
        sum(a == b for a, b in zip(tokens, asked["ungated"][prompt], strict=True)) / len(tokens)
        for prompt, tokens in asked["norm_fraction"].items()
    ]
    assert found["agreement_percent"] == pytest.approx(100 * sum(same) / len(same))


def test_what_no_arm_of_its_backend_beats_is_marked(made: Story) -> None:
    found = drawing("quality", made)
    assert set(found.table.loc[found.table["pareto"], "arm"]) == {
        *("torch ungated", "torch norm_fraction", "mlx ungated", "mlx norm_fraction")
    }
    assert row(found.table, "torch ungated")["energy_percent"] == 100


def test_an_ungated_arm_alone_has_nothing_to_trade(empty: Story) -> None:
    assert "no slot" in reason("quality", empty)
