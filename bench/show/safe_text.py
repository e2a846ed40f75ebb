"""Text that somebody else wrote (prompts, models, suites), made harmless for where it is shown.

A prompt may hold colours and cursor movements for a terminal, formulas for a spreadsheet, or markup. HTML
is escaped by jinja2; this file has what the terminal, CSV and Markdown need.
"""

from __future__ import annotations

import math
import re
import textwrap
import unicodedata
from typing import Any

_FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""A cell that begins so is run by spreadsheets."""
_NUMBER = r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?"
_FIGURE = re.compile(rf"{_NUMBER}( ?%)?( [\[(]{_NUMBER}(, | to ){_NUMBER}[\])])?")
"""`-3.1 % [-4.0, -2.2]` begins like a formula and is none."""
_MARKDOWN = re.compile(r"([\\`*_{}\[\]<>|#~!&])")
_ROOM = {"\n", "\t"}
"""Harmless, and wanted where text has lines."""


def visible(text: object, *, lines: bool = False) -> str:
    """Text with every character that does something instead of being seen replaced by a picture of it.

    Args:
        text: anything; its `str` is taken.
        lines: leave newlines and tabs as they are.
    """
    keep = _ROOM if lines else set()
    plain = str(text)
    if plain.isascii() and plain.isprintable():
        return plain
    return "".join(char if char in keep else _picture(char) for char in plain)


def one_line(text: object) -> str:
    """The same with all white space narrowed to single spaces."""
    return visible(" ".join(str(text).split()))


def in_lines(said: str, *, fix: str | None, width: int) -> str:
    """A sentence for a terminal, broken between words; what to type next has a line of its own, whole."""
    last = "" if fix is None else one_line(fix)
    what = said.removesuffix(f"; {last}") if last else said
    lines = textwrap.wrap(what, width, break_long_words=False, break_on_hyphens=False)
    return "\n".join([*lines, *([f"-> {last}"] if last else [])])


def first_line(text: object) -> str:
    """Where a library says a page, what it says first; the name of its class where it says nothing."""
    lines = str(text).strip().splitlines()
    return one_line(lines[0]) if lines else type(text).__name__


def storable(value: Any) -> Any:
    """Text that UTF-8 can hold: half of a surrogate pair is spelt out. Other values stay."""
    return value.encode("utf-8", errors="backslashreplace").decode() if isinstance(value, str) else value


def csv_cell(value: Any) -> Any:
    """A cell that no spreadsheet takes for a formula; numbers stay what they are, NaN is nothing.

    Several texts are one, parted by semicolons.
    """
    value = "; ".join(map(str, value)) if isinstance(value, tuple) else value
    value = value.item() if hasattr(value, "item") else value  # NumPy's scalars tell their type to csv
    if not isinstance(value, str):
        return None if isinstance(value, float) and math.isnan(value) else value
    seen = visible(value, lines=True)
    is_formula = value.startswith(_FORMULA) and not _FIGURE.fullmatch(value)
    return f"'{seen}" if is_formula else seen


def markdown_cell(text: object) -> str:
    """A cell of a Markdown table in which nothing is markup; it stays on its line."""
    return _MARKDOWN.sub(r"\\\1", visible(" ".join(str(text).splitlines())))


def _picture(char: str) -> str:
    code = ord(char)
    if code < 0x20:
        return chr(0x2400 + code)
    if code == 0x7F:
        return "\u2421"
    category = unicodedata.category(char)
    if category in ("Cc", "Cs") or _turns_text(code):
        return f"\\u{code:04x}"
    return " " if category in ("Zl", "Zp") else char


def _turns_text(code: int) -> bool:
    """Marks that turn the direction of what follows, beyond the text that they stand in."""
    return 0x202A <= code <= 0x202E or 0x2066 <= code <= 0x2069
