from dataclasses import replace

import pytest

from bench.report.story import Story
from energy.base import Trace
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


def test_pressure_without_a_reading_has_no_place_in_time(made: Story) -> None:
    """As where a stream is damaged from its first documents on."""

    def emptied(trace: Trace) -> Trace:
        return replace(trace, start_s=trace.start_s[:0], end_s=trace.end_s[:0], joules=trace.joules[:0])

    sources = {
        number: replace(one, lead=replace(one.lead, trace=emptied(one.lead.trace)))
        for number, one in made.readback.sources.items()
    }
    without = replace(made, readback=replace(made.readback, sources=sources))
    assert "no reading that says when" in reason("thermal", without)
