"""Text that does harm where it is not escaped."""

from __future__ import annotations

SCRIPT = "<script>window.harmed = true; alert('harm')</script>"
IMAGE = '<img src=x onerror="window.harmed = true">'
CLOSING = '</script></style></title>--><svg onload="window.harmed = true">'
ANSI = "\x1b[31mred\x1b[2J\x1b]0;title\x07"
NUL = "a\x00b\x7f\x9b"
RTL = "\u202eevil.exe \u05e9\u05dc\u05d5\u05dd 12 %"
EMOJI = "🧮👩🏽‍🔬"
FORMULA = "=cmd|' /C calc'!A0"
MARKDOWN = "a|b `code` [link](javascript:alert(1)) &lt;"
JINJA = "{{ 7 * 7 }}{% raw %}"

PIECES = (SCRIPT, IMAGE, CLOSING, ANSI, NUL, RTL, EMOJI, FORMULA, MARKDOWN, JINJA)
PROMPTS = [
    *({"id": piece[:100], "text": f"{piece} {'x' * 20}"} for piece in PIECES),
    {"id": "long", "text": f"{SCRIPT}{ANSI} " * 20},
]
"""The echo backend says them back."""
GATE = "<b>gate</b>\x1b[31m=\u05e9"
