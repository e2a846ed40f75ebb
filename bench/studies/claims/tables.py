"""The claims on the terminal: a table where there is room for one, else a list; then the reasons."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from analysis.claims import ClaimVerdict, Figure, Rerun
from analysis.values import Withheld, listed
from bench.show.words import WIDE, kind_label
from bench.studies.claims.reproduce import JudgedClaim, Remeasured
from bench.studies.claims.statements import Whose
from bench.studies.claims.text import (
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

MODULUS_TABLE = "correlation.modulus_table"
MOST_FIGURES = 2
"""In one cell; the list, CSV and JSON have them all."""
INFERRED = "inferred"
"""Stands beside the family of rows that no paper claims."""
TITLE = "What the published record shows when it is recomputed"
PAPERS = (
    'FP: Lynch, "An O(1) Modular Fingerprint of Input Norm", doi 10.5281/zenodo.17872873. '
    'RC: Lynch, "The Redundancy Cliff", doi 10.5281/zenodo.17902977.'
)
_COLOURS: dict[ClaimVerdict, str] = {
    "reproduced": "green",
    "reproduced but inside the A/A error": "yellow",
    "not reproduced": "red",
    "not testable here": "dim",
}
Line = tuple[str, str]
"""A name and what stands behind it, as markup."""


def show(judged: Sequence[JudgedClaim], console: Console, *, given: int = 0) -> None:
    """Print the claims with their figures, the re-runs if there are any, and what stands behind each.

    Args:
        judged: the claims.
        console: where to.
        given: how many runs and data sets they were to be judged on.
    """
    judged = [row for rows in apart(judged).values() for row in rows]
    wide = console.width >= WIDE
    console.print(_record_table(judged) if wide else _verdicts(judged))
    if wide and any(row.remeasured for row in judged):
        console.print(_rerun_table(judged))
    for row in judged:
        if row.statement.name == MODULUS_TABLE:
            console.print(_modulus_table(row))
    for row in judged:
        console.print(f"[bold]{row.statement.name}[/]  {_coloured(row.record.verdict)}")
        console.print(_lines(_background(row, with_figures=not wide)))
    console.print(PAPERS, markup=False, highlight=False)
    for whose, rows in apart(judged).items():
        console.print(_sum(whose, rows), markup=False)
    console.print("Changes are those of the gated arm: minus is less, which is a saving.", markup=False)
    if not any(row.remeasured or row.resweeps or row.repeated for row in judged):
        console.print(_no_rerun(judged, given=given), markup=False)


def _no_rerun(judged: Sequence[JudgedClaim], *, given: int) -> str:
    if not given:
        return "Re-run: none given. bench reproduce CLAIM --run RUN judges one."
    if any(row.statement.suite for row in judged):
        return "Re-run: what was given has no arm of these claims' gates. Run their suite: --measure."
    return "Re-run: no run of bench run can judge these claims; `tested by` says what can."


def _record_table(judged: Sequence[JudgedClaim]) -> Table:
    table = Table(title=TITLE, title_justify="left", box=SIMPLE_HEAD)
    for name in ("claim", "published", "recomputed", "A/A, controls", "verdict"):
        table.add_column(name, no_wrap=name == "claim", max_width=20 if name == "verdict" else None)
    for row, begins in _families(judged):
        if begins:
            table.add_row(f"[bold]{begins}[/]")
        table.add_row(
            f" {row.statement.name.partition('.')[2]}",
            _cell(row.record.published),
            _cell(row.record.recomputed),
            "\n".join(_marked(of_roles(row.record.recomputed, "a_a", "control"))) or "-",
            _coloured(row.record.verdict),
        )
    return table


def _verdicts(judged: Sequence[JudgedClaim]) -> Table:
    """What a narrow terminal has room for: the names and the verdicts; the figures follow in lists."""
    table = Table("claim", "verdict", title=TITLE, title_justify="left", box=SIMPLE_HEAD)
    for row, begins in _families(judged):
        if begins:
            table.add_row(f"[bold]{begins}[/]")
        table.add_row(f" {row.statement.name.partition('.')[2]}", _coloured(row.record.verdict))
    return table


def _families(judged: Sequence[JudgedClaim]) -> Iterator[tuple[JudgedClaim, str | None]]:
    """Each claim, and the name of its family where a new one begins."""
    family = None
    for row in judged:
        head = row.statement.name.partition(".")[0]
        head += f", {INFERRED}" if row.statement.whose == "inference" else ""
        yield row, head if head != family else None
        family = head


def _cell(found: Sequence[Figure]) -> str:
    lines = _marked(of_roles(found, "figure"))
    more = len(lines) - MOST_FIGURES
    return "\n".join([*lines[:MOST_FIGURES], *([f"and {more} more"] if more > 0 else [])]) or "-"


def _figure_lines(row: JudgedClaim) -> list[Line]:
    """The cells of the wide table, one below the other and whole."""
    recomputed = row.record.recomputed
    cells = (
        ("published", of_roles(row.record.published, "figure")),
        ("recomputed", of_roles(recomputed, "figure")),
        ("A/A", of_roles(recomputed, "a_a")),
        ("controls", of_roles(recomputed, "control")),
    )
    return [(name, "\n".join(_marked(found))) for name, found in cells if found]


def _marked(found: Sequence[Figure]) -> list[str]:
    """Names of figures, and the figures in bold."""
    return [f"{escape(figure.label)} [bold]{escape(number(figure))}[/]" for figure in found]


def _background(row: JudgedClaim, *, with_figures: bool) -> list[Line]:
    """What a row of the table has no room for: the claim in words, the reason, the source, the test."""
    stated = row.statement
    shown = _figure_lines(row) if with_figures else []
    said = "inference" if stated.whose == "inference" else "claim"
    lines = [(said, escape(stated.text)), *shown, ("why", escape(row.record.why))]
    if with_figures:
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


def _lines(lines: Sequence[Line]) -> Table:
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(width=12, style="dim")
    table.add_column()
    for name, text in lines:
        table.add_row(f"  {name}", text)
    table.add_row()
    return table


def _rerun(again: Remeasured) -> str:
    """The cells of the re-run's row, one below the other."""
    cells = {
        "on": f"{basis(again)}, {kind_label([again.kind])}",
        "counted" if again.published is None else "readings during": _protocol(again.integrated),
        "one reading after": _protocol(again.published),
        "controls": _controls(again),
        "agreement": share(again.agreement),
    }
    shown = {name: ", ".join(cell.splitlines()) for name, cell in cells.items() if cell != "-"}
    return "\n".join(escape(f"{name}: {cell}") for name, cell in shown.items())


def _rerun_table(judged: Sequence[JudgedClaim]) -> Table:
    remeasured = [(row, again) for row in judged for again in row.remeasured]
    kinds = kind_label(again.kind for _, again in remeasured)
    table = Table(title=f"Re-run, joules {kinds}", title_justify="left", box=SIMPLE_HEAD)
    for name in ("claim", "one reading after", "readings during", "controls", "agreement", "verdict"):
        table.add_column(name, no_wrap=name == "claim", max_width=20 if name == "verdict" else None)
    for row, again in remeasured:
        table.add_row(
            f"{row.statement.name.partition('.')[2]}\n[dim]{basis(again)}, {again.kind}[/]",
            escape(_protocol(again.published)),
            escape(_protocol(again.integrated)),
            escape(_controls(again)),
            escape(share(again.agreement)),
            _coloured(again.integrated.verdict),
        )
    return table


def _protocol(rerun: Rerun | Withheld | None) -> str:
    if rerun is None:
        return "-"
    if isinstance(rerun, Withheld):
        return "withheld"
    return "\n".join(filter(None, (change(rerun), noise(rerun), rerun.verdict)))


def _controls(again: Remeasured) -> str:
    return "\n".join(f"{arm} {change(control)}" for arm, control in again.controls) or "-"


def _modulus_table(row: JudgedClaim) -> Table:
    """FP's table 5: published figures, and in brackets what the definition gives."""
    published = {figure.label: figure for figure in row.record.published}
    recomputed = {figure.label: figure for figure in row.record.recomputed}
    names = list(dict.fromkeys(label.split(", ")[0] for label in published))
    table = Table("modulo", *names, title="lambda2 by modulus: published (recomputed)", box=SIMPLE_HEAD)
    table.title_justify = "left"
    for base in dict.fromkeys(label.split(", ")[1] for label in published):
        labels = [f"{name}, {base}" for name in names]
        cells = [f"{published[x].value:.4f} ({recomputed[x].value:.4f})" for x in labels]
        table.add_row(base.removeprefix("modulo "), *cells)
    return table


def _sum(whose: Whose, judged: Sequence[JudgedClaim]) -> str:
    counts = Counter(row.record.verdict for row in judged)
    said = [f"{counts[verdict]} {verdict}" for verdict in _COLOURS if counts[verdict]]
    return f"{how_many(whose, len(judged))} on the record: {', '.join(said)}."


def _coloured(verdict: ClaimVerdict) -> str:
    return f"[{_COLOURS[verdict]}]{verdict}[/]"
