"""Every figure of every kind of run: it can be drawn, its text is text, and its words say what it is."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest

from bench.errors import UserError
from bench.report.figures.catalogue import figure, figures
from bench.report.figures.drawing import NotDrawn
from bench.report.figures.names import names
from bench.report.story import Story
from bench.show.plots import render
from tests.bench.report.figures.drawn import drawing, overlapping_texts, reason

STORIES = ("echo", "made", "hostile")
NEEDS_MORE_THAN_ECHO = {"thermal", "roofline", "drift"}
NEEDS_A_ROOF = {"roofline"}
WITHOUT_JOULES = {"routing", "roofline"}


@pytest.fixture(params=STORIES)
def story(request: pytest.FixtureRequest) -> Story:
    found: Story = request.getfixturevalue(request.param)
    return found


def test_every_figure_of_a_run_in_order(made: Story, echo: Story) -> None:
    assert [found.name for found in figures(made)] == names()
    assert {f.name for f in figures(made) if isinstance(f, NotDrawn)} == NEEDS_A_ROOF
    assert {f.name for f in figures(echo) if isinstance(f, NotDrawn)} == NEEDS_MORE_THAN_ECHO


@pytest.mark.parametrize("name", sorted({*names()} - NEEDS_MORE_THAN_ECHO))
def test_text_is_text_and_harmless(name: str, hostile: Story) -> None:
    found = drawing(name, hostile)
    content = render(found.draw, "svg", title=found.title)
    root = ElementTree.fromstring(content)
    tags = {element.tag.rpartition("}")[2] for element in root.iter()}
    assert "text" in tags
    assert "script" not in tags
    words = "\n".join("".join(element.itertext()) for element in root.iter() if element.tag.endswith("text"))
    if name != "routing":
        assert "torch $$" in words
    assert "$\\frac{x^2$" in words
    assert "<script>alert('1')</script>" in words
    assert "\x1b" not in words
    assert "\u202e" not in words


@pytest.mark.parametrize("name", names())
def test_no_text_lies_on_another_and_joules_that_are_no_measurement_are_called_so(
    name: str, story: Story
) -> None:
    found = figure(name, story)
    if isinstance(found, NotDrawn):
        return
    assert overlapping_texts(found) == []
    if name not in WITHOUT_JOULES:
        assert "NOT a measurement" in found.title
        assert "NOT a measurement" in found.alt
        assert not found.table.empty


@pytest.mark.parametrize("name", names())
def test_a_run_without_a_slot_has_no_figures_and_says_why(name: str, empty: Story) -> None:
    assert len(reason(name, empty)) > 20


def test_an_unknown_figure_names_the_nearest(made: Story) -> None:
    with pytest.raises(UserError, match="did you mean 'power'"):
        figure("pwer", made)


def test_the_same_run_gives_the_same_file(made: Story) -> None:
    found = drawing("savings", made)
    assert render(found.draw, "svg") == render(found.draw, "svg")
    assert render(found.draw, "pdf").startswith(b"%PDF")
    assert render(found.draw, "png").startswith(b"\x89PNG")
