"""The configurations of runs as OpenMetrics text, for Prometheus and what reads its format.

The format (https://prometheus.io/docs/specs/om/open_metrics_spec/): of each family its TYPE, UNIT and HELP,
then its samples, none of another family between them, and `# EOF`. A unit ends the name of its family.
What was not measured has no sample.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.report.export.tables import tables_of
from bench.report.story import Story
from bench.show.safe_text import visible

LABELS = ("run", "suite", "backend", "gate", "configuration", "kind", "boundary")
"""Of every sample; only `kind="measured"` is a measurement."""


@dataclass(frozen=True, kw_only=True)
class Family:
    """A gauge, and the column of the table of configurations that it shows."""

    name: str
    column: str
    help: str
    unit: str = ""
    factor: float = 1.0

    @property
    def full_name(self) -> str:
        """With the unit at its end."""
        return "_".join(part for part in ("joulebench", self.name, self.unit) if part)


FAMILIES = (
    Family(name="energy_per_token", column="joules_per_token", unit="joules", help="Per generated token."),
    Family(
        name="energy_per_token_low", column="joules_per_token_low", unit="joules", help="Lower end, 95 %."
    ),
    Family(
        name="energy_per_token_high", column="joules_per_token_high", unit="joules", help="Upper end, 95 %."
    ),
    Family(name="energy_per_repeat", column="gross_per_repeat_j", unit="joules", help="All prompts once."),
    Family(
        name="energy_per_repeat_bound",
        column="bound_per_repeat_j",
        unit="joules",
        help="How far it may be off.",
    ),
    Family(
        name="energy_per_repeat_net",
        column="net_per_repeat_j",
        unit="joules",
        help="Less that of idle.",
    ),
    Family(name="time_per_repeat", column="seconds_per_repeat_s", unit="seconds", help="All prompts once."),
    Family(name="decode", column="decode_tokens_per_s", unit="tokens_per_second", help="Generated tokens."),
    Family(name="prefill", column="prefill_tokens_per_s", unit="tokens_per_second", help="Prompt tokens."),
    Family(
        name="saved",
        column="joules_saved_percent",
        unit="ratio",
        factor=0.01,
        help="Share of the baseline's joules that is saved.",
    ),
    Family(name="saved_low", column="saved_low_percent", unit="ratio", factor=0.01, help="Lower end, 95 %."),
    Family(
        name="saved_high", column="saved_high_percent", unit="ratio", factor=0.01, help="Upper end, 95 %."
    ),
    Family(
        name="token_match", column="token_match_percent", unit="ratio", factor=0.01, help="Of the baseline's."
    ),
    Family(name="blocks", column="blocks", help="Whole blocks that the figures rest on."),
    Family(name="grade", column="grade", help="0, not a measurement of the run, to 4, external meter."),
)


def of_runs(runs: Sequence[Path]) -> str:
    """The text for these runs.

    Raises:
        UserError: no such run.
        EnergyError: a raw stream can't be read.
    """
    return text_of(tables_of([Story.of(run) for run in runs])["configurations"])


def text_of(rows: Sequence[Mapping[str, Any]]) -> str:
    """The text for rows of the table of configurations."""
    lines = []
    for family in FAMILIES:
        known = [row for row in rows if row[family.column] is not None]
        if not known:
            continue
        lines.append(f"# TYPE {family.full_name} gauge")
        if family.unit:
            lines.append(f"# UNIT {family.full_name} {family.unit}")
        lines.append(f"# HELP {family.full_name} {_escaped(family.help)}")
        for row in known:
            lines.append(f"{family.full_name}{_labels(row)} {float(row[family.column]) * family.factor!r}")
    return "\n".join([*lines, "# EOF", ""])


def _labels(row: Mapping[str, Any]) -> str:
    names = {name: row[name] for name in LABELS if row[name] is not None}
    return "{" + ",".join(f'{name}="{_escaped(value)}"' for name, value in names.items()) + "}"


def _escaped(value: object) -> str:
    """A value between quotes, or help: what would end it is escaped, what would act on a terminal is seen."""
    text = visible(value, lines=True)
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
