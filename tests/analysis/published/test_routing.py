import pytest

from analysis.published.record import record, routing_rows
from analysis.published.routing import inside_aa


def test_the_rows_add_up_to_the_published_totals() -> None:
    run, rows = record()["routing"]["short_questions"], routing_rows()
    assert len(rows) == run["prompts"]
    assert sum(row["routed_to_small"] for row in rows) == run["routed_to_small"]
    assert sum(row["new_tokens_gated"] for row in rows) == run["gated"]["new_tokens"]
    assert sum(row["new_tokens_ungated"] for row in rows) == run["ungated"]["new_tokens"]


@pytest.mark.parametrize(("change", "inside"), [(-52.95, True), (9.9, True), (204.1, False), (-70.0, False)])
def test_inside_the_aa_error_counts_in_ratios(change: float, inside: bool) -> None:
    assert inside_aa(change) is inside


def test_published_energy_is_power_times_wall_time() -> None:
    for name in ("short_questions", "mixed_prompts", "small_model_only"):
        for arm in ("ungated", "gated"):
            run = record()["routing"][name][arm]
            assert run["energy_kwh"] * 3.6e6 == pytest.approx(run["mean_w"] * run["seconds_s"], rel=0.01)
