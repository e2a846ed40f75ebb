import pytest

from bench.report.story import Story
from bench.show.plots import render
from tests.bench.report.figures.drawn import drawing, reason, row, table


def test_energy_and_agreement_are_those_of_the_summary_and_the_tokens(made: Story) -> None:
    found = row(table("quality", made), "torch norm_fraction")
    saving = row(table("savings", made), "torch norm_fraction")
    assert found["energy_percent"] == pytest.approx(100 - saving["saved_percent"])
    assert found["low_percent"] == pytest.approx(100 - saving["high_percent"])
    asked = {
        gate: {r.prompt_id: r.tokens for s in made.readback.of_arm(("torch", gate, False)) for r in s.answers}
        for gate in ("ungated", "norm_fraction")
    }
    same = [
        sum(a == b for a, b in zip(tokens, asked["ungated"][prompt], strict=True)) / len(tokens)
        for prompt, tokens in asked["norm_fraction"].items()
    ]
    assert found["token_match_percent"] == pytest.approx(100 * sum(same) / len(same))


def test_of_two_configurations_there_is_no_pareto_set(made: Story) -> None:
    found = drawing("quality", made)
    assert not found.table["pareto"].any()
    assert row(found.table, "torch")["energy_percent"] == 100
    assert "Pareto" not in render(found.draw, "svg").decode()


def test_what_no_configuration_of_its_backend_beats_is_marked(hostile: Story) -> None:
    found = table("quality", hostile)
    assert set(found.loc[found["pareto"], "backend"]) == {"torch", "mlx"}
    assert bool(row(found, "torch")["pareto"])
    for _, group in found.groupby("backend"):
        for one in group[~group["pareto"]].itertuples():
            better = group["energy_percent"].le(one.energy_percent) & group["token_match_percent"].ge(
                one.token_match_percent
            )
            assert better.sum() > 1


def test_each_backend_has_its_own_noise(made: Story) -> None:
    found = table("quality", made).set_index("arm")["noise_percent"]
    assert found["torch"] == found["torch norm_fraction"]
    assert found["torch"] != found["mlx"]
    legend = render(drawing("quality", made).draw, "svg").decode()
    for backend in ("torch", "mlx"):
        assert f"noise (A/A) of {backend}: \u00b1{found[backend]:.1f} %" in legend


def test_an_ungated_arm_alone_has_nothing_to_trade(empty: Story) -> None:
    assert "no window" in reason("quality", empty)
