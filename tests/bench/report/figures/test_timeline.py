import numpy as np
import pytest

from bench.report.figures.timeline import IDLE, PAUSE_SHARE, PHASES, Timeline, lane_names
from bench.report.story import Story


def test_each_session_begins_after_the_one_before(made: Story) -> None:
    timeline = Timeline.of(made)
    traces = {number: s.lead.trace for number, s in made.readback.sources.items()}
    lengths_s = [float(t.end_s[-1] - t.start_s[0]) for t in traces.values()]
    assert timeline.length_s == pytest.approx(sum(lengths_s) * (1 + PAUSE_SHARE))
    for number, trace in traces.items():
        placed = timeline.place(number, np.array([trace.start_s[0], trace.end_s[-1]]))
        assert placed[1] - placed[0] == pytest.approx(lengths_s[number - 1])
    second_s = lengths_s[0] + PAUSE_SHARE * sum(lengths_s)
    assert timeline.shifts_s == {1: 0.0, 2: pytest.approx(second_s)}


def test_the_unit_fits_the_length() -> None:
    lengths_s = (60.0, 3600.0, 8 * 3600.0)
    assert [Timeline({}, {}, length_s).unit[0] for length_s in lengths_s] == ["s", "min", "h"]


def test_phases_get_a_lane_where_they_can_be_seen(made: Story) -> None:
    timeline = Timeline.of(made)
    assert lane_names(made, timeline)[-1] == IDLE
    assert lane_names(made, Timeline(timeline.begins_s, timeline.shifts_s, 30.0))[-1] == PHASES
