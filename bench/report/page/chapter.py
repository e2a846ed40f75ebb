"""One run as a chapter: everything of it that the page shows, and the files beside the page."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from bench.report import tables as report
from bench.report.answer import NOISE_IS, Answer, answer_of
from bench.report.arm_tables import (
    certainty_table,
    grade_reasons,
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
from bench.report.page.provenance import UNKNOWN, facts_table
from bench.report.readback import Readback
from bench.report.story import Story
from bench.report.summary import Summary
from bench.show import plots
from bench.show.table import Table
from bench.show.words import kind_label

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
    name: str
    suite: str
    started_utc: str
    joules: str
    """What the joules are: `measured`, or `modelled, NOT a measurement`."""
    grade: int
    """The lowest of any configuration that a meter read; 0 where none was."""
    status: str
    """That a meter read them, and how well; empty where none did."""
    answer: Answer
    noise_is: str
    """What noise is, written once."""
    lines: list[CostLine]
    at_given_rates: list[str]
    """What a million tokens cost by the user's own numbers."""
    cards: list[Card]
    colours: list[tuple[str, str]]
    """Of lines and cards, for a light page and a dark one."""
    threats: list[Threat]
    not_found: list[str]
    grade_reasons: list[str]
    first: Table | None
    savings: Table | None
    work: Table | None
    latency: Table | None
    certainty: Table | None
    split: Table | None
    withheld_splits: list[tuple[str, str]]
    power: dict[str, Any] | None
    power_figure: Figure | None
    figures: list[Figure]
    not_drawn: list[NotDrawn]
    prompts: Table | None
    claims: Table | None
    others: list[Table]
    facts: Table
    known: Table
    """The facts of which there is a value."""
    unknown: list[str]
    suite_text: str


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
    chapter = Chapter(
        key=f"run{number}",
        prefix=prefix,
        **_head(story),
        **_own_tables(story, claims),
        power=power_data(story.readback),
        power_figure=next((figure for figure in figures if figure.name == POWER), None),
        figures=[figure for figure in figures if figure.name != POWER],
        not_drawn=[one for one in drawn if isinstance(one, NotDrawn)],
    )
    for name, content in report.files(story.summary).items():
        (folder / name).write_bytes(content)
    for table in _tables(chapter):
        (folder / f"{table.name}.csv").write_bytes(table.to_csv())
        (folder / f"{table.name}.md").write_bytes(table.to_markdown())
    return chapter


def _head(story: Story) -> dict[str, Any]:
    """What the run is and says."""
    header, summary = story.readback.run.header, story.summary
    answer = answer_of(story.readback, summary)
    return {
        "name": header.run_id,
        "suite": header.suite.name,
        "suite_text": header.suite.text,
        "started_utc": header.started_utc,
        "joules": kind_label([row.kind for row in summary.rows]),
        **_grade(summary),
        "answer": answer,
        "noise_is": NOISE_IS,
        "lines": cost_lines(answer),
        "at_given_rates": story.at_given_rates,
        "cards": cards(story, answer),
        "colours": colours(story, answer),
        "first": first_table(answer) if answer.costs else None,
        "threats": threats(story, answer),
        "not_found": not_found(story),
        "grade_reasons": grade_reasons(summary),
        "withheld_splits": withheld_splits(summary),
    }


def _grade(summary: Summary) -> dict[str, Any]:
    lowest = min((row for row in summary.rows if row.grade), key=lambda row: row.grade or 0, default=None)
    if lowest is None:
        return {"grade": 0, "status": ""}
    return {
        "grade": lowest.grade,
        "status": f"Joules measured: grade {lowest.grade}, {lowest.grade_name}",
    }


def _own_tables(story: Story, claims: Judging | None) -> dict[str, Any]:
    """The tables that are not a figure's; those of arms and prompts only if something was measured."""
    readback, summary = story.readback, story.summary
    measured = bool(summary.rows)
    facts = facts_table(readback.run)
    return {
        "savings": savings_table(summary, place="page") if measured else None,
        "certainty": certainty_table(summary, place="page"),
        "split": split_table(summary, place="page"),
        "work": work_table(summary, place="page") if measured else None,
        "latency": latency_table(summary, place="page"),
        "prompts": prompt_table(readback) if measured else None,
        "claims": claims(readback) if measured and claims else None,
        "others": other_tables(readback.run.folder),
        "facts": facts,
        "known": replace(facts, rows=[row for row in facts.rows if row[1] != UNKNOWN]),
        "unknown": [str(row[0]) for row in facts.rows if row[1] == UNKNOWN],
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


def _tables(chapter: Chapter) -> list[Table]:
    own = [
        chapter.first,
        chapter.savings,
        chapter.certainty,
        chapter.split,
        chapter.work,
        chapter.latency,
        chapter.prompts,
        chapter.claims,
        *chapter.others,
        chapter.facts,
    ]
    figures = [*chapter.figures, *([chapter.power_figure] if chapter.power_figure else [])]
    return [table for table in own if table is not None] + [figure.table for figure in figures]
