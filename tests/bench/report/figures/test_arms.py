import colorsys
from dataclasses import replace

import pytest

from bench.report.figures.arms import arm_looks, legend_in, measured_note, no_joules
from bench.report.figures.catalogue import figure
from bench.report.figures.drawing import NotDrawn
from bench.report.story import Story
from bench.report.summary import summarise
from bench.run.joules import Readings, Sources
from bench.run.observed import Joules
from bench.show.plots import COLOURS, GREY
from tests.bench.report.figures.drawn import row, table
from tests.bench.report.slots import with_joules

WITHHELD = Joules(
    total_j=None,
    bound_j=None,
    rails_j={"cpu": 1.0},
    readings=20,
    kind="measured",
    boundary="soc_cpu_gpu_ane",
    grade=1,
    grade_name="sampled",
    grade_reasons=[],
    withheld="the rail dram is missing",
)


def without_joules(story: Story) -> Story:
    """The same run with a meter that never printed one of its rails."""
    slots = [with_joules(slot, WITHHELD) for slot in story.readback.slots]
    sources = {
        number: Sources(Readings(s.lead.trace, replace(s.lead.info, rails=("cpu", "dram"))))
        for number, s in story.readback.sources.items()
    }
    readback = replace(story.readback, slots=slots, sources=sources)
    return Story(readback, summarise(readback))


def test_without_joules_the_reason_is_the_one_of_the_slots(echo: Story) -> None:
    story = without_joules(echo)
    for name in ("joules-per-token", "savings", "where", "quality", "drift"):
        found = figure(name, story)
        assert isinstance(found, NotDrawn)
        assert "the rail dram is missing" in found.reason
    assert table("power", story)["total_mean_w"].isna().all()
    assert not table("routing", story).empty


def test_one_slot_without_joules_leaves_the_others(made: Story) -> None:
    first, *rest = made.readback.slots
    readback = replace(made.readback, slots=[with_joules(first, WITHHELD), *rest])
    story = Story(readback, summarise(readback))
    assert row(table("where", story), first.arm)["decode_withheld"] == ""


def test_only_what_is_no_measurement_is_called_so(echo: Story) -> None:
    assert measured_note(echo) == ", modelled, NOT a measurement"
    assert measured_note(without_joules(echo)) == ""
    assert no_joules(echo) is None


def test_the_copy_of_the_ungated_arm_is_hollow(made: Story) -> None:
    assert [name for name, look in arm_looks(made).items() if not look.filled] == [
        *("torch (A/A)", "mlx (A/A)")
    ]


def test_a_legend_is_as_high_as_its_lines() -> None:
    assert legend_in(["a"]) == legend_in(["a", "b", "c"]) < legend_in(["x" * 30] * 9)


def test_hue_says_the_gate_shade_the_backend_and_grey_the_copy(made: Story) -> None:
    found = arm_looks(made)
    assert found["torch"].colour == COLOURS[0]
    assert found["torch (A/A)"].colour == GREY
    assert len({look.colour for look in found.values()}) == len(found)
    for gate in ("", " norm_fraction"):
        assert found[f"torch{gate}"].marker == found[f"mlx{gate}"].marker
        assert hue(found[f"torch{gate}"].colour) == pytest.approx(hue(found[f"mlx{gate}"].colour), abs=0.02)


def hue(colour: str) -> float:
    red, green, blue = (int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5))
    return colorsys.rgb_to_hsv(red, green, blue)[0]
