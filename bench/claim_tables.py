"""The table of claims: on the terminal, as CSV and as JSON."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.padding import Padding
from rich.table import Table

from analysis.claims import ClaimVerdict, Figure, Rerun, Role
from analysis.values import Estimate, Withheld
from bench.reproduce import Judged, Remeasured
from bench.sweep_claims import Resweep

MODULUS_TABLE = "correlation.modulus_table"
MOST_FIGURES = 2
"""In one cell; JSON has them all."""
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
BESIDE: tuple[Role, ...] = ("a_a", "control")
"""What stands beside a claim's own figures."""
COLUMNS = (
    *("claim", "paper", "text", "source", "published", "recomputed", "a_a", "controls", "verdict", "why"),
    *("would_test", "runs", "backend", "kind", "boundary", "blocks", "rerun_published_protocol"),
    *("rerun_published_protocol_a_a", "rerun_published_protocol_verdict", "rerun_integrated"),
    *("rerun_integrated_a_a", "rerun_integrated_verdict", "rerun_why", "rerun_controls", "rerun_agreement"),
    "sweeps",
)


def show(judged: Sequence[Judged], console: Console) -> None:
    """Print the record's table, the re-runs if there are any, and what stands behind each row."""
    console.print(_record_table(judged))
    remeasured = [(row, again) for row in judged for again in row.remeasured]
    if remeasured:
        console.print(_rerun_table(remeasured))
    for row in judged:
        if row.statement.name == MODULUS_TABLE:
            console.print(_modulus_table(row))
    for row in judged:
        console.print(Padding(_background(row), (0, 0, 1, 0)))
    console.print(PAPERS, markup=False, highlight=False)
    if not remeasured and not any(row.resweeps for row in judged):
        console.print("Re-run: none given. bench reproduce CLAIM --run RUN judges one.", markup=False)


def _background(row: Judged) -> str:
    """What a row of the table has no room for: the claim in words, the reason, the source, the test."""
    stated = row.statement
    lines = [f"[bold]{stated.name}[/]: {escape(stated.text)}", f"  {escape(row.record.why)}"]
    lines += [f"  re-run: {escape(_why(again))}" for again in row.remeasured]
    lines += [f"  sweep: {_coloured(again.verdict)} {escape(_seen(again))}" for again in row.resweeps]
    lines.append(f"  [dim]source: {stated.paper}, {escape(stated.source)}; by {stated.recompute}[/]")
    if row.record.would_test and not row.remeasured and not row.resweeps:
        suite = f": bench run {stated.suite}" if stated.suite else ""
        lines.append(f"  [dim]would test it: {escape(row.record.would_test)}{suite}[/]")
    return "\n".join(lines)


def to_csv(judged: Sequence[Judged]) -> str:
    """One line per claim and re-run."""
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, fieldnames=COLUMNS)
    writer.writeheader()
    for row in judged:
        for again in row.remeasured or (None,):
            writer.writerow(_flat(row) | (_flat_rerun(again) if again else {}))
    return text.getvalue()


def to_json(judged: Sequence[Judged]) -> list[dict[str, Any]]:
    """All figures and re-runs of every claim."""
    return [
        {
            **row.statement.model_dump(),
            "published": [asdict(figure) for figure in row.record.published],
            "recomputed": [asdict(figure) for figure in row.record.recomputed],
            "verdict": row.record.verdict,
            "why": row.record.why,
            "would_test": row.record.would_test,
            "remeasured": [asdict(again) for again in row.remeasured],
            "resweeps": [asdict(again) for again in row.resweeps],
        }
        for row in judged
    ]


def _record_table(judged: Sequence[Judged]) -> Table:
    table = Table(
        title="What the published record shows when it is recomputed", title_justify="left", box=SIMPLE_HEAD
    )
    for name in ("claim", "published", "recomputed", "A/A, controls", "verdict"):
        table.add_column(name, overflow="fold", no_wrap=name == "claim")
    family = ""
    for row in judged:
        head, _, name = row.statement.name.partition(".")
        if head != family:
            table.add_row(f"[bold]{head}[/]")
        family = head
        figures = row.record.recomputed
        table.add_row(
            f" {name}",
            _cell(row.record.published),
            _cell(figures),
            "\n".join(cell for role in BESIDE if (cell := _cell(figures, role)) != "-") or "-",
            _coloured(row.record.verdict),
        )
    return table


def _modulus_table(row: Judged) -> Table:
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


def _rerun_table(remeasured: Sequence[tuple[Judged, Remeasured]]) -> Table:
    kinds = sorted({again.kind for _, again in remeasured})
    unmeasured = "" if kinds == ["measured"] else ", NOT a measurement"
    table = Table(
        title=f"Re-run, joules {' and '.join(kinds)}{unmeasured}", title_justify="left", box=SIMPLE_HEAD
    )
    for name in ("claim", "one reading after", "readings during", "controls", "agreement", "verdict"):
        table.add_column(name, overflow="fold", no_wrap=name == "claim")
    for row, again in remeasured:
        beneath = f"{again.backend}, {again.blocks} blocks\n{again.kind}"
        table.add_row(
            f"{row.statement.name.partition('.')[2]}\n[dim]{beneath}[/]",
            _protocol(again.published),
            _protocol(again.integrated),
            "\n".join(f"{escape(arm)} {_change(control)}" for arm, control in again.controls) or "-",
            _share(again.agreement),
            _coloured(again.integrated.verdict),
        )
    return table


def _cell(figures: Iterable[Figure], role: Role = "figure") -> str:
    """Figures of one role; a single one of the claim's own needs no label: the row says what it is."""
    mine = [f for f in figures if f.role == role]
    if len(mine) == 1 and role != "control":
        return f"{'A/A ' if role == 'a_a' else ''}[bold]{number(mine[0])}[/]"
    lines = [f"{escape(f.label)} [bold]{number(f)}[/]" for f in mine[:MOST_FIGURES]]
    return "\n".join(lines + [f"and {len(mine) - MOST_FIGURES} more"] * (len(mine) > MOST_FIGURES)) or "-"


def number(figure: Figure) -> str:
    """A figure as it is read: signed per cent, p-values to two digits, intervals in brackets."""
    unit = f" {figure.unit}" if figure.unit else ""
    if isinstance(figure.value, Estimate):
        value = figure.value
        return f"{value.point:.3g} \\[{_short(value.low)}, {_short(value.high)}]{unit}"
    if figure.unit == "%":
        return percent(figure.value)
    digits = 2 if figure.label.startswith("p ") or figure.label == "p" else 5 if figure.value >= 10 else 3
    whole = float(figure.value).is_integer() and abs(figure.value) < 1e9
    return f"{figure.value:.0f}{unit}" if whole else f"{figure.value:.{digits}g}{unit}"


def _short(value: float) -> str:
    return f"{value:.0f}" if abs(value) >= 10 else f"{value:.2g}"


def percent(value: float) -> str:
    """`-52.95 %`, `+204 %`: two decimals where they say something."""
    value = value if abs(value) >= 0.005 else 0.0  # no minus before a zero
    text = f"{value:+.0f}" if abs(value) >= 100 else f"{value:+.2f}".rstrip("0").rstrip(".")
    return f"{text} %"


def _change(rerun: Rerun) -> str:
    change = rerun.change_percent
    if change is None:
        return "withheld"
    if isinstance(change, Estimate):
        return f"{change.point:+.1f} % \\[{change.low:.1f}, {change.high:.1f}]"
    return percent(change)


def _a_a(rerun: Rerun) -> str:
    """What the same protocol reports for no change, from the A/A arm of the same blocks."""
    if rerun.saving is None or rerun.saving.repeat_ratio is None or rerun.saving.noise_floor is None:
        return "-"
    repeat, floor = 100 * (rerun.saving.repeat_ratio.point - 1), 100 * rerun.saving.noise_floor
    return f"A/A {repeat:+.1f} %, floor {floor:.1f} %"


def _protocol(rerun: Rerun | Withheld | None) -> str:
    if rerun is None:
        return "-"
    if isinstance(rerun, Withheld):
        return f"withheld: {rerun.reason}"
    return f"{_change(rerun)}\n{_a_a(rerun)}\n{_coloured(rerun.verdict)}"


def _why(again: Remeasured) -> str:
    published = again.published.why if isinstance(again.published, Rerun) else None
    parts = [again.integrated.why, published and f"by the published protocol: {published}", again.note]
    return "; ".join(part for part in parts if part)


def _seen(again: Resweep) -> str:
    return f"{again.why} ({again.backend}, perplexity over {again.text}, run {again.run})"


def _share(share: Estimate | Withheld) -> str:
    if isinstance(share, Withheld):
        return f"withheld: {escape(share.reason)}"
    return f"{share.point:.0%} \\[{share.low:.0%}, {share.high:.0%}]"


def _coloured(verdict: ClaimVerdict) -> str:
    return f"[{_COLOURS[verdict]}]{verdict}[/]"


def _flat(row: Judged) -> dict[str, Any]:
    figures = row.record.recomputed
    return {
        "claim": row.statement.name,
        **{key: getattr(row.statement, key) for key in ("paper", "text", "source")},
        "published": _line(row.record.published, "figure"),
        "recomputed": _line(figures, "figure", "detail"),
        "a_a": _line(figures, "a_a"),
        "controls": _line(figures, "control"),
        **{key: getattr(row.record, key) for key in ("verdict", "why", "would_test")},
        "sweeps": "; ".join(f"{again.verdict}: {_seen(again)}" for again in row.resweeps),
    }


def _flat_rerun(again: Remeasured) -> dict[str, Any]:
    published = again.published if isinstance(again.published, Rerun) else None
    return {
        "runs": " ".join(again.runs),
        **{key: getattr(again, key) for key in ("backend", "kind", "boundary", "blocks")},
        "rerun_published_protocol": _change(published).replace("\\", "") if published else None,
        "rerun_published_protocol_a_a": _a_a(published) if published else None,
        "rerun_published_protocol_verdict": published.verdict if published else None,
        "rerun_integrated": _change(again.integrated).replace("\\", ""),
        "rerun_integrated_a_a": _a_a(again.integrated),
        "rerun_integrated_verdict": again.integrated.verdict,
        "rerun_why": _why(again),
        "rerun_controls": "; ".join(f"{arm}: {_change(c)}" for arm, c in again.controls).replace("\\", ""),
        "rerun_agreement": _share(again.agreement).replace("\\", ""),
    }


def _line(figures: Iterable[Figure], *roles: Role) -> str:
    return "; ".join(f"{f.label} {number(f)}" for f in figures if f.role in roles).replace("\\", "")
