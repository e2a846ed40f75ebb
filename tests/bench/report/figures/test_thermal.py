from dataclasses import replace

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


def test_where_it_was_cool_all_the_time_there_is_nothing_to_draw(made: Story) -> None:
    sources = {
        number: replace(
            one, lead=replace(one.lead, trace=replace(one.lead.trace, thermal=((0.0, "Nominal"),)))
        )
        for number, one in made.readback.sources.items()
    }
    cool = replace(made, readback=replace(made.readback, sources=sources))
    assert "Nominal all the time" in reason("thermal", cool)
