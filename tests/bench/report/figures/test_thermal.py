import pytest

from bench.report.story import Story
from tests.bench.report.figures.drawn import reason, table


def test_the_times_of_each_pressure_are_those_of_the_stream(made: Story) -> None:
    found = table("thermal", made)
    assert list(found["pressure"]) == ["Nominal", "Moderate", "Nominal"] * 2
    seconds = (found["end_s"] - found["start_s"]).groupby(found["pressure"]).sum()
    assert seconds["Moderate"] / seconds.sum() == pytest.approx(0.1, abs=0.01)
    assert (found["end_s"] > found["start_s"]).all()


def test_a_source_without_it_says_which_one_has_it(echo: Story) -> None:
    assert "powermetrics" in reason("thermal", echo)
