"""The status of a running run as lines of text that fit the terminal."""

from __future__ import annotations

from collections.abc import Mapping

from bench.show.words import WIDE

ROWS = (
    *("now", "window", "running", "prompt", "speed", "left", "next"),
    *("power", "rails", "energy", "thermal"),
)
"""Rows in reading order; the foremost stay when the terminal is low."""

_MACHINE = ("power", "rails", "energy", "thermal")
"""What stands on the right where there is room for two columns."""

_LABEL = 9


def status_lines(rows: Mapping[str, str], *, width: int) -> list[str]:
    """Lines of at most `width` characters: two columns on a desktop, one below 110 characters.

    Args:
        rows: text by name, names of `ROWS`; a row that is absent or empty is left out.
        width: of the terminal, in characters.
    """
    if width < WIDE:
        return [_row(name, rows[name], width) for name in ROWS if rows.get(name)]
    half = width // 2
    left = [_row(name, rows[name], half - 1) for name in ROWS if name not in _MACHINE and rows.get(name)]
    right = [_row(name, rows[name], half - 1) for name in _MACHINE if rows.get(name)]
    missing = len(left) - len(right)
    left, right = left + [""] * -missing, right + [""] * missing
    return [f"{one:<{half}}{other}".rstrip() for one, other in zip(left, right, strict=True)]


def progress_bar(done: int, total: int, *, cells: int = 10) -> str:
    """`━━━───────`."""
    full = cells * done // total if total else 0
    return "━" * full + "─" * (cells - full)


def rails_text(rails_j: Mapping[str, float | None], seconds_s: float) -> str:
    """`cpu 3.10, gpu 5.20 W`; nothing for a single rail, which is the total. A dash is not measured."""
    if len(rails_j) < 2:
        return ""
    mean = {rail: "-" if j is None else f"{j / seconds_s:.2f}" for rail, j in rails_j.items()}
    return ", ".join(f"{rail} {power}" for rail, power in mean.items()) + " W"


def _row(name: str, text: str, width: int) -> str:
    line = f"{name:<{_LABEL}}{text}"
    return line if len(line) <= width else line[: width - 1] + "…"
