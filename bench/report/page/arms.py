"""The two tables of a run's arms: what they save, and the work that they did."""

from __future__ import annotations

from collections.abc import Callable

from analysis.values import Estimate, Withheld
from analysis.verdict import INACTIVE
from bench.report.page.tables import Table
from bench.report.rows import arm_label
from bench.report.split import ArmSplit
from bench.report.split_tables import PARTS
from bench.report.summary import ArmRow, Summary
from bench.show import words

_Column = tuple[str, Callable[[ArmRow], str | int | None]]


def savings_table(summary: Summary) -> Table:
    """Joules of every arm, and what they are worth."""
    kinds = words.kind_label([row.energy_kind for row in summary.rows])
    return _table("savings-by-arm", f"Joules per pass by arm ({kinds})", _SAVINGS, summary)


def work_table(summary: Summary) -> Table:
    """What every arm did for its joules."""
    prompts = summary.rows[0].prompts if summary.rows else 0
    return _table("work-by-arm", f"Work per pass of {prompts} prompts by arm", _WORK, summary)


def split_table(summary: Summary) -> Table | None:
    """Where the savings come from, of the arms for which that can be told; None if there is none."""
    found = [split for split in summary.splits.values() if isinstance(split, ArmSplit)]
    if not found:
        return None
    return Table(
        name="saving-by-cause",
        title=f"Where the saving per pass comes from, J ({words.kind_label(split.kind for split in found)})",
        columns=("arm", *PARTS.values(), "R²", "windows"),
        rows=[
            [arm_label(one.arm), *(_part(getattr(one.split, name)) for name in PARTS), one.r2, one.windows]
            for one in found
        ],
    )


def withheld_splits(summary: Summary) -> list[str]:
    """Why the saving of an arm can't be split."""
    return [
        f"{arm_label(arm)}: {split.reason}"
        for arm, split in summary.splits.items()
        if isinstance(split, Withheld)
    ]


def grade_reasons(summary: Summary) -> list[str]:
    """What keeps the joules from a higher grade, each reason once."""
    return list(dict.fromkeys(reason for row in summary.rows for reason in row.grade_reasons))


def _table(name: str, title: str, columns: tuple[_Column, ...], summary: Summary) -> Table:
    return Table(
        name=name,
        title=title,
        columns=("arm", *(head for head, _ in columns)),
        rows=[[row.label, *(value(row) for _, value in columns)] for row in summary.rows],
    )


def _part(part: Estimate) -> str:
    return f"{part.point:+.1f} ({part.low:+.1f} to {part.high:+.1f})"


def _interval(row: ArmRow) -> str | None:
    low, high = row.saved_low_percent, row.saved_high_percent
    return None if low is None or high is None else f"{low:+.1f} to {high:+.1f} %"


def _agreement(row: ArmRow) -> str | None:
    return INACTIVE if row.verdict == INACTIVE else words.percent(row.agreement_percent)


def _grade(row: ArmRow) -> str | None:
    return None if row.grade is None else f"{row.grade} {row.grade_name}"


_SAVINGS: tuple[_Column, ...] = (
    ("saved", lambda row: words.percent(row.joules_saved_percent, signed=True)),
    ("95 % interval", _interval),
    ("A/A floor", lambda row: words.percent(row.noise_floor_percent)),
    ("blocks", lambda row: row.blocks or None),
    ("agreement", _agreement),
    ("verdict", lambda row: row.verdict),
    ("gross J", lambda row: words.with_bound(row.joules_gross, row.joules_bound)),
    ("net J", lambda row: words.joules(row.joules_net)),
    ("J per new token", lambda row: words.significant(row.joules_per_new_token)),
    ("J per token", lambda row: words.significant(row.joules_per_total_token)),
    ("grade", _grade),
)
_WORK: tuple[_Column, ...] = (
    ("to another model", lambda row: row.routed_to_small),
    ("new tokens", lambda row: f"{row.new_tokens:.0f}"),
    ("decode forwards", lambda row: f"{row.forwards:.0f}"),
    ("prefill tokens/s", lambda row: words.number(row.prefill_tokens_per_s, 1)),
    ("decode tokens/s", lambda row: words.number(row.decode_tokens_per_s, 1)),
    ("seconds", lambda row: f"{row.seconds:.3g}"),
    ("tokens saved", lambda row: words.percent(row.tokens_saved_percent, signed=True)),
    ("bytes saved", lambda row: words.percent(row.bytes_saved_percent, signed=True)),
    ("passes", lambda row: row.passes),
    ("slots", lambda row: row.slots),
    ("void slots", lambda row: row.void_slots),
)
