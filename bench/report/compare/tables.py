"""Comparisons on the terminal and as JSON. Ratios are second over first; unlike sides have none."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from rich.console import Console

from analysis.values import Estimate, Withheld, counted
from analysis.verdict import LogPair
from bench.report.compare.pairs import Comparison, Side
from bench.show import table
from bench.show.safe_text import visible
from bench.show.table import Column, Table, say

QUANTITIES = {
    "joules_per_pass": "J per pass",
    "net_joules_per_pass": "J per pass, net of idle",
    "joules_per_new_token": "J per new token",
    "joules_per_total_token": "J per total token",
    "new_tokens_per_s": "new tokens/s",
    "prefill_tokens_per_s": "prefill tokens/s",
    "decode_tokens_per_s": "decode tokens/s",
}
_SHORT_LIST = 6


def show(found: list[Comparison], console: Console) -> None:
    """Print every comparison."""
    for number, one in enumerate(found, start=1):
        say(console, f"comparison {number} of {len(found)}, joules {kind_label(one)}", *_sides(one))
        table.show([_figures(one)], console)
        say(console, *_notes(one), *([""] if number < len(found) else []))
    say(console, *(f"! {line}" for line in warnings(found)))


def to_json(found: list[Comparison]) -> dict[str, Any]:
    """Everything that is shown, and the intervals of every ratio; null is not known."""
    return {"comparisons": [_as_json(one) for one in found], "warnings": warnings(found)}


def kind_label(one: Comparison) -> str:
    """`measured`, or `modelled, NOT a measurement`."""
    return one.kinds if one.is_measured else f"{one.kinds}, NOT a measurement"


def side_label(side: Side) -> str:
    """Arm and run, harmless on a terminal."""
    return visible(f"{side.label} of {side.run_id}")


def warnings(found: list[Comparison]) -> list[str]:
    """What the reports of the runs warn of, once for each run; the kind of joules is said elsewhere."""
    stories = {side.run_id: side.story for one in found for side in (one.first, one.second)}
    return [
        f"{run_id}: {caution.words}"
        for run_id, story in stories.items()
        for caution in story.summary.cautions
        if caution.code != "grade 0"
    ]


def _sides(one: Comparison) -> list[str]:
    lines = []
    for name, side in (("first", one.first), ("second", one.second)):
        row = side.row
        grade = "no grade" if row.grade is None else f"grade {row.grade} {row.grade_name}"
        lines += [
            f"  {name:<6}  {side_label(side)}",
            f"          {row.energy_kind}, boundary {row.boundary}, {grade}",
        ]
    return lines


def _figures(one: Comparison) -> Table:
    left, right = one.first.figures, one.second.figures
    columns: list[Column[str]] = [
        Column("", lambda name: QUANTITIES[name]),
        Column("first", lambda name: left[name]),
        Column("second", lambda name: right[name]),
    ]
    if one.ratios:
        columns.append(Column("second / first (95 %)", lambda name: _ratio(one.ratios[name])))
    return Table.of(columns, QUANTITIES, title="")


def _notes(one: Comparison) -> list[str]:
    if one.unlike:
        return _why_no_ratio(one)
    joules = one.ratios["joules_per_pass"]
    lines = [f"{one.verdict_words}: {one.reason}"]
    if isinstance(joules, LogPair):
        lines.append(_method(joules))
    floor = "unknown" if one.noise_floor is None else f"{one.noise_floor:.1%}"
    lines += [f"A/A noise floor: {floor}", _agreement(one), *_differs(one)]
    if one.not_known:
        lines.append(f"! known of neither run, so not checked: {', '.join(one.not_known)}")
    if not one.is_measured:
        lines.append(f"! joules are {one.kinds}, not measured: no claim can rest on them")
    return lines


def _why_no_ratio(one: Comparison) -> list[str]:
    lines = ["no ratio, because these are unlike:"]
    lines += [f"  {item.what}: {item.first} against {item.second}" for item in one.unlike]
    if any(item.what == "chip" for item in one.unlike):
        lines.append("! Apple says that its meter's figures are not for comparison between devices")
    return lines


def _method(joules: LogPair) -> str:
    if joules.paired:
        return f"ratio: geometric mean over {counted(joules.blocks[0], 'block')} of one run, paired"
    return (
        f"ratio: of geometric means over {joules.blocks[1]} and {joules.blocks[0]} blocks of two runs, "
        "unpaired (Welch's t): whatever changed between the runs counts as effect"
    )


def _agreement(one: Comparison) -> str:
    if one.agreement is None:
        return "agreement of new tokens: unknown"
    interval = one.agreement.interval
    text = f"agreement of new tokens: {one.agreement.mean:.1%}"
    if isinstance(interval, Estimate):
        return f"{text} ({interval.low:.1%} to {interval.high:.1%})"
    return f"{text}, no interval: {interval.reason}"


def _differs(one: Comparison) -> list[str]:
    if not one.differs:
        return ["nothing else differs between the runs"]
    named = [str(item) for item in one.differs[:_SHORT_LIST]]
    more = len(one.differs) - len(named)
    return [f"what differs: {'; '.join(named)}" + (f"; and {more} more: --json has all" if more > 0 else "")]


def _ratio(found: LogPair | Withheld) -> str:
    if isinstance(found, Withheld):
        return "withheld"
    interval = found.interval
    return f"{found.point:.3f}" + (f" ({interval.low:.3f} to {interval.high:.3f})" if interval else "")


def _as_json(one: Comparison) -> dict[str, Any]:
    interval = one.agreement.interval if one.agreement else None
    return {
        "first": _side_json(one.first),
        "second": _side_json(one.second),
        "is_measured": one.is_measured,
        "unlike": [asdict(item) for item in one.unlike],
        "known_of_neither": list(one.not_known),
        "differs": [asdict(item) for item in one.differs],
        "ratios": {name: _ratio_json(found) for name, found in one.ratios.items()} or None,
        "noise_floor": one.noise_floor,
        "agreement": one.agreement.mean if one.agreement else None,
        "agreement_interval": _interval_json(interval if isinstance(interval, Estimate) else None),
        "verdict": one.verdict,
        "reason": one.reason,
    }


def _side_json(side: Side) -> dict[str, Any]:
    row = side.row
    energy = {"kind": row.energy_kind, "boundary": row.boundary, "grade": row.grade}
    arm = {"run": side.run_id, "backend": row.backend, "gate": row.gate}
    return {**arm, **energy, "grade_name": row.grade_name, **side.figures}


def _ratio_json(found: LogPair | Withheld) -> dict[str, Any]:
    if isinstance(found, Withheld):
        return {"point": None, "withheld": found.reason}
    facts = {"interval": _interval_json(found.interval), "blocks": list(reversed(found.blocks))}
    return {"point": found.point, **facts, "paired": found.paired}


def _interval_json(interval: Estimate | None) -> dict[str, float] | None:
    return None if interval is None else {"low": interval.low, "high": interval.high}
