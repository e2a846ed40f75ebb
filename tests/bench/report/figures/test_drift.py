import pytest

from bench.report.story import Story
from bench.run.records import SlotRecord
from tests.bench.report.figures.drawn import reason, table


def test_slots_lie_about_their_arms_mean_in_the_order_of_the_run(made: Story) -> None:
    found = table("drift", made)
    stored = made.readback.run.of(SlotRecord)
    assert list(found["window"]) == list(range(1, len(stored) + 1))
    assert list(found["block"]) == [slot.block for slot in stored]
    per_pass = [slot.joules.total_j / slot.passes for slot in stored]
    assert found["j_per_repeat"].to_list() == pytest.approx(per_pass, rel=1e-6)
    assert found.groupby("arm")["relative_percent"].mean().abs().max() < 1e-9
    assert found["relative_percent"].abs().max() < 10


def test_below_three_blocks_there_is_no_drift(echo: Story) -> None:
    assert "needs 3 blocks, and this run has 1" in reason("drift", echo)
