import numpy as np
import pytest

from bench.report.figures.timeline import PIXELS
from bench.report.story import Story
from tests.bench.report.figures.drawn import drawing, table


@pytest.mark.parametrize("name", ["echo", "made"])
def test_joules_and_peaks_survive_being_gathered(name: str, request: pytest.FixtureRequest) -> None:
    story: Story = request.getfixturevalue(name)
    drawn = table("power", story)
    for session, sources in story.readback.sources.items():
        trace = sources.lead.trace
        watts = trace.joules.sum(axis=1) / (trace.end_s - trace.start_s)
        mine = drawn.loc[drawn["session"] == session]
        spent_j = (mine["total_mean_w"] * (mine["end_s"] - mine["start_s"])).sum()
        assert spent_j == pytest.approx(trace.joules.sum(), rel=1e-3)
        assert mine["total_highest_w"].max() == watts.max()
        assert mine["total_lowest_w"].min() == watts.min()
    assert len(drawn) <= PIXELS + 10


def test_bins_are_ordered_and_sessions_do_not_touch(made: Story) -> None:
    drawn = table("power", made)
    assert list(drawn["session"].unique()) == [1, 2]
    assert (drawn["start_s"].to_numpy()[1:] >= drawn["end_s"].to_numpy()[:-1] - 1e-9).all()
    first, second = (drawn.loc[drawn["session"] == number] for number in (1, 2))
    assert second["start_s"].min() > first["end_s"].max() + 1
    assert drawn["start_s"].iloc[0] == 0


def test_rails_add_up_to_the_total(made: Story) -> None:
    drawn = table("power", made)
    rails = drawn[[f"{rail}_mean_w" for rail in ("cpu", "gpu", "ane")]].sum(axis=1)
    np.testing.assert_allclose(rails, drawn["total_mean_w"])


def test_the_figure_is_described_in_words(made: Story) -> None:
    found = drawing("power", made)
    highest = found.table["total_highest_w"].max()
    assert f"{highest:.2f} W" in found.alt
    assert f"{len(made.slots)} windows of 6 configurations" in found.alt
