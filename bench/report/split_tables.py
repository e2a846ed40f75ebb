"""Where each arm's saving comes from, as a table on the terminal and as rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from analysis.values import Estimate, Withheld
from bench.report.rows import arm_label
from bench.report.split import ArmSplit
from bench.run.records import ArmKey
from bench.show.safe_text import visible
from bench.show.words import kind_label

PARTS = {
    "saved_j": "J saved",
    "fewer_new_tokens_j": "fewer new tokens",
    "cheaper_new_tokens_j": "cheaper new tokens",
    "cheaper_prompt_tokens_j": "cheaper prompts",
    "fixed_cost_j": "fixed per request",
}
"""Fields of `analysis.costs.Split`, as they are headed; the prompts of both arms are the same."""


def show(splits: Mapping[ArmKey, ArmSplit | Withheld], console: Console) -> None:
    """Print the splits; one that is withheld is a line that says why."""
    found = [split for split in splits.values() if isinstance(split, ArmSplit)]
    if found:
        console.print(_table(found))
    for arm, split in splits.items():
        if isinstance(split, Withheld):
            line = f"split of the saving of {arm_label(arm)} withheld: {split.reason}"
            console.print(visible(line), markup=False, highlight=False)


def to_rows(splits: Mapping[ArmKey, ArmSplit | Withheld]) -> list[dict[str, Any]]:
    """One row per arm: joules of each part with the ends of its interval, or why it is withheld."""
    rows: list[dict[str, Any]] = []
    for arm, split in splits.items():
        row: dict[str, Any] = {"arm": arm_label(arm), "withheld": None}
        if isinstance(split, Withheld):
            rows.append({**row, "withheld": split.reason})
            continue
        row |= {"energy_kind": split.kind, "windows": split.windows, "r2": split.r2}
        for name, part in asdict(split.split).items():
            row |= {name: part["point"], f"{name}_low": part["low"], f"{name}_high": part["high"]}
        rows.append(row)
    return rows


def _table(found: list[ArmSplit]) -> Table:
    table = Table(
        title=f"Where the saving per pass comes from, J {kind_label(split.kind for split in found)}",
        title_justify="left",
        box=box.SIMPLE_HEAD,
        pad_edge=False,
    )
    table.add_column("arm", no_wrap=True)
    for heading in PARTS.values():
        table.add_column(heading, justify="right")
    table.add_column("fit", justify="right")
    for one in found:
        parts = [_cell(getattr(one.split, name)) for name in PARTS]
        table.add_row(escape(visible(arm_label(one.arm))), *parts, f"R² {one.r2:.2f}\n{one.windows} rows")
    return table


def _cell(part: Estimate) -> str:
    return f"{part.point:+.1f}\n({part.low:+.1f} to {part.high:+.1f})"
