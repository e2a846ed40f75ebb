"""The top of the page: what each configuration takes, and a card for each comparison.

Figures and words are those of `bench.report.answer`; here they get a place on a common scale, in per cent of
the width, so that intervals can be drawn.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from analysis.values import NOT_ESTIMATED
from analysis.words import counted
from bench.report.answer import SETTLED, Answer, Comparison, Cost
from bench.report.arm_row import ArmRow
from bench.report.page.prompt_table import prompt_texts
from bench.report.page.questions import Question, questions_of
from bench.report.sentences import short_control
from bench.report.story import Story
from bench.show.plots import on_dark
from bench.show.table import NOTHING, Column, Table
from bench.show.words import number, percent_range, short_percent, significant_range

EDGE_PERCENT = 4.0
"""Of a scale stay free at either end."""


@dataclass(frozen=True, kw_only=True)
class Drawn:
    """An interval on its scale, in per cent of the width; None where there is none."""

    point: float | None
    low: float | None
    high: float | None
    zero: float | None = None
    noise: tuple[float, float] | None = None
    """Where the band of the A/A noise begins, and how wide it is."""


@dataclass(frozen=True, kw_only=True)
class CostLine:
    """What a configuration takes for a token."""

    name: str
    joules: str
    interval: str
    drawn: Drawn
    look: str
    """The class of its colour."""


@dataclass(frozen=True, kw_only=True)
class Card:
    """One comparison."""

    name: str
    against: str
    change: str
    """`14 % less`."""
    interval: str
    verdict: str
    tone: str
    """`claim`, `warning` or `open`."""
    is_claim: bool
    """Whether the change may stand in large type."""
    reason: str
    """Why the verdict is open; empty where it is not."""
    answers: str
    control: str
    noise: str
    drawn: Drawn
    look: str
    questions: list[Question]


class Scale:
    """From values to per cent of the width."""

    def __init__(self, values: Iterable[float | None]) -> None:
        known = [0.0, *(value for value in values if value is not None)]
        self.low, self.high = min(known), max(known)

    def place(self, value: float | None) -> float | None:
        """Where a value lies."""
        if value is None:
            return None
        share = (value - self.low) / (self.high - self.low) if self.high > self.low else 0.0
        return round(EDGE_PERCENT + (100 - 2 * EDGE_PERCENT) * share, 2)

    def span(self, low: float, high: float) -> tuple[float, float]:
        """Where a band begins, and its width."""
        begin, end = self.place(low) or 0.0, self.place(high) or 0.0
        return begin, round(end - begin, 2)


def cost_lines(answer: Answer) -> list[CostLine]:
    """A line for each configuration, what the others are compared with first."""
    scale = Scale(value for cost in answer.costs for value in (cost.joules_per_token, cost.low, cost.high))
    return [_line(cost, scale, look=f"look{i}") for i, cost in enumerate(answer.costs)]


def _line(cost: Cost, scale: Scale, *, look: str) -> CostLine:
    joules, interval = _cost(cost)
    return CostLine(
        name=cost.name,
        joules=joules or NOT_ESTIMATED,
        interval=interval or "no interval: fewer than 3 blocks",
        drawn=Drawn(
            point=scale.place(cost.joules_per_token),
            low=scale.place(cost.low),
            high=scale.place(cost.high),
            zero=scale.place(0.0),
        ),
        look=look,
    )


def _cost(cost: Cost) -> tuple[str, str]:
    """J/token and its interval to the digits that the terminal has; both empty where there is no figure."""
    figure, interval = significant_range(cost.joules_per_token, cost.low, cost.high) or ("", "")
    return figure, interval.replace("-", " to ")


def cards(story: Story, answer: Answer) -> list[Card]:
    """One for each comparison, in the order of the answer's table."""
    rows = {row.label: row for row in story.summary.rows}
    costs = [(f"look{i}", cost) for i, cost in enumerate(answer.costs)]
    compared = [(look, cost.comparison) for look, cost in costs if cost.comparison is not None]
    ends = [end for _, one in compared for end in (one.saved_percent, one.low_percent, one.high_percent)]
    floors = [floor for _, one in compared if (floor := rows[one.name].noise_percent) is not None]
    scale = Scale([*ends, *floors, *(-floor for floor in floors)])
    texts = prompt_texts(story.readback.run)
    return [_card(story, one, rows[one.name], scale, texts, look=look) for look, one in compared]


def _card(
    story: Story, one: Comparison, row: ArmRow, scale: Scale, texts: Mapping[str, str], *, look: str
) -> Card:
    saved, noise = one.saved_percent, row.noise_percent
    interval = percent_range(one.low_percent, one.high_percent)
    tone = (
        "open"
        if not one.is_claim
        else "warning"
        if one.verdict == "saves" and one.answers_differ
        else "claim"
    )
    return Card(
        name=one.name,
        against=one.against,
        change=NOTHING
        if saved is None
        else f"{short_percent(abs(saved))} {'less' if saved >= 0 else 'more'}",
        interval=f"saves {interval} (95 %, {counted(row.blocks, 'block')})"
        if interval
        else "no interval: fewer than 5 blocks",
        verdict=one.verdict_words,
        tone=tone,
        is_claim=one.is_claim,
        reason="" if one.verdict in SETTLED else one.reason,
        answers=_answers(one),
        control=short_control(one, one.control) if one.control else "",
        noise=short_percent(noise) or NOT_ESTIMATED,
        drawn=Drawn(
            point=scale.place(saved),
            low=scale.place(one.low_percent),
            high=scale.place(one.high_percent),
            zero=scale.place(0.0),
            noise=None if noise is None else scale.span(-noise, noise),
        ),
        look=look,
        questions=questions_of(story, one, texts),
    )


def _answers(one: Comparison) -> str:
    if one.same_answers is None:
        return "not known"
    match = short_percent(one.token_match_percent)
    return f"{one.same_answers} of {one.prompts}{f', token match {match}' if match else ''}"


def first_table(answer: Answer) -> Table:
    """Five columns: what is asked first of every configuration."""
    return Table.of(_FIRST, answer.costs, name="answer", title="Every configuration")


def _with_interval(figure: str | None, interval: str | None) -> str | None:
    return f"{figure} ({interval})" if figure and interval else figure or None


def _saves(one: Comparison | None) -> str | None:
    if one is None:
        return None
    return _with_interval(short_percent(one.saved_percent), percent_range(one.low_percent, one.high_percent))


def _verdict(one: Comparison | None) -> str | None:
    return f"{_answers(one)}: {one.verdict_words}" if one else None


_FIRST: tuple[Column[Cost], ...] = (
    Column("configuration", lambda cost: cost.name),
    Column("J/token (95 %)", lambda cost: _with_interval(*_cost(cost))),
    Column("tokens/s", lambda cost: number(cost.tokens_per_s, 1)),
    Column("saves (95 %)", lambda cost: _saves(cost.comparison)),
    Column("same answers, verdict", lambda cost: _verdict(cost.comparison), is_text=True),
)


def colours(story: Story, answer: Answer) -> list[tuple[str, str]]:
    """Of each line and card, on a light page and on a dark one: those of the figures."""
    from bench.report.figures.arms import looks_of

    looks = looks_of(story.readback.arms)
    return [
        (look.colour, on_dark(look.colour))
        for look in (looks[cost.backend, cost.gate, False] for cost in answer.costs)
    ]
