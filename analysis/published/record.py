"""The published figures, as they stand in `record.toml` and `routing_50.csv` beside this file."""

from __future__ import annotations

import csv
import tomllib
from functools import cache
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
J_PER_KWH = 3.6e6


@cache
def record() -> dict[str, Any]:
    """The whole record."""
    return tomllib.loads((HERE / "record.toml").read_text(encoding="utf-8"))


def routing_rows() -> list[dict[str, float]]:
    """One row per prompt of the short questions: columns of `routing_50.csv` as numbers."""
    with (HERE / "routing_50.csv").open(encoding="utf-8", newline="") as file:
        return [{name: float(value) for name, value in row.items()} for row in csv.DictReader(file)]
