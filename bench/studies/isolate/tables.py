"""The report of an isolation: a verdict per cell, the evidence for it, and the numbers under it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, fields
from typing import Any

import numpy as np
from rich.console import Console

from analysis.isolation import Bound
from analysis.outcomes import Outcome
from analysis.published.isolation import isolation_claims
from analysis.roofline import GB, EnergyModel
from analysis.rows import Step
from analysis.stats import geometric_mean
from analysis.values import NOT_ESTIMATED, Estimate, Withheld
from analysis.words import listed
from bench.show import table
from bench.show.files import csv_text
from bench.show.table import Column, Table, say
from bench.show.words import kind_label
from bench.studies.isolate.run import CellReport

_TITLES = {"prefill": "prefill", "S3": "decode", "S2": "weights alone", "S10": "launches alone"}
"""Tests whose time per token or step is printed as FP's tables print theirs."""

CAN_NOT_TELL = "can't tell"

_SO: dict[Bound, str] = {
    "memory-bound": "Reading fewer bytes saves in proportion; less arithmetic saves nothing",
    "compute-bound": "Less arithmetic saves; fewer bytes alone do not",
    "kernel-bound": "Fewer bytes save, and so would kernels that read faster",
    "overhead-bound": "Fewer or larger operations save; fewer bytes or flops hardly do",
    "mixed": "Fewer bytes save a part; the rest is fixed cost per step",
}
"""What follows from a verdict for somebody who wants a step to cost less."""


def show(reports: Sequence[CellReport], console: Console) -> None:
    """Print every cell, then FP's own table through the same rule."""
    kinds = kind_label(report.kind for report in reports)
    say(console, *map(answer, reports), "", style="bold")
    title = f"What limits a decode step (joules {kinds})"
    table.show([Table.of(_VERDICTS, reports, title=title)], console)
    for report in reports:
        plan = report.plan
        name = f"{plan.backend}, {plan.model}, {plan.precision}"
        table.show([Table.of(_EVIDENCE, report.verdict.evidence, title=name)], console)
        table.show([_phase_table(report)], console)
        say(console, *_lines(report))
    claim = next(claim for claim in isolation_claims() if claim.name == "isolation.memory_bound")
    say(console, "", f"FP's published table by the same rule: {claim.why}")


def answer(report: CellReport) -> str:
    """The sentence that says what limits a step of this cell, and by what."""
    plan, verdict = report.plan, report.verdict
    cell = f"{plan.model} in {plan.precision} on {plan.backend}"
    if verdict.verdict == NOT_ESTIMATED:
        return f"What limits a decode step of {cell} can't be told: {verdict.reason}."
    return f"A decode step of {cell} is {verdict.verdict}: {verdict.reason}. {_SO[verdict.verdict]}."


def to_csv(reports: Sequence[CellReport]) -> str:
    """Every step, one a line."""
    names = ("backend", "model", "precision", "kind", "boundary", *(field.name for field in fields(Step)))
    rows = (
        {**report.plan.model_dump(), "kind": report.kind, "boundary": report.boundary, **asdict(step)}
        for report in reports
        for step in report.steps
    )
    return csv_text(names, rows)


def to_json(reports: Sequence[CellReport]) -> list[dict[str, Any]]:
    """Verdicts, evidence and figures; a withheld one is its reason."""
    return [
        {
            **report.plan.model_dump(),
            **{"kind": report.kind, "boundary": report.boundary, "missing": report.missing},
            "verdict": asdict(report.verdict),
            "stream": asdict(report.stream),
            "energy": asdict(report.energy),
            "phases": {
                _TITLES[test]: {"ms": asdict(_ms(report, test)), "joules": asdict(_joules(report, test))}
                for test in _TITLES
            },
        }
        for report in reports
    ]


def _phase_table(report: CellReport) -> Table:
    """Prefill and decode as in FP's tables, per token; the floors per step."""
    columns: tuple[Column[str], ...] = (
        Column("phase", lambda test: _TITLES[test]),
        Column("ms/token", lambda test: _figure(_ms(report, test), 1), is_text=True),
        Column(f"J/token, {report.kind}", lambda test: _figure(_joules(report, test), 1), is_text=True),
    )
    return Table.of(columns, _TITLES, title="")


def _lines(report: CellReport) -> list[str]:
    return [
        f"memory streams {_stream(report)}",
        f"against the verdict: {_against(report)}",
        *_open(report),
        f"energy = lambda x flops + mu x bytes + idle x time, {report.kind}: {_energy_fit(report.energy)}",
        *(f"! {test}: {why}" for test, why in sorted(report.missing.items())),
    ]


def _open(report: CellReport) -> list[str]:
    """What can't be told yet, and how much longer it takes to tell."""
    both = [item for item in report.verdict.evidence if _fits(item) == CAN_NOT_TELL]
    never = [f"{item.test} ({item.name})" for item in both if not item.times_to_settle]
    each = [
        f"{item.test} ({item.name}) with about {item.times_to_settle} times the rounds"
        for item in both
        if item.times_to_settle
    ]
    lines = [f"would be told: {', '.join(each)}"] if each else []
    return [*lines, *([f"no number of rounds would tell {listed(never)}"] if never else [])]


def _against(report: CellReport) -> str:
    tests = {item.name: item.test for item in report.verdict.evidence}
    return ", ".join(f"{tests[name]} ({name})" for name in report.verdict.against) or "nothing"


def _stream(report: CellReport) -> str:
    stream = report.stream
    if isinstance(stream, Withheld):
        return f"not estimated: {stream.reason}"
    rate = f"{_figure(stream.bandwidth_bytes_per_s, 1 / GB)} GB/s"
    if isinstance(stream.joules_per_byte, Withheld):
        return f"{rate}; its joules are not estimated: {stream.joules_per_byte.reason}"
    return f"{rate} at {_figure(stream.joules_per_byte, GB)} J/GB, {report.kind}"


def _energy_fit(energy: EnergyModel | Withheld) -> str:
    if isinstance(energy, Withheld):
        return f"not estimated: {energy.reason}"
    prices = (
        _price(energy.joules_per_flop, 1e12, "pJ/flop"),
        _price(energy.joules_per_byte, 1e12, "pJ/byte"),
        f"idle {_price(energy.idle_w, 1, 'W')}",
    )
    return f"{', '.join(prices)} (r2 {energy.r2:.3f}, {energy.rows} rows)"


def _price(value: Estimate, factor: float, unit: str) -> str:
    """What these windows can't tell from nothing has an upper end alone."""
    if value.low > 0:
        return f"{_figure(value, factor)} {unit}"
    return f"at most {value.high * factor:.3g} {unit}"


def _ms(report: CellReport, test: str) -> Estimate | Withheld:
    """Milliseconds per token, or per step where a step is no token."""
    return _per_token(report, test, [1e3 * step.seconds_s for step in _of(report, test)])


def _joules(report: CellReport, test: str) -> Estimate | Withheld:
    windows = [step.joules_j for step in _of(report, test)]
    if any(joules is None for joules in windows):
        return Withheld("a window has too few readings")
    return _per_token(report, test, [joules for joules in windows if joules is not None])


def _of(report: CellReport, test: str) -> list[Step]:
    return [step for step in report.steps if step.test == test and not step.changed]


def _per_token(report: CellReport, test: str, values: list[float]) -> Estimate | Withheld:
    tokens = [step.context if test == "prefill" else 1 for step in _of(report, test)]
    if not values:
        return Withheld(report.missing.get(test, "not run"))
    return geometric_mean(np.array(values) / np.array(tokens))


def _figure(value: Estimate | Withheld, factor: float, unit: str = "") -> str:
    if isinstance(value, Withheld):
        return f"not estimated: {value.reason}"
    scaled = value.times(factor)
    return f"{scaled.point:.3g}{unit} [{scaled.low:.3g}, {scaled.high:.3g}]"


def _share(report: CellReport) -> str | None:
    share = report.verdict.memory_share
    return f"{_figure(share, 100, ' %')} of a step" if share else None


def _fits(item: Outcome) -> str | None:
    if isinstance(item.value, Withheld):
        return None
    return {True: "yes", False: "no", None: CAN_NOT_TELL}[item.fits_memory_bound]


_VERDICTS: tuple[Column[CellReport], ...] = (
    Column("backend", lambda report: report.plan.backend),
    Column("model", lambda report: report.plan.model, is_text=True),
    Column("precision", lambda report: report.plan.precision, is_text=True),
    Column("verdict", lambda report: report.verdict.verdict, is_text=True, style=lambda _: "bold"),
    Column("its bytes explain", _share, is_text=True),
)
_EVIDENCE: tuple[Column[Outcome], ...] = (
    Column("test", lambda item: item.test),
    Column("what", lambda item: item.figure, is_text=True),
    Column("figure", lambda item: _figure(item.value, 1), is_text=True),
    Column("memory-bound if", lambda item: item.rule, is_text=True),
    Column("fits", _fits, is_text=True),
)
