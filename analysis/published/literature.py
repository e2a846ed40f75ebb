"""Claims of the wider literature: figures as printed, and what stands between them and a test."""

from __future__ import annotations

import tomllib
from typing import Any

from analysis.claims import Claim, ClaimFigure
from analysis.published.record import HERE


def literature_claims() -> list[Claim]:
    """One row for each table of `literature.toml`; none can be recomputed, a sweep judges some."""
    tables = tomllib.loads((HERE / "literature.toml").read_text(encoding="utf-8"))
    return [_claim(name, table) for name, table in tables.items()]


def _claim(name: str, table: dict[str, Any]) -> Claim:
    return Claim(
        name=name,
        published=tuple(
            ClaimFigure(label=label, value=value, unit=unit) for label, value, unit in table["figures"]
        ),
        recomputed=(),
        verdict="not testable here",
        why=table["why"],
        would_test=table["would_test"],
    )
