"""The claims on the terminal: how many hold, a line for each, and what stands behind those asked for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from textwrap import shorten

from rich.console import Console
from rich.markup import escape

from analysis.claims import ClaimFigure, ClaimVerdict, Rerun
from analysis.values import NOT_ESTIMATED, Withheld
from analysis.words import listed
from bench.show import table
from bench.show.table import Column, Table, say
from bench.show.words import WIDE, kind_label
from bench.studies.claims.claim_words import (
    apart,
    as_it_was,
    basis,
    change,
    how_many,
    noise,
    number,
    of_roles,
    seen,
    share,
    tested_by,
    why,
)
from bench.studies.claims.reproduce import JudgedClaim, Remeasured
from bench.studies.claims.statements import Whose

MODULUS_TABLE = "correlation.modulus_table"
INFERRED = "inferred"
"""Stands beside the family of rows that no paper claims."""
PAPERS = (
    'FP: Lynch, "An O(1) Modular Fingerprint of Input Norm", doi 10.5281/zenodo.17872873. '
    'RC: Lynch, "The Redundancy Cliff", doi 10.5281/zenodo.17902977.'
)
_SHORT: dict[ClaimVerdict, str] = {
    "reproduced": "reproduced",
    "reproduced but inside the A/A error": "inside the A/A error",
    "not reproduced": "not reproduced",
    "not testable here": "not testable here",
}
"""The verdicts in a line of the scoreboard."""
_COLOURS: dict[ClaimVerdict, str] = {
    "reproduced": "green",
    "reproduced but inside the A/A error": "yellow",
    "not reproduced": "red",
    "not testable here": "dim",
}
Line = tuple[str, str]
"""A name and what stands behind it, as markup."""


def show(judged: Sequence[JudgedClaim], console: Console, *, given: int = 0, named: bool = False) -> None:
    """Print how many claims hold, a line for each, and what stands behind those that were asked for.

    Args:
        judged: the claims.
        console: where to.
        given: how many runs and data sets they were to be judged on.
        named: whether these claims were asked for by name.
    """
    judged = [row for rows in apart(judged).values() for row in rows]
    say(console, *(_sum(whose, rows) for whose, rows in apart(judged).items()), style="bold")
    if not named:
        table.show([_scoreboard(judged, console.width)], console)
    again = [row for row in judged if row.remeasured or row.resweeps or row.repeated]
    asked = judged if named else again
    for row in asked:
        if row.statement.name == MODULUS_TABLE:
            table.show([_modulus_table(row)], console)
        console.print(f"[bold]{row.statement.name}[/]  {_coloured(row.record.verdict)}")
        console.print(table.named(_background(row)))
    if asked:
        say(console, "Changes are those of the gated configuration: minus is less, which is a saving.")
    if not named:
        say(console, "Figures, reasons and source of a claim: bench reproduce CLAIM, such as routing.short")
    say(console, PAPERS)
    if not again:
        say(console, _no_rerun(judged, given=given))


def _no_rerun(judged: Sequence[JudgedClaim], *, given: int) -> str:
    if not given:
        return "Re-run: none given. bench reproduce CLAIM --run RUN judges one."
    if any(row.statement.suite for row in judged):
        return (
            "Re-run: what was given has no configuration of these claims' gates. Run their suite: --measure."
        )
    return "Re-run: no run of bench run can judge these claims; `tested by` says what can."


def _scoreboard(judged: Sequence[JudgedClaim], width: int) -> Table:
    """One line a claim, in this many columns, under the names of the families."""
    names = [row.statement.name.partition(".")[2] for row in judged]
    left = width - max(map(len, names), default=0) - max(map(len, _SHORT.values())) - 12

    def words(row: JudgedClaim) -> str:
        return shorten(row.statement.text, left, placeholder=" …")

    columns: list[Column[JudgedClaim]] = [
        Column("claim", lambda row: row.statement.name.partition(".")[2]),
        Column(
            "on its own record",
            lambda row: _SHORT[row.record.verdict],
            is_text=True,
            style=lambda row: _COLOURS[row.record.verdict],
        ),
    ]
    if width >= WIDE:
        columns.append(Column("what it says", words, is_text=True))
    heads = {number: begins for number, (_, begins) in enumerate(_families(judged)) if begins}
    return Table.of(columns, judged, title="", heads=heads)


def _families(judged: Sequence[JudgedClaim]) -> Iterator[tuple[JudgedClaim, str | None]]:
    """Each claim, and the name of its family where a new one begins."""
    family = None
    for row in judged:
        head = row.statement.name.partition(".")[0]
        head += f", {INFERRED}" if row.statement.whose == "inference" else ""
        yield row, head if head != family else None
        family = head


def _figure_lines(row: JudgedClaim) -> list[Line]:
    """Published and recomputed figures, each under its own name."""
    recomputed = row.record.recomputed
    cells = (
        ("published", of_roles(row.record.published, "figure")),
        ("recomputed", of_roles(recomputed, "figure")),
        ("A/A", of_roles(recomputed, "a_a")),
        ("controls", of_roles(recomputed, "control")),
    )
    return [(name, "\n".join(_marked(figures))) for name, figures in cells if figures]


def _marked(figures: Sequence[ClaimFigure]) -> list[str]:
    """Names of figures, and the figures in bold."""
    return [f"{escape(figure.label)} [bold]{escape(number(figure))}[/]" for figure in figures]


def _background(row: JudgedClaim) -> list[Line]:
    """The claim in words, its figures, the reason of the verdict, the re-runs, the source, the test."""
    stated = row.statement
    said = "inference" if stated.whose == "inference" else "claim"
    lines = [(said, escape(stated.text)), *_figure_lines(row), ("why", escape(row.record.why))]
    lines += [("re-run", _rerun(again)) for again in row.remeasured]
    lines += [("re-run", reason) for reason in _reasons(row.remeasured)]
    lines += [("as it was", escape(as_it_was(again))) for again in row.repeated]
    lines += [("sweep", f"{_coloured(again.verdict)}: {escape(seen(again))}") for again in row.resweeps]
    by = f"; by {stated.recompute}" if stated.recompute else ""
    lines.append(("source", f"[dim]{escape(stated.paper)}, {escape(stated.source)}{by}[/]"))
    test = tested_by(row)
    if test and not (row.remeasured or row.resweeps or row.repeated):
        lines.append(("tested by", f"[dim]{escape(test)}[/]"))
    return lines


def _reasons(remeasured: Sequence[Remeasured]) -> list[str]:
    """Why the re-runs got their verdicts; those that share one stand together."""
    sharing: dict[tuple[ClaimVerdict, str], list[str]] = {}
    for again in remeasured:
        sharing.setdefault((again.integrated.verdict, why(again)), []).append(basis(again))
    return [
        f"{escape(listed(bases))}: {_coloured(verdict)}: {escape(reason)}"
        for (verdict, reason), bases in sharing.items()
    ]


def _rerun(again: Remeasured) -> str:
    """What a re-run shows: on what, by which protocol, beside which controls."""
    cells = {
        "on": f"{basis(again)}, {kind_label([again.kind])}",
        "counted" if again.published is None else "readings during": _protocol(again.integrated),
        "one reading after": _protocol(again.published),
        "controls": _controls(again),
        "token match": share(again.agreement),
    }
    shown = {name: ", ".join(cell.splitlines()) for name, cell in cells.items() if cell != "-"}
    return "\n".join(escape(f"{name}: {cell}") for name, cell in shown.items())


def _protocol(rerun: Rerun | Withheld | None) -> str:
    if rerun is None:
        return "-"
    if isinstance(rerun, Withheld):
        return NOT_ESTIMATED
    return "\n".join(filter(None, (change(rerun), noise(rerun), rerun.verdict)))


def _controls(again: Remeasured) -> str:
    return "\n".join(f"{arm} {change(control)}" for arm, control in again.controls) or "-"


def _modulus_table(row: JudgedClaim) -> Table:
    """FP's table 5: published figures, and in brackets what the definition gives."""
    published, recomputed = (
        {one.of: one for one in figures} for figures in (row.record.published, row.record.recomputed)
    )
    names = list(dict.fromkeys(name for name, _ in published))
    rows = []
    for base in dict.fromkeys(base for _, base in published):
        pairs = [(published[name, base].value, recomputed[name, base].value) for name in names]
        rows.append([base, *(f"{stated:.4f} ({again:.4f})" for stated, again in pairs)])
    return Table.plain(("modulo", *names), rows, title="lambda2 by modulus: published (recomputed)")


def _sum(whose: Whose, judged: Sequence[JudgedClaim]) -> str:
    counts = Counter(row.record.verdict for row in judged)
    said = [f"{counts[verdict]} {verdict}" for verdict in _COLOURS if counts[verdict]]
    return f"{how_many(whose, len(judged))} on the record: {', '.join(said)}."


def _coloured(verdict: ClaimVerdict) -> str:
    return f"[{_COLOURS[verdict]}]{verdict}[/]"
