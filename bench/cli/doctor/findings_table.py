"""The findings of `bench doctor` on the terminal and as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from rich.console import Console

from bench.cli.doctor.checks import Diagnosis
from bench.cli.doctor.findings import CheckResult
from bench.run.readiness import SuiteHere
from bench.run.sources import REAL_METERS
from bench.show import table
from bench.show.table import Column, Table, say

_MARKS = {"good": ("ok", "green"), "note": ("note", "yellow"), "bad": ("bad", "red"), "unknown": ("?", "dim")}


def show(diagnosis: Diagnosis, console: Console, suites: Sequence[SuiteHere] = ()) -> None:
    """Print whether the machine is fit and the best grade, then a line per finding, then the suites."""
    say(console, *verdict(diagnosis))
    table.show([Table.of(_COLUMNS, _shown(diagnosis.findings), title="")], console)
    if suites:
        table.show([Table.of(_SUITES, suites, title="")], console)


def verdict(diagnosis: Diagnosis) -> list[str]:
    """Whether joules can be measured here, and the best grade with its source."""
    best = diagnosis.best
    bad = [finding.what for finding in diagnosis.findings if finding.state == "bad"]
    meters = {f"meter {name}" for name in REAL_METERS}
    limits = [f.what for f in diagnosis.findings if f.state == "note" and f.what not in meters]
    if diagnosis.is_fit:
        first = "fit to measure" + (f", but look at: {', '.join(limits)}" if limits else "")
    elif bad:
        first = f"not fit to measure: {', '.join(bad)}"
    else:
        first = "not fit to measure: no meter can be read, so joules are modelled, NOT a measurement"
    label = f"{best.grade} {best.name}"
    return [first, f"best grade here: {label} (source: {best.source}); {best.better}"]


def to_json(diagnosis: Diagnosis, suites: Sequence[SuiteHere] = ()) -> dict[str, Any]:
    """Everything that is shown."""
    findings = [asdict(finding) for finding in diagnosis.findings]
    said = {"fit": diagnosis.is_fit, "best": asdict(diagnosis.best), "findings": findings}
    return said | {"suites": [asdict(suite) for suite in suites]}


def _shown(findings: list[CheckResult]) -> list[CheckResult]:
    """What is not known of this machine shares one line."""
    names = [finding.what for finding in findings if finding.found == "unknown"]
    rest = [finding for finding in findings if finding.found != "unknown"]
    return [*rest, CheckResult(what="unknown", state="unknown", found=", ".join(names))] if names else rest


def _found(finding: CheckResult) -> str:
    return finding.found + (f"\n-> {finding.fix}" if finding.fix else "")


_COLUMNS: tuple[Column[CheckResult], ...] = (
    Column("", lambda finding: _MARKS[finding.state][0], style=lambda finding: _MARKS[finding.state][1]),
    Column("what", lambda finding: finding.what, style=lambda _: "bold", is_text=True),
    Column("found", _found, is_text=True),
)

_SUITES: tuple[Column[SuiteHere], ...] = (
    Column("suite", lambda one: one.file),
    Column("here", lambda one: one.refused or "can run", is_text=True),
    Column(
        "weights",
        lambda one: ", ".join(f"{key} {sha[:12]}" for key, sha in one.weights_sha256.items() if sha),
        is_text=True,
    ),
    Column("versions", lambda one: ", ".join(f"{k} {v}" for k, v in one.versions.items() if v), is_text=True),
)
