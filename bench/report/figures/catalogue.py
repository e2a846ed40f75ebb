"""The figures of a run, by the road of every plugin; each gets its name, its label and its title here.

What the joules are is added by this file and not by a figure, so that no figure, from wherever it comes,
can show joules that are no measurement without saying so.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from bench.report.figures.arms import measured_note
from bench.report.figures.drawing import Draughtsman, Drawing, NotDrawn
from bench.report.figures.names import names
from bench.report.story import Story
from bench.show.safe_text import visible
from bench.suite import plugins


def figure(name: str, story: Story) -> Drawing | NotDrawn:
    """One figure of a run.

    Raises:
        UserError: there is none of that name.
    """
    make: Draughtsman = plugins.load("figures", name)
    made = make(story)
    if isinstance(made, NotDrawn):
        return replace(made, name=name)
    title = f"{made.title}{measured_note(story) if made.joules else ''}"
    alt = visible(f"{title}. {made.alt}")
    return replace(made, name=name, title=title, alt=alt)


def figures(story: Story) -> Iterator[Drawing | NotDrawn]:
    """All figures of a run, one after the other."""
    for name in names():
        yield figure(name, story)
