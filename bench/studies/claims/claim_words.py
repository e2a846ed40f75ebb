"""Figures, changes and reasons of claims, as one reads them: plain text, the same on paper and in files."""

from __future__ import annotations

from collections.abc import Iterable

from analysis.claims import ChangeParts, ClaimFigure, Rerun, Role
from analysis.values import NOT_ESTIMATED, Estimate, Withheld
from analysis.words import counted
from bench.studies.claims.repeated import Repeated
from bench.studies.claims.reproduce import JudgedClaim, Remeasured
from bench.studies.claims.statements import Whose
from bench.studies.claims.sweeps import Resweep

WHOSE: dict[Whose, tuple[str, str]] = {
    "paper": ("claim", "of the papers"),
    "literature": ("claim", "of the literature"),
    "inference": ("inference", "of this project"),
}


def apart(judged: Iterable[JudgedClaim]) -> dict[Whose, list[JudgedClaim]]:
    """The claims by who makes them: what a paper says and what is read into its figures never mix."""
    by: dict[Whose, list[JudgedClaim]] = {}
    for row in sorted(judged, key=lambda row: tuple(WHOSE).index(row.statement.whose)):
        by.setdefault(row.statement.whose, []).append(row)
    return by


def how_many(whose: Whose, count: int) -> str:
    """`24 claims of the papers`, `1 inference of this project`."""
    one, of = WHOSE[whose]
    return f"{counted(count, one)} {of}"


def figures(known: Iterable[ClaimFigure], *roles: Role) -> list[str]:
    """Every figure of these roles under its own name: a bare number says nothing."""
    return [f"{figure.label} {number(figure)}" for figure in of_roles(known, *roles)]


def of_roles(known: Iterable[ClaimFigure], *roles: Role) -> list[ClaimFigure]:
    """The figures of these roles, in their order."""
    return [figure for figure in known if figure.role in roles]


def number(figure: ClaimFigure) -> str:
    """A figure as it is read: signed per cent, p-values to two digits, intervals in brackets."""
    unit = f" {figure.unit}" if figure.unit else ""
    if isinstance(figure.value, Estimate):
        value = figure.value
        return f"{value.point:.3g} [{_short(value.low)}, {_short(value.high)}]{unit}"
    if figure.unit == "%":
        return percent(figure.value)
    digits = 2 if figure.is_p else 5 if figure.value >= 10 else 3
    whole = float(figure.value).is_integer() and abs(figure.value) < 1e9
    return f"{figure.value:.0f}{unit}" if whole else f"{figure.value:.{digits}g}{unit}"


def _short(value: float) -> str:
    return f"{value:.0f}" if abs(value) >= 10 else f"{value:.2g}"


def percent(value: float) -> str:
    """`-52.95 %`, `+204 %`: two decimals where they say something."""
    value = value if abs(value) >= 0.005 else 0.0  # no minus before a zero
    text = f"{value:+.0f}" if abs(value) >= 100 else f"{value:+.2f}".rstrip("0").rstrip(".")
    return f"{text} %"


def change(rerun: Rerun) -> str:
    """What a re-run found; `not estimated` where its reason has to be read instead."""
    percent_change = rerun.change_percent
    if percent_change is None:
        return NOT_ESTIMATED
    if isinstance(percent_change, Estimate):
        return f"{percent_change.point:+.1f} % [{percent_change.low:.1f}, {percent_change.high:.1f}]"
    return percent(percent_change)


def noise(rerun: Rerun) -> str | None:
    """What the same protocol reports for no change, from the A/A arm of the same blocks."""
    if rerun.judgement is None or rerun.judgement.repeat_ratio is None or rerun.judgement.noise_floor is None:
        return None
    repeat, floor = 100 * (rerun.judgement.repeat_ratio.point - 1), 100 * rerun.judgement.noise_floor
    return f"A/A {repeat:+.1f} %, noise {floor:.1f} %"


def share(agreement: Estimate | Withheld) -> str:
    """A share in per cent with its interval."""
    if isinstance(agreement, Withheld):
        return NOT_ESTIMATED
    return f"{100 * agreement.point:.0f} % [{100 * agreement.low:.0f} %, {100 * agreement.high:.0f} %]"


def basis(again: Remeasured) -> str:
    """What a re-run stands on: `torch, 6 blocks`."""
    return f"{again.backend}, {counted(again.blocks, 'block')}"


def why(again: Remeasured) -> str:
    """The reasons of a re-run, each once."""
    published = again.published
    by_published = published.why if isinstance(published, Rerun) else getattr(published, "reason", None)
    parts = [again.integrated.why]
    if by_published and by_published != again.integrated.why:
        parts.append(f"by the published protocol: {by_published}")
    if isinstance(again.agreement, Withheld):
        parts.append(f"token match: {again.agreement.reason}")
    return "; ".join([*parts, *([again.note] if again.note else [])])


def seen(again: Resweep) -> str:
    """The reason of a verdict on a sweep, and which sweep it was."""
    return f"{again.why} ({again.backend}, perplexity over {again.text}, run {again.run})"


def as_it_was(again: Repeated) -> str:
    """What the protocol as it was reports for the gate, and for nothing."""
    inside = {
        True: "the gate's change is inside the error of this protocol",
        False: "the gate's change is larger than that; one run has no interval, so this is no verdict",
        None: "they can't be compared",
    }
    return (
        f"{again.backend}, {again.kind}, unwarmed, one configuration after another, one sample after each: "
        f"gate {_parts(again.gate)}; the baseline again {_parts(again.a_a)}: {inside[again.inside]}"
    )


def _parts(parts: ChangeParts | Withheld) -> str:
    if isinstance(parts, Withheld):
        return f"not estimated ({parts.reason})"
    return (
        f"{percent(parts.energy_percent)} energy (time {percent(parts.time_percent)}, power "
        f"{percent(parts.power_percent)})"
    )


def tested_by(row: JudgedClaim) -> str | None:
    """What would settle a claim that its record can't settle."""
    if row.record.would_test is None or row.statement.suite is None:
        return row.record.would_test
    return f"{row.record.would_test}: bench run {row.statement.suite}"
