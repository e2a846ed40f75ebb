"""The tables of a spectral study: Table 1 and the confounders as the paper prints them, and the controls."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from typing import Any

from rich.console import Console

from analysis.correlation import Coefficient, Correlation, Permutation
from analysis.regression import LinearFit
from analysis.study import Association, Confounding
from analysis.values import NOT_ESTIMATED, Estimate, Withheld
from bench.show import table
from bench.show.table import Column, Table, say
from bench.studies.spectral.points import MODULUS, ArmStudy

SIGNIFICANT = 0.05
FOOTNOTES = (
    "p counts every distinct point once. `p of all rows` is what repeating rows would claim.",
    "Some twenty p stand here per set: by chance alone one of them falls below 0.05.",
    "lambda11_share and participation do not grow with the norm of the states, tail_share is what the first "
    "ten leave.",
)


def show(studies: Sequence[ArmStudy], console: Console) -> None:
    """Print the answer for each arm, the three tables, and what had to be left out."""
    say(console, *(f"{study.arm}, {study.model}: {_verdict(study)}" for study in studies), "", style="bold")
    for one in (_table_one(studies), _confounder_table(studies), _control_table(studies)):
        table.show([one], console)
    for study in studies:
        say(console, *(f"! {study.arm}, {study.model}: {line}" for line in _left_out(study)))
    say(console, *FOOTNOTES)


def _verdict(study: ArmStudy) -> str:
    """Whether lambda2 and lambda11 go together, by the permutation test on distinct points."""
    correlation = study.associations[0].correlation
    if isinstance(correlation, Withheld):
        return f"no verdict: {correlation.reason}"
    if isinstance(correlation.permutation, Withheld):
        return f"no verdict: {correlation.permutation.reason}"
    rests_on = f"p {correlation.permutation.p:.2g} by permutation of {correlation.distinct} distinct points"
    if correlation.permutation.p >= SIGNIFICANT:
        return f"lambda2 and lambda11 can't be told from chance ({rests_on})"
    return f"lambda2 and lambda11 go together more than chance gives ({rests_on}); see what the controls give"


def _left_out(study: ArmStudy) -> list[str]:
    """Why fewer points than prompts are judged."""
    correlation = study.associations[0].correlation
    lines = []
    if study.left_out:
        lines.append(
            f"{study.left_out} of {study.prompts} prompts have no spectrum (fewer than twelve tokens, or "
            "shorter than they were to be cut to)"
        )
    if isinstance(correlation, Correlation) and correlation.rows < study.prompts - study.left_out:
        lines.append(
            f"{correlation.rows} of {study.prompts} prompts have a lambda2; "
            "the graph of the others' residues has two vertices or fewer"
        )
    return lines


def to_json(studies: Sequence[ArmStudy]) -> list[dict[str, Any]]:
    """All figures; a withheld one is its reason."""
    return [_plain(asdict(study)) for study in _without_fits(studies)]


def _table_one(studies: Sequence[ArmStudy]) -> Table:
    title = "Table 1: lambda2 of the prompt against the spectrum of its hidden states"
    return _under_heads(title, _ASSOCIATIONS, studies, lambda study: study.associations)


def _confounder_table(studies: Sequence[ArmStudy]) -> Table:
    title = "Confounders of lambda11, distinct points"
    return _under_heads(title, _CONFOUNDERS, studies, lambda study: study.confounders)


def _control_table(studies: Sequence[ArmStudy]) -> Table:
    title = "Controls for lambda11: what meaningless versions of lambda2 give"
    return _under_heads(title, _CONTROLS, studies, _controls)


def _under_heads(
    title: str,
    columns: Sequence[Column[Any]],
    studies: Sequence[ArmStudy],
    rows_of: Callable[[ArmStudy], Sequence[Any]],
) -> Table:
    """The rows of every study, below a line with its arm and its model."""
    heads, rows = {}, list[Any]()
    for study in studies:
        heads[len(rows)] = f"{study.arm},\n{study.model}"
        rows += rows_of(study)
    return Table.of(columns, rows, title=title, heads=heads)


Control = tuple[str, Permutation | Correlation | Withheld]
"""Its name, and what it gives."""


def _controls(study: ArmStudy) -> list[Control]:
    controls = study.controls
    moduli = (
        (f"modulo {modulus}" + (" (published)" if modulus == MODULUS else ""), correlation)
        for modulus, correlation in controls.moduli.items()
    )
    return [
        ("shuffled table", controls.shuffled_table),
        ("relabelled vocabulary", controls.relabelled),
        *moduli,
    ]


def _interval(value: Estimate) -> str:
    return f"{value.point:.3g}\n[{value.low:.2g}, {value.high:.2g}]"


def _p(p: float) -> str:
    return f"{p:.2g}"


def _permuted(permutation: Permutation | Withheld) -> str:
    if isinstance(permutation, Withheld):
        return _withheld(permutation)
    kind = "all" if permutation.exact else "random"
    return f"{permutation.p:.2g}\n({permutation.permutations} {kind})"


def _coefficient(coefficient: Coefficient | Withheld) -> str:
    return _withheld(coefficient) if isinstance(coefficient, Withheld) else _interval(coefficient.value)


def _withheld(withheld: Withheld) -> str:
    return f"not estimated: {withheld.reason}"


def _of_correlation(cell: Callable[[Correlation], Any]) -> Callable[[Association], Any]:
    """A cell that is there where the correlation is."""
    return lambda row: None if isinstance(row.correlation, Withheld) else cell(row.correlation)


def _r(row: Association) -> str:
    correlation = row.correlation
    return (
        _withheld(correlation) if isinstance(correlation, Withheld) else _interval(correlation.pearson.value)
    )


def _alone(row: Confounding) -> str:
    return _coefficient(row.alone.pearson if isinstance(row.alone, Correlation) else row.alone)


def _beta(row: Confounding) -> str:
    return _interval(row.fit.terms["lambda2"].value) if isinstance(row.fit, LinearFit) else NOT_ESTIMATED


def _control_r(row: Control) -> str | None:
    correlation = row[1]
    if isinstance(correlation, Correlation):
        return _interval(correlation.pearson.value).replace("\n", " ")
    return _withheld(correlation) if isinstance(correlation, Withheld) else None


def _control_p(row: Control) -> str | None:
    correlation = row[1]
    if isinstance(correlation, Correlation):
        return _p(correlation.pearson.p)
    return None if isinstance(correlation, Withheld) else _permuted(correlation).replace("\n", " ")


_ASSOCIATIONS: tuple[Column[Association], ...] = (
    Column("of", lambda row: row.diagnostic),
    Column("points", _of_correlation(lambda one: f"{one.distinct}\nof {one.rows}")),
    Column("r", _r, is_text=True),
    Column("p", _of_correlation(lambda one: _p(one.pearson.p))),
    Column("p permuted", _of_correlation(lambda one: _permuted(one.permutation)), is_text=True),
    Column("rho", _of_correlation(lambda one: f"{one.spearman.value.point:.3f}")),
    Column("p of all rows", _of_correlation(lambda one: _p(one.nominal.p) if one.nominal else None)),
)
_CONFOUNDERS: tuple[Column[Confounding], ...] = (
    Column("covariate", lambda row: row.covariate),
    Column("points", lambda row: row.alone.distinct if isinstance(row.alone, Correlation) else None),
    Column("r alone", _alone, is_text=True),
    Column("lambda2 given it", lambda row: _coefficient(row.partial), is_text=True),
    Column(
        "p", lambda row: _p(row.partial.p) if isinstance(row.partial, Coefficient) else None, is_under=True
    ),
    Column("OLS beta", _beta, is_text=True),
    Column("r2", lambda row: f"{row.fit.r2:.3f}" if isinstance(row.fit, LinearFit) else None, is_under=True),
)
_CONTROLS: tuple[Column[Control], ...] = (
    Column("control", lambda row: row[0]),
    Column("points", lambda row: row[1].distinct if isinstance(row[1], Correlation) else None),
    Column("r", _control_r, is_text=True),
    Column("p", _control_p, is_text=True),
)


def _without_fits(studies: Sequence[ArmStudy]) -> list[ArmStudy]:
    """A fit's covariance serves contrasts alone; its terms are kept."""
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
