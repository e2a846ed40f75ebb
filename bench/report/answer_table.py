"""A run's answer on a terminal of 80 columns: the table, the sentences, the noise, what gets further."""

from __future__ import annotations

from collections.abc import Callable

from rich.console import Console

from analysis.words import listed
from bench.report.answer import Answer, Comparison, Cost
from bench.show import table
from bench.show.table import Column, Table
from bench.show.words import number, percent_range, short_percent, significant_range

MOST_SENTENCES = 3
"""On a terminal; the page has all of them, and so has `bench report RUN --all`."""


def show_answer(answer: Answer, console: Console, *, every: bool = False) -> None:
    """Print what a run answers.

    Args:
        answer: of the run.
        console: where to.
        every: print every sentence.
    """
    table.say(console, answer.headline, style="bold")
    if answer.strip:
        table.say(console, answer.strip, style="reverse" if console.is_terminal else "")
    if answer.costs:
        in_lines = cost_table(answer, between=" ")
        table.show([in_lines if table.fits(in_lines, console) else cost_table(answer, between="\n")], console)
    if against := opponents_line(answer):
        table.say(console, against)
    shown = answer.sentences if every else answer.sentences[:MOST_SENTENCES]
    table.say(console, *(sentence.text for sentence in shown))
    if left := len(answer.sentences) - len(shown):
        table.say(console, f"({left} more: on the page, or with --all)")
    table.say(console, answer.noise)
    table.say(console, f"{answer.trust.text} {answer.trust.command}")


def cost_table(answer: Answer, *, between: str = " ") -> Table:
    """A row for each configuration.

    Args:
        answer: of the run.
        between: what stands between a figure and its interval: a space, or the end of a line where a terminal
            is narrow.
    """
    levels = any(cost.low is not None for cost in answer.costs)
    intervals = any(one.low_percent is not None for one in answer.comparisons)
    columns: list[Column[Cost]] = [
        Column("", lambda cost: cost.name, is_text=True),
        Column("J/token\n95 %" if levels else "J/token", lambda cost: _cost(cost, between)),
        Column("tok/s", lambda cost: number(cost.tokens_per_s, 0 if (cost.tokens_per_s or 0) >= 10 else 1)),
    ]
    if answer.comparisons:
        columns += [
            Column(
                "saves\n95 %" if intervals else "saves",
                lambda cost: _of(cost, lambda one: _saves(one, between)),
            ),
            Column("same\nanswers", lambda cost: _of(cost, _same)),
            Column("verdict", lambda cost: _of(cost, lambda one: one.verdict_words), is_text=True),
        ]
    return Table.of(columns, answer.costs, name="answer", title="", is_tight=True)


def opponents_line(answer: Answer) -> str | None:
    """What each saving is one against, where that is not the same for all."""
    against: dict[str, list[str]] = {}
    for one in answer.comparisons:
        against.setdefault(one.against, []).append(one.name)
    if len(against) < 2:
        return None
    return f"Saves: {'; '.join(f'{listed(names)} against {other}' for other, names in against.items())}."


def _cost(cost: Cost, between: str) -> str | None:
    figure = significant_range(cost.joules_per_token, cost.low, cost.high)
    return figure and _with_interval(*figure, between)


def _saves(one: Comparison, between: str) -> str | None:
    saved = short_percent(one.saved_percent)
    interval = percent_range(one.low_percent, one.high_percent, unit="")
    return saved and _with_interval(saved, interval or "", between)


def _with_interval(figure: str, interval: str, between: str) -> str:
    return f"{figure}{between}({interval})" if interval else figure


def _same(one: Comparison) -> str | None:
    return None if one.same_answers is None else f"{one.same_answers} of {one.prompts}"


def _of(cost: Cost, cell: Callable[[Comparison], str | None]) -> str | None:
    return None if cost.comparison is None else cell(cost.comparison)
