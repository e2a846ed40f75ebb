import numpy as np
import pytest

from bench.report.story import Story
from benchmarks.made_up import DECODE_W, IDLE_W, PREFILL_W
from tests.bench.report.figures.drawn import drawing, row, table


def test_phases_are_what_the_power_was_made_of(made: Story) -> None:
    found = row(table("where", made), "torch")
    assert found["prefill_withheld"] == ""
    assert found["prefill_j"] == pytest.approx(PREFILL_W * found["prefill_s"], rel=0.06)
    assert found["decode_j"] == pytest.approx(DECODE_W["torch", "full"] * found["decode_s"], rel=0.06)
    assert found["prefill_low_j"] < found["prefill_j"] < found["prefill_high_j"]
    slots = [s for s in made.readback.of_arm(("torch", "ungated", False)) if s.excluded is None]
    requests = [r for s in slots for r in s.answers]
    prefill_s = sum(r.prefilled_s - r.gated_s for r in requests)
    assert found["prefill_s"] == pytest.approx(prefill_s / found["passes"])


def test_rails_add_up_to_the_joules_of_the_summary(made: Story, echo: Story) -> None:
    for story in (made, echo):
        found = table("where", story)
        rails = found[[name for name in found.columns if name.startswith("rail_")]].sum(axis=1)
        np.testing.assert_allclose(rails, [row.gross_per_repeat_j for row in story.summary.rows])


def test_a_phase_that_can_not_be_told_is_withheld_and_never_zero(echo: Story, made: Story) -> None:
    for name in ("prefill", "decode", "gap"):
        found = table("where", echo)
        assert (found[f"{name}_j"].isna() == (found[f"{name}_withheld"] != "")).all()
        assert not (found[f"{name}_j"] == 0).any()
    gap = row(table("where", made), "torch")
    assert gap["gap_withheld"]
    assert np.isnan(gap["gap_j"])
    assert "gap not estimated" in drawing("where", made).alt


def test_idle_is_its_power_for_as_long_as_a_pass(made: Story) -> None:
    found = row(table("where", made), "mlx")
    [ungated] = [r for r in made.summary.rows if (r.backend, r.gate, r.a_a) == ("mlx", "ungated", False)]
    assert found["idle_share_j"] == pytest.approx(IDLE_W * ungated.seconds_per_repeat_s, rel=0.02)
