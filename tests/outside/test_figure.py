"""A figure from outside the project: an entry point and one module."""

from __future__ import annotations

import json

from tests.bench.at_hand import QUICK
from tests.bench.suites import write_suite
from tests.outside.conftest import Outside

MODULE = '''
import pandas as pd

from bench.report.figures.drawing import Drawing, NotDrawn
from bench.report.story import Story
from bench.show.plots import page_figure


def lengths(story: Story) -> Drawing | NotDrawn:
    """Joules of every slot, in the order of the run."""
    if not story.slots:
        return NotDrawn("no slot was finished")
    table = pd.DataFrame({"slot": s.position, "joules_j": s.gross_j} for s in story.slots)

    def draw():
        figure, [[axes]] = page_figure(2.0)
        axes.plot(table["slot"], table["joules_j"])
        return figure

    return Drawing(title="Joules of every slot", alt=f"{len(table)} slots.", table=table, draw=draw)
'''
FILES = ["lengths.py", "somebody-1.0.dist-info/METADATA", "somebody-1.0.dist-info/entry_points.txt"]
TITLE = "Joules of every slot, modelled, NOT a measurement"


def test_a_new_figure_is_listed_drawn_and_labelled_on_the_page(outside: Outside) -> None:
    outside.add("figures", "lengths", where="lengths:lengths", text=MODULE)
    assert outside.files == FILES

    listed = {
        p["name"]: p
        for p in json.loads(outside.works("doctor", "--plugins", "--json"))
        if p["group"] == "figures"
    }
    assert listed["lengths"]["summary"] == "Joules of every slot, in the order of the run."
    assert listed["lengths"]["options"] == {}

    run = str(outside.run(write_suite(outside.cwd, gates={"ungated": {}}, **QUICK)))
    shown = dict(line.strip().partition(" ")[::2] for line in outside.works("plot", run).splitlines())
    assert shown["lengths"].strip() == TITLE

    file = outside.cwd / "lengths.svg"
    assert outside.works("plot", run, "lengths", "--out", str(file)).strip() == str(file)
    assert TITLE in file.read_text(encoding="utf-8").replace("\u00a0", " ")

    page = outside.cwd / "page"
    outside.works("report", run, "--out", str(page))
    assert TITLE in (page / "report.html").read_text(encoding="utf-8")
    assert f"{TITLE}. " in (page / "report.html").read_text(encoding="utf-8")
    assert (page / "lengths.csv").read_text(encoding="utf-8").startswith("window,joules_j")

    assert "did you mean 'lengths'" in outside.refused("plot", run, "length")
