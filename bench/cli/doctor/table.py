"""The findings of `bench doctor` on the terminal and as JSON."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from bench.cli.doctor.checks import Diagnosis, Finding
from bench.run.sources import REAL_METERS
from bench.show.safe_text import visible

_MARKS = {"good": ("ok", "green"), "note": ("note", "yellow"), "bad": ("bad", "red"), "unknown": ("?", "dim")}


def show(diagnosis: Diagnosis, console: Console) -> None:
    """Print a line per finding, then whether the machine is fit and the best grade."""
    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True, style="bold")
    table.add_column(overflow="fold")
    for finding in _shown(diagnosis.findings):
        mark, style = _MARKS[finding.state]
        table.add_row(Text(mark, style=style), finding.what, _found(finding))
    console.print(table, highlight=False)
    console.print()
    for line in verdict(diagnosis):
        console.print(line, markup=False, highlight=False)


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


def to_json(diagnosis: Diagnosis) -> dict[str, Any]:
    """Everything that is shown."""
    findings = [asdict(finding) for finding in diagnosis.findings]
    return {"fit": diagnosis.is_fit, "best": asdict(diagnosis.best), "findings": findings}


def _shown(findings: list[Finding]) -> list[Finding]:
    """What is not known of this machine shares one line."""
    names = [finding.what for finding in findings if finding.found == "unknown"]
    rest = [finding for finding in findings if finding.found != "unknown"]
    return [*rest, Finding(what="unknown", state="unknown", found=", ".join(names))] if names else rest


def _found(finding: Finding) -> Text:
    text = Text(visible(finding.found))
    return text.append(f"\n-> {visible(finding.fix)}", style="cyan") if finding.fix else text
