"""A meter on the terminal: live, as a table of what was read, and as the result of its self-test."""

from __future__ import annotations

import time
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

from analysis.values import NOT_ESTIMATED
from bench.show.safe_text import visible
from bench.show.table import Column, Table, drawn
from energy.base import EnergySource, Fault, SourceInfo, Trace
from energy.boundary import total_j
from energy.selftest import Finding

_REDRAW_S = 1.0
MOST_FAULTS = 5
"""Of one kind are shown one by one."""
_COLOURS = {True: "green", False: "red", None: ""}
_RESULTS = {True: "ok", False: "failed", None: "not tested: no such load here"}


def follow(source: EnergySource, console: Console, *, seconds_s: float | None) -> None:
    """Show a running source until time is up or Ctrl-C; into a pipe, only wait."""
    begin_s = time.perf_counter()
    with Live(console=console, auto_refresh=False, transient=True) as live:
        try:
            while seconds_s is None or time.perf_counter() - begin_s < seconds_s:
                time.sleep(min(_REDRAW_S, seconds_s or _REDRAW_S))
                if console.is_terminal:
                    live.update(trace_view(source.trace(), source.info, last_s=_REDRAW_S), refresh=True)
        except KeyboardInterrupt:
            pass


def trace_view(trace: Trace, info: SourceInfo, *, last_s: float | None = None) -> Group:
    """Rails with their power and joules; power of the last `last_s` seconds, or the mean.

    A rail counts over the readings in which it was measured; the total only over those that hold every rail.
    """
    length_s = trace.end_s - trace.start_s
    recent = (
        trace.end_s > trace.end_s[-1] - last_s
        if last_s and len(trace.end_s)
        else np.full(len(length_s), True)
    )
    columns = [(rail, trace.joules[:, number]) for number, rail in enumerate(trace.rails)]
    rows = [
        (rail + ("" if rail in info.rails else " (not in the total)"), *_figures(joules, length_s, recent))
        for rail, joules in columns
    ]
    whole_j = total_j(trace, info.rails)
    is_known = not len(whole_j) or not np.isnan(whole_j).all()
    unknown = (NOT_ESTIMATED, f"{NOT_ESTIMATED}: a rail is missing")
    total = _figures(whole_j, length_s, recent) if is_known else unknown
    headings = ("rail", "W now" if last_s else "W mean", f"J in {float(length_s.sum()):.0f} s")
    table = Table.plain(headings, [*rows, ("total", *total)], title="", is_ruled=True)
    head = Text(f"{info.name}: {info.kind}, covers {info.boundary}")
    return Group(head, drawn(table), *_notes(trace, info))


def _figures(
    joules: NDArray[np.float64], length_s: NDArray[np.float64], recent: NDArray[np.bool_]
) -> tuple[str, str]:
    """Power over the recent readings and joules over all, of those that were measured."""
    known = ~np.isnan(joules)
    if not known.any():
        return "not measured", "not measured"
    now = known & recent
    power = f"{joules[now].sum() / length_s[now].sum():.2f}" if now.any() else "not measured"
    missing_s = float(length_s[~known].sum())
    lacking = f" ({missing_s:.3g} s not measured)" if missing_s else ""
    return power, f"{joules[known].sum():.2f}{lacking}"


def _notes(trace: Trace, info: SourceInfo) -> list[Text]:
    """How good the readings are, the thermal pressure, and what went wrong."""
    how = info.details.get("placed")
    notes = [
        f"{len(trace.end_s)} readings, placed within {1000 * trace.alignment_s:.1f} ms"
        + (f" {how}" if how else "")
    ]
    notes += [f"thermal pressure: {trace.thermal[-1][1]}"] if trace.thermal else []
    unreadable = sum(fault.kind == "unreadable document" for fault in trace.faults)
    notes += [f"unreadable documents: {unreadable}, skipped"] if unreadable else []
    notes += _faults(trace)
    return [Text(visible(note)) for note in notes]


def _faults(trace: Trace) -> list[str]:
    """What went wrong and when, in seconds since the first reading: the first few of a kind, and how many."""
    begin_s = float(trace.start_s[0]) if len(trace.start_s) else 0.0
    by_kind: dict[str, list[Fault]] = {}
    for fault in trace.faults:
        by_kind.setdefault(fault.kind, []).append(fault)
    lines = []
    for kind, alike in by_kind.items():
        lines += [
            f"fault: {kind}, at {max(0.0, fault.start_s - begin_s):.1f} s: {fault.detail}"
            for fault in alike[:MOST_FAULTS]
        ]
        lines += [f"fault: {kind}: {len(alike)} in all"] if len(alike) > MOST_FAULTS else []
    return lines


def self_test_view(findings: Sequence[Finding], info: SourceInfo) -> Group:
    """Every rail under every load."""
    table = Table.of(_SELF_TEST, findings, title="", is_ruled=True)
    return Group(Text(f"self-test of {info.name}, {info.kind}"), drawn(table))


_SELF_TEST: tuple[Column[Finding], ...] = (
    Column("load", lambda one: one.load),
    Column("rail", lambda one: one.rail, is_text=True),
    Column("should", lambda one: "move" if one.expected == "moves" else "rest", is_text=True),
    Column("rise", lambda one: "not measured" if one.rise_w is None else f"{one.rise_w:+.2f} W"),
    Column(
        "result",
        lambda one: _RESULTS[one.passed],
        is_text=True,
        style=lambda one: _COLOURS[one.passed],
    ),
)
