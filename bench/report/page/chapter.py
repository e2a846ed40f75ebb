"""One run as a chapter: everything of it that the page shows, and the files beside the page."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.report import tables as report
from bench.report.answer import Answer
from bench.report.arm_row import ArmRow
from bench.report.arm_tables import (
    certainty_table,
    latency_table,
    savings_table,
    split_table,
    withheld_splits,
    work_table,
)
from bench.report.figures.drawing import Drawing, NotDrawn
from bench.report.names import word
from bench.report.page.cards import Card, CostLine, cards, colours, cost_lines, first_table
from bench.report.page.outputs import other_tables
from bench.report.page.overturn import Threat, not_found, threats
from bench.report.page.power_data import power_data
from bench.report.page.prompt_table import prompt_table
from bench.report.page.provenance import facts_table
from bench.report.readback import Readback
from bench.report.story import Story
from bench.show import plots
from bench.show.table import Table
from bench.suite.header import RunHeader

Drawings = Callable[[Story], Iterable[Drawing | NotDrawn]]
Judging = Callable[[Readback], Table | None]

POWER = "power"
"""The figure that the page's own chart stands for."""


@dataclass(frozen=True, kw_only=True)
class Figure:
    """A figure as the page shows it."""

    name: str
    title: str
    alt: str
    table: Table
    wide: tuple[bytes, bytes]
    """SVG for a light page and for a dark one,"""
    narrow: tuple[bytes, bytes]
    """and for a phone."""


@dataclass(frozen=True, kw_only=True)
class Chapter:
    """One run."""

    key: str
    """Begins every id of the chapter within the page."""
    prefix: str
    """Where its files lie, seen from the page: empty, or ending with a slash."""
    header: RunHeader
    lowest: ArmRow | None
    """The configuration with the lowest grade of those that a meter read."""
    answer: Answer
    lines: list[CostLine]
    at_given_rates: list[str]
    """What a million tokens cost by the user's own numbers."""
    cards: list[Card]
    colours: list[tuple[str, str]]
    """Of lines and cards, for a light page and a dark one."""
    threats: list[Threat]
    not_found: list[str]
    tables: dict[str, Table | None]
    """Those that are no figure's; None where the run has nothing for one."""
    others: list[Table]
    withheld_splits: list[tuple[str, str]]
    power: dict[str, Any] | None
    power_figure: Figure | None
    figures: list[Figure]
    not_drawn: list[NotDrawn]


def make_chapter(
    story: Story, drawings: Drawings, folder: Path, *, number: int, prefix: str, claims: Judging | None = None
) -> Chapter:
    """Compute everything of a run, and write its figures and tables into `folder`.

    Args:
        story: the run.
        drawings: makes the figures of a run.
        folder: where the files go; it exists.
        number: of the chapter.
        prefix: path from the page to `folder`: empty, or ending with a slash.
        claims: judges the published claims on a run; None leaves them out.
    """
    drawn = list(drawings(story))
    figures = [_draw(one, folder) for one in drawn if isinstance(one, Drawing)]
    readback, summary, answer = story.readback, story.summary, story.answer
    graded = [row for row in summary.rows if row.grade]
    tables, others = _own_tables(story, claims), other_tables(readback.run.folder)
    for name, content in report.files(summary).items():
        (folder / name).write_bytes(content)
    for table in (*tables.values(), *others, *(figure.table for figure in figures)):
        if table is not None:
            (folder / f"{table.name}.csv").write_bytes(table.to_csv())
            (folder / f"{table.name}.md").write_bytes(table.to_markdown())
    return Chapter(
        key=f"run{number}",
        prefix=prefix,
        header=readback.run.header,
        lowest=min(graded, key=lambda row: row.grade or 0, default=None),
        answer=answer,
        lines=cost_lines(answer),
        at_given_rates=story.at_given_rates,
        cards=cards(story, answer),
        colours=colours(story, answer),
        threats=threats(story, answer),
        not_found=not_found(story),
        tables=tables,
        others=others,
        withheld_splits=withheld_splits(summary),
        power=power_data(readback),
        power_figure=next((figure for figure in figures if figure.name == POWER), None),
        figures=[figure for figure in figures if figure.name != POWER],
        not_drawn=[one for one in drawn if isinstance(one, NotDrawn)],
    )


def _own_tables(story: Story, claims: Judging | None) -> dict[str, Table | None]:
    """The tables that are not a figure's; those of arms and prompts only if something was measured."""
    readback, summary = story.readback, story.summary
    measured = bool(summary.rows)
    return {
        "first": first_table(story.answer) if story.answer.costs else None,
        "savings": savings_table(summary, place="page") if measured else None,
        "certainty": certainty_table(summary, place="page"),
        "split": split_table(summary, place="page"),
        "work": work_table(summary, place="page") if measured else None,
        "latency": latency_table(summary, place="page"),
        "prompts": prompt_table(readback) if measured else None,
        "claims": claims(readback) if measured and claims else None,
        "facts": facts_table(readback.run),
    }


def _draw(drawing: Drawing, folder: Path) -> Figure:
    drawn = plots.pictures(drawing.draw, title=drawing.title)
    (folder / f"{drawing.name}.svg").write_bytes(drawn.file)
    return Figure(
        name=drawing.name,
        title=drawing.title,
        alt=drawing.alt,
        table=Table.of_frame(drawing.table.rename(columns=word), name=drawing.name, title=drawing.title),
        wide=drawn.wide,
        narrow=drawn.narrow,
    )
