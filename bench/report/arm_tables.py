"""The tables of a run's arms, on the terminal and on its page: joules, work, and the causes of a saving."""

from __future__ import annotations

from dataclasses import replace

from analysis.values import NOT_ESTIMATED, Estimate, Withheld
from analysis.verdict import INACTIVE
from analysis.words import counted
from bench.report.arm_row import ArmRow
from bench.report.names import arm_label
from bench.report.split import ArmSplit
from bench.report.summary import Summary
from bench.run.observed import NOT_SHOWN
from bench.show import words
from bench.show.table import Column, Place, Table


def savings_table(summary: Summary, *, place: Place = "terminal") -> Table:
    """Joules of every arm, and what they are worth."""
    title = f"Energy per repeat, {_kinds(summary)}"
    return Table.of(_ENERGY, summary.rows, place=place, name="savings-by-arm", title=title)


def work_table(summary: Summary, *, place: Place = "terminal") -> Table:
    """What every arm did for its joules."""
    title = f"Work per repeat of {counted(summary.rows[0].prompts, 'prompt')}"
    return Table.of(_WORK, summary.rows, place=place, name="work-by-arm", title=title)


def narrow_table(summary: Summary) -> Table:
    """Both in one, for a list per arm."""
    return Table.of((*_ENERGY, *_WORK[1:]), summary.rows, title=f"per repeat, joules {_kinds(summary)}")


def split_table(summary: Summary, *, place: Place = "terminal") -> Table | None:
    """Where the savings come from, of the arms for which that can be told; None if there is none."""
    known = [split for split in summary.splits.values() if isinstance(split, ArmSplit)]
    kinds = words.kind_label(split.kind for split in known)
    title = f"Where the saving per repeat comes from, J {kinds}"
    return Table.of(_SPLIT, known, place=place, name="saving-by-cause", title=title) if known else None


def certainty_table(summary: Summary, *, place: Place = "terminal") -> Table | None:
    """How sure the verdicts are, of the arms that have an interval; None if there is none."""
    judged = [row for row in summary.rows if row.p is not None]
    title = f"How sure the savings are, {_kinds(summary)}"
    return Table.of(_CERTAINTY, judged, place=place, name="certainty-by-arm", title=title) if judged else None


def latency_table(summary: Summary, *, place: Place = "terminal") -> Table | None:
    """Times of single tokens and peak memory; None if neither was measured."""
    timed = [
        row for row in summary.rows if row.first_token_s is not None or row.process_peak_bytes is not None
    ]
    title = "Latency and memory, measured outside every window"
    return Table.of(_LATENCY, timed, place=place, name="latency-by-arm", title=title) if timed else None


def withheld_splits(summary: Summary) -> list[tuple[str, str]]:
    """Arms whose saving can't be split, and why."""
    return [
        (arm_label(arm), split.reason) for arm, split in summary.splits.items() if isinstance(split, Withheld)
    ]


def _kinds(summary: Summary) -> str:
    return words.kind_label(row.kind for row in summary.rows)


def _interval(row: ArmRow) -> str | None:
    return _from_to(row.saved_low_percent, row.saved_high_percent)


def _from_to(low: float | None, high: float | None) -> str | None:
    if low is None or high is None:
        return None
    return f"{round(low, 1) + 0.0:+.1f} to {words.percent(high, signed=True)}"


def _range(row: ArmRow) -> str | None:
    low, high = row.joules_per_token_low, row.joules_per_token_high
    return None if low is None or high is None else f"{words.significant(low)} to {words.significant(high)}"


def _token_match(row: ArmRow) -> str | None:
    return INACTIVE if row.verdict == INACTIVE else words.percent(row.token_match_percent)


def _grade(row: ArmRow) -> str | None:
    return None if row.grade is None else f"{row.grade} {row.grade_name}"


def _from_cache(row: ArmRow) -> str | None:
    """Prompt tokens that were computed once before, of all."""
    cached = row.cached_tokens_per_repeat
    return f"{cached:.0f} of {cached + row.prompt_tokens_per_repeat:.0f}" if cached else None


def _generated(row: ArmRow) -> str:
    """Generated tokens, and how many of them are thinking aloud where the model has marks of it."""
    thought = row.reasoning_tokens_per_repeat
    return f"{row.generated_tokens_per_repeat:.0f}" + (f" ({thought:.0f} reasoning)" if thought else "")


def _ms(seconds_s: float | None) -> str | None:
    return None if seconds_s is None else words.significant(1000 * seconds_s)


def _gb(size_bytes: int | None) -> str | None:
    return None if size_bytes is None else words.significant(size_bytes / 1e9)


def _part(part: Estimate) -> str:
    return f"{part.point:+.1f}\n({part.low:+.1f} to {part.high:+.1f})"


_TOKEN_MATCH: Column[ArmRow] = Column("token match", _token_match)
_ENERGY: tuple[Column[ArmRow], ...] = (
    Column("configuration", lambda row: row.label, is_text=True),
    Column("J/token", lambda row: words.significant(row.joules_per_token)),
    Column("J/token, 95 %", lambda row: _range(row), is_under=True),
    Column("J", lambda row: words.joules(row.gross_per_repeat_j) or NOT_ESTIMATED),
    Column("bound, J", lambda row: words.bound(row.gross_per_repeat_j, row.bound_per_repeat_j)),
    Column("J net", lambda row: words.joules(row.net_per_repeat_j)),
    Column("saves", lambda row: words.percent(row.joules_saved_percent, signed=True)),
    Column("saves, 95 %", _interval, is_under=True),
    Column("noise", lambda row: words.percent(row.noise_percent)),
    Column("blocks", lambda row: row.blocks or None),
    replace(_TOKEN_MATCH, only="page"),
    Column("verdict", lambda row: row.verdict, is_text=True),
    Column("grade", _grade, is_text=True),
)
_WORK: tuple[Column[ArmRow], ...] = (
    Column("configuration", lambda row: row.label, is_text=True),
    Column("to small", lambda row: row.routed_to_small),
    Column("served", lambda row: NOT_SHOWN if row.served else None, is_text=True),
    Column("batch", lambda row: row.batch if row.batch != 1 else None),
    Column("prompt cache", _from_cache),
    Column("generated tokens", _generated),
    Column("forwards", lambda row: f"{row.forwards_per_repeat:.0f}"),
    Column("prefill tok/s", lambda row: words.number(row.prefill_tokens_per_s, 1)),
    Column("decode tok/s", lambda row: words.number(row.decode_tokens_per_s, 1)),
    Column("seconds", lambda row: words.joules(row.seconds_per_repeat_s)),
    Column("J/total token", lambda row: words.significant(row.joules_per_total_token)),
    Column("tokens saved", lambda row: words.percent(row.tokens_saved_percent, signed=True)),
    Column("bytes saved", lambda row: words.percent(row.bytes_saved_percent, signed=True)),
    replace(_TOKEN_MATCH, only="terminal"),
    Column("repeats", lambda row: row.repeats, only="page"),
    Column("windows", lambda row: row.windows, only="page"),
    Column("void windows", lambda row: row.void_windows, only="page"),
)
_CERTAINTY: tuple[Column[ArmRow], ...] = (
    Column("configuration", lambda row: row.label),
    Column("saves", lambda row: words.percent(row.joules_saved_percent, signed=True)),
    Column("95 % interval", _interval, is_under=True),
    Column("p", lambda row: words.significant(row.p)),
    Column("p (Holm)", lambda row: words.significant(row.p_holm)),
    Column("blocks", lambda row: row.blocks),
    Column("lag-1 correlation", lambda row: words.number(row.lag_1, 2)),
    Column(
        "AR(1) interval",
        lambda row: _from_to(row.saved_low_ar1_percent, row.saved_high_ar1_percent),
        is_under=True,
    ),
    Column("verdict", lambda row: row.verdict, is_text=True),
)
_LATENCY: tuple[Column[ArmRow], ...] = (
    Column("configuration", lambda row: row.label, is_text=True),
    Column("first token, ms", lambda row: _ms(row.first_token_s)),
    Column("token p50, ms", lambda row: _ms(row.token_p50_s)),
    Column("p95", lambda row: _ms(row.token_p95_s)),
    Column("p99", lambda row: _ms(row.token_p99_s)),
    Column("timed tokens", lambda row: row.timed_tokens or None),
    Column("device GB", lambda row: _gb(row.device_peak_bytes)),
    Column("process GB", lambda row: _gb(row.process_peak_bytes)),
)
_SPLIT: tuple[Column[ArmSplit], ...] = (
    Column("configuration", lambda one: arm_label(one.arm)),
    Column("J saved", lambda one: _part(one.split.saved_j)),
    Column("fewer generated tokens", lambda one: _part(one.split.fewer_new_tokens_j)),
    Column("cheaper generated tokens", lambda one: _part(one.split.cheaper_new_tokens_j)),
    Column("cheaper prompts", lambda one: _part(one.split.cheaper_prompt_tokens_j)),
    Column("fixed per request", lambda one: _part(one.split.fixed_cost_j)),
    Column("R\u00b2", lambda one: f"{one.r2:.2f}"),
    Column("windows", lambda one: one.windows),
)
