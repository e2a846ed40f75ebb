"""The tables of a spectral study: Table 1 and the confounders as the paper prints them, and the controls."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from analysis.correlation import Coefficient, Correlation, Permutation
from analysis.regression import LinearFit
from analysis.values import Estimate, Withheld
from bench.studies.spectral.points import MODULUS, ArmStudy

SIGNIFICANT = 0.05
FOOTNOTES = (
    "p counts every distinct point once. `p of all rows` is what repeating rows would claim.",
    "Some twenty p stand here per arm: by chance alone one of them falls below 0.05.",
    "lambda11_share and participation do not grow with the norm of the states, tail_share is what the first "
    "ten leave.",
)


def show(studies: Sequence[ArmStudy], console: Console) -> None:
    """Print the three tables and what had to be left out."""
    for table in (_table_one(studies), _confounder_table(studies), _control_table(studies)):
        console.print(table)
    for study in studies:
        for line in _left_out(study):
            console.print(f"! {study.arm}, {study.model}: {line}", markup=False, highlight=False)
    for study in studies:
        console.print(f"{study.arm}, {study.model}: {_verdict(study)}", markup=False, highlight=False)
    for line in FOOTNOTES:
        console.print(line, markup=False, highlight=False)


def _verdict(study: ArmStudy) -> str:
    """Whether lambda2 and lambda11 go together, by the permutation test on distinct points."""
    found = study.associations[0].correlation
    if isinstance(found, Withheld):
        return f"no verdict: {found.reason}"
    if isinstance(found.permutation, Withheld):
        return f"no verdict: {found.permutation.reason}"
    rests_on = f"p {found.permutation.p:.2g} by permutation of {found.distinct} distinct points"
    if found.permutation.p >= SIGNIFICANT:
        return f"lambda2 and lambda11 can't be told from chance ({rests_on})"
    return f"lambda2 and lambda11 go together more than chance gives ({rests_on}); see what the controls give"


def _left_out(study: ArmStudy) -> list[str]:
    """Why fewer points than prompts are judged."""
    found = study.associations[0].correlation
    lines = []
    if study.left_out:
        lines.append(
            f"{study.left_out} of {study.prompts} prompts have no spectrum (fewer than twelve tokens, or "
            "shorter than they were to be cut to)"
        )
    if isinstance(found, Correlation) and found.rows < study.prompts - study.left_out:
        lines.append(
            f"{found.rows} of {study.prompts} prompts have a lambda2; the graph of the others' residues has "
            "two vertices or fewer"
        )
    return lines


def to_json(studies: Sequence[ArmStudy]) -> list[dict[str, Any]]:
    """All figures; a withheld one is its reason."""
    return [_plain(asdict(study)) for study in _without_fits(studies)]


def _table_one(studies: Sequence[ArmStudy]) -> Table:
    table = _titled("Table 1: lambda2 of the prompt against the spectrum of its hidden states")
    for name in ("of", "points", "r", "p", "p permuted", "rho", "p of\nall rows"):
        table.add_column(name, overflow="fold", no_wrap=name in ("of", "covariate", "control"))
    for study in studies:
        table.add_row(_head(study))
        for row in study.associations:
            found = row.correlation
            if isinstance(found, Withheld):
                table.add_row(row.diagnostic, "", f"withheld: {found.reason}")
                continue
            table.add_row(
                row.diagnostic,
                f"{found.distinct}\nof {found.rows}",
                _interval(found.pearson.value),
                _p(found.pearson.p),
                _permuted(found.permutation),
                f"{found.spearman.value.point:.3f}",
                _p(found.nominal.p) if found.nominal else "-",
            )
    return table


def _confounder_table(studies: Sequence[ArmStudy]) -> Table:
    table = _titled("Confounders of lambda11, distinct points")
    for name in ("covariate", "points", "r alone", "lambda2\ngiven it", "p", "OLS beta", "r2"):
        table.add_column(name, overflow="fold", no_wrap=name in ("of", "covariate", "control"))
    for study in studies:
        table.add_row(_head(study))
        for row in study.confounders:
            alone = row.alone
            fit = row.fit.terms["lambda2"].value if isinstance(row.fit, LinearFit) else None
            table.add_row(
                row.covariate,
                str(alone.distinct) if isinstance(alone, Correlation) else "",
                _coefficient(alone.pearson if isinstance(alone, Correlation) else alone),
                _coefficient(row.partial),
                _p(row.partial.p) if isinstance(row.partial, Coefficient) else "-",
                _interval(fit) if fit else "withheld",
                f"{row.fit.r2:.3f}" if isinstance(row.fit, LinearFit) else "-",
            )
    return table


def _control_table(studies: Sequence[ArmStudy]) -> Table:
    table = _titled("Controls for lambda11: what meaningless versions of lambda2 give")
    for name in ("control", "points", "r", "p"):
        table.add_column(name, overflow="fold", no_wrap=name in ("of", "covariate", "control"))
    for study in studies:
        found = study.controls
        table.add_row(_head(study))
        table.add_row("shuffled table", "", "", _permuted(found.shuffled_table).replace("\n", " "))
        table.add_row("relabelled vocabulary", "", "", _permuted(found.relabelled).replace("\n", " "))
        for modulus, correlation in found.moduli.items():
            name = f"modulo {modulus}" + (" (published)" if modulus == MODULUS else "")
            if isinstance(correlation, Withheld):
                table.add_row(name, "", f"withheld: {correlation.reason}")
                continue
            value, p = correlation.pearson.value, correlation.pearson.p
            table.add_row(name, str(correlation.distinct), _interval(value).replace("\n", " "), _p(p))
    return table


def _head(study: ArmStudy) -> str:
    """A line of its own above the rows of an arm and a model."""
    return f"[bold]{study.arm},\n{escape(study.model)}[/]"


def _titled(title: str) -> Table:
    return Table(title=title, title_justify="left", box=SIMPLE_HEAD, pad_edge=False)


def _interval(value: Estimate) -> str:
    return f"{value.point:.3g}\n\\[{value.low:.2g}, {value.high:.2g}]"


def _p(p: float) -> str:
    return f"{p:.2g}"


def _permuted(found: Permutation | Withheld) -> str:
    if isinstance(found, Withheld):
        return f"withheld: {found.reason}"
    kind = "all" if found.exact else "random"
    return f"{found.p:.2g}\n({found.permutations} {kind})"


def _coefficient(found: Coefficient | Withheld) -> str:
    return f"withheld: {found.reason}" if isinstance(found, Withheld) else _interval(found.value)


def _without_fits(studies: Sequence[ArmStudy]) -> list[ArmStudy]:
    """A fit's covariance serves contrasts alone; its terms are kept."""
    from dataclasses import replace

    return [
        replace(
            study,
            confounders=tuple(
                replace(row, fit=replace(row.fit, covariance=None, scale=None))  # type: ignore[arg-type]
                if isinstance(row.fit, LinearFit)
                else row
                for row in study.confounders
            ),
        )
        for study in studies
    ]


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(inner) for key, inner in value.items() if not str(key).startswith("_")}
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    return value
