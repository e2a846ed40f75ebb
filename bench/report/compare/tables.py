"""Comparisons on the terminal and as JSON. Ratios are over the side named first; unlike sides have none."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from rich.console import Console

from analysis.effect import FEWEST_BLOCKS, LogPair
from analysis.values import NOT_ESTIMATED, Estimate, Withheld
from analysis.verdict import Judgement
from analysis.words import counted, listed
from bench.report.compare.pairs import PairComparison, Side
from bench.show import rates, table
from bench.show.rates import Rate
from bench.show.safe_text import visible
from bench.show.table import Column, Table, say
from bench.show.words import number, percent

QUANTITIES = {
    "gross_per_repeat_j": "J per repeat",
    "net_per_repeat_j": "J per repeat, net of idle",
    "joules_per_token": "J per generated token",
    "joules_per_total_token": "J per total token",
    "generated_tokens_per_s": "generated tokens/s",
    "prefill_tokens_per_s": "prefill tokens/s",
    "decode_tokens_per_s": "decode tokens/s",
}
_SHORT_LIST = 6


def show(
    comparisons: list[PairComparison], console: Console, *, whole: bool = False, at: Sequence[Rate] = ()
) -> None:
    """Print a sentence for every comparison, one table of all sides, and what the figures rest on.

    Args:
        comparisons: the comparisons.
        console: where to.
        whole: every quantity of each comparison too.
        at: what the user says that a kilowatt-hour costs.
    """
    say(console, *(visible(answer(one)) for one in comparisons), "", style="bold")
    kinds = " and ".join(dict.fromkeys(map(kind_label, comparisons)))
    table.show([Table.of(_SIDES, _lines(comparisons), title=f"joules {kinds}")], console)
    said = [side.row.kind for one in comparisons for side in (one.first, one.second)]
    say(console, *rates.lines(at, _million_tokens(comparisons), what=rates.MILLION_TOKENS, kinds=said))
    for one in comparisons:
        say(console, visible(" against ".join(reversed(one.names))) + ":", *_indented(_notes(one)))
        if whole:
            table.show([_figures(one)], console)
    say(console, *(f"! {line}" for line in warnings(comparisons)))
    if not whole:
        say(console, "every quantity, also by phase: add --all")


def answer(one: PairComparison) -> str:
    """The sentence that says which side takes fewer joules, by how much, and whether it answers alike."""
    first, second = one.names
    joules = one.ratios.get("gross_per_repeat_j")
    if one.unlike:
        return f"{second} has no ratio to {first}: unlike in {listed([item.what for item in one.unlike])}."
    same = "" if one.agreement is None else f"; {_percent(one.agreement.mean)} of its tokens are the same"
    change = f" ({_change(joules)})" if isinstance(joules, LogPair) else ""
    if one.verdict in ("saves", "costs"):
        kind = "" if one.is_measured else f", as {one.kinds}"
        return f"{second} {one.verdict} joules against {first}{change}{kind}{same}."
    if one.verdict == "equivalent":
        return f"{second} takes the joules of {first}, within the threshold{change}{same}."
    return f"Nothing is shown of {second} against {first}: {one.reason}{same}."


def _change(joules: LogPair) -> str:
    """A ratio as a change in per cent; plus is more."""
    ends = [joules.point, *((joules.interval.low, joules.interval.high) if joules.interval else ())]
    point, *interval = (percent(100 * (end - 1), signed=True) or "-" for end in ends if end is not None)
    return point + (f", {interval[0]} to {interval[1]}" if interval else ", no interval")


def _million_tokens(comparisons: list[PairComparison]) -> dict[str, float | None]:
    """Joules of a million generated tokens, by side."""
    per_token = {line.name: line.side.figures["joules_per_token"] for line in _lines(comparisons)}
    return {name: None if joules is None else 1e6 * joules for name, joules in per_token.items()}


def to_json(comparisons: list[PairComparison], *, at: Sequence[Rate] = ()) -> dict[str, Any]:
    """Everything that is shown, and the intervals of every ratio; null is not known."""
    given = rates.to_json(at, _million_tokens(comparisons), what=rates.MILLION_TOKENS)
    return {
        **({"at_given_rates": given} if at else {}),
        "comparisons": [_as_json(one) for one in comparisons],
        "warnings": warnings(comparisons),
    }


def kind_label(one: PairComparison) -> str:
    """`measured`, or `modelled, NOT a measurement`."""
    return one.kinds if one.is_measured else f"{one.kinds}, NOT a measurement"


def warnings(comparisons: list[PairComparison]) -> list[str]:
    """What the reports of the runs warn of, once for each run; the kind of joules is said elsewhere."""
    stories = {side.run_id: side.story for one in comparisons for side in (one.first, one.second)}
    return [
        f"{run_id}: {caution.words}"
        for run_id, story in stories.items()
        for caution in story.summary.cautions
        if caution.code != "grade 0"
    ]


@dataclass(frozen=True)
class _Line:
    """A side in the table, with what it is compared by; a first side has nothing to be compared with."""

    name: str
    side: Side
    comparison: PairComparison | None


def _lines(comparisons: list[PairComparison]) -> list[_Line]:
    """Every first side once, the others below the one that they are compared with."""
    lines: dict[tuple[str, str], list[_Line]] = {}
    for one in comparisons:
        first, second = (visible(name) for name in one.names)
        below = lines.setdefault((one.first.run_id, one.first.label), [_Line(first, one.first, None)])
        below.append(_Line(second, one.second, one))
    return [line for group in lines.values() for line in group]


def _of_comparison(tell: Callable[[PairComparison], str | None]) -> Callable[[_Line], str | None]:
    return lambda line: None if line.comparison is None else tell(line.comparison)


def _joules_ratio(one: PairComparison) -> str | None:
    joules = one.ratios.get("gross_per_repeat_j")
    return _change(joules).replace(", ", "\n", 1) if isinstance(joules, LogPair) else None


def _same(one: PairComparison) -> str | None:
    return None if one.agreement is None else _percent(one.agreement.mean)


def _percent(share: float) -> str:
    """A share in per cent, written as everywhere."""
    return percent(100 * share) or "-"


_SIDES: tuple[Column[_Line], ...] = (
    Column("", lambda line: line.name),
    Column("J/token", lambda line: number(line.side.figures["joules_per_token"], 3)),
    Column("tok/s", lambda line: number(line.side.figures["decode_tokens_per_s"], 1)),
    Column("joules (95 %)", _of_comparison(_joules_ratio), is_text=True),
    Column("token match", _of_comparison(_same)),
    Column("verdict", _of_comparison(lambda one: one.verdict_words), is_text=True),
)


def _indented(lines: list[str]) -> list[str]:
    return [f"  {line}" for line in lines]


def _figures(one: PairComparison) -> Table:
    left, right = one.first.figures, one.second.figures
    columns: list[Column[str]] = [
        Column("", lambda name: QUANTITIES[name]),
        Column(visible(one.names[0]), lambda name: left[name]),
        Column(visible(one.names[1]), lambda name: right[name]),
    ]
    if one.ratios:
        columns.append(Column("ratio (95 %)", lambda name: _ratio(one.ratios[name])))
    return Table.of(columns, QUANTITIES, title="")


def _notes(one: PairComparison) -> list[str]:
    if one.unlike:
        return _why_no_ratio(one)
    joules = one.ratios["gross_per_repeat_j"]
    lines = [f"{one.verdict_words}: {one.reason}"]
    if isinstance(joules, LogPair):
        lines.append(_method(joules))
    floor = "unknown" if one.noise_floor is None else _percent(one.noise_floor)
    few = one.judgement is None or one.judgement.blocks < FEWEST_BLOCKS  # no interval, only what was seen
    lines += [f"noise ({'A/A' if few else 'A/A, 95 %'}): {floor}", _agreement(one), *_differs(one)]
    if one.not_known:
        lines.append(f"! known of neither run, so not checked: {', '.join(one.not_known)}")
    if not one.is_measured:
        lines.append(f"! joules are {one.kinds}, not measured: no claim can rest on them")
    return lines


def _why_no_ratio(one: PairComparison) -> list[str]:
    lines = ["no ratio, because these are unlike:"]
    lines += [f"  {item.what}: {item.first} against {item.second}" for item in one.unlike]
    if any(item.what == "chip" for item in one.unlike):
        lines.append("! Apple says that its meter's figures are not for comparison between devices")
    return lines


def _method(joules: LogPair) -> str:
    if joules.paired:
        return f"ratio: geometric mean over {counted(joules.blocks[0], 'block')} of one run, paired"
    return (
        f"ratio: of geometric means over {joules.blocks[1]} and {joules.blocks[0]} blocks of two runs; "
        "no interval, since how much changes from run to run is unknown"
    )


def _agreement(one: PairComparison) -> str:
    if one.agreement is None:
        return "token match: unknown"
    interval = one.agreement.interval
    text = f"token match: {_percent(one.agreement.mean)}"
    if isinstance(interval, Estimate):
        return f"{text} ({_percent(interval.low)} to {_percent(interval.high)})"
    return f"{text}, no interval: {interval.reason}"


def _differs(one: PairComparison) -> list[str]:
    if not one.differs:
        return ["nothing else differs between the runs"]
    named = [str(item) for item in one.differs[:_SHORT_LIST]]
    more = len(one.differs) - len(named)
    return [f"what differs: {'; '.join(named)}" + (f"; and {more} more: --json has all" if more > 0 else "")]


def _ratio(ratio: LogPair | Withheld) -> str:
    if isinstance(ratio, Withheld):
        return NOT_ESTIMATED
    interval = ratio.interval
    return f"{ratio.point:.3f}" + (f" ({interval.low:.3f} to {interval.high:.3f})" if interval else "")


def _as_json(one: PairComparison) -> dict[str, Any]:
    interval = one.agreement.interval if one.agreement else None
    return {
        "first": _side_json(one.first),
        "second": _side_json(one.second),
        "is_measured": one.is_measured,
        "unlike": [asdict(item) for item in one.unlike],
        "known_of_neither": list(one.not_known),
        "differs": [asdict(item) for item in one.differs],
        "ratios": {name: _ratio_json(ratio) for name, ratio in one.ratios.items()} or None,
        "noise": one.noise_floor,
        "token_match": one.agreement.mean if one.agreement else None,
        "token_match_interval": _interval_json(interval if isinstance(interval, Estimate) else None),
        "answer": answer(one),
        "verdict": one.verdict,
        "reason": one.reason,
        **_judgement_json(one.judgement),
    }


def _judgement_json(judgement: Judgement | None) -> dict[str, Any]:
    """What stands beside the interval that decides: p, and the interval of blocks that follow each other."""
    return {
        **{name: getattr(judgement, name, None) for name in ("p", "p_holm", "asked", "lag_1")},
        "interval_ar1": _interval_json(judgement.ratio_ar1 if judgement else None),
    }


def _side_json(side: Side) -> dict[str, Any]:
    row = side.row
    energy = {"kind": row.kind, "boundary": row.boundary, "grade": row.grade}
    arm = {"run": side.run_id, "backend": row.backend, "gate": row.gate}
    return {**arm, **energy, "grade_name": row.grade_name, **side.figures}


def _ratio_json(ratio: LogPair | Withheld) -> dict[str, Any]:
    if isinstance(ratio, Withheld):
        return {"point": None, "not_estimated": ratio.reason}
    facts = {"interval": _interval_json(ratio.interval), "blocks": list(reversed(ratio.blocks))}
    return {"point": ratio.point, **facts, "paired": ratio.paired}


def _interval_json(interval: Estimate | None) -> dict[str, float] | None:
    return None if interval is None else {"low": interval.low, "high": interval.high}
