"""The field's words in everything that is shown: help, docs, sentences, headings of tables and files."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
ROOMS = ("bench", "analysis", "energy", "backends")
BANNED = re.compile(
    r"\barms?\b|\bslots?\b|\bwithheld\b|\bagreement\b|\bfloor\b(?!\()|\bnew tokens?\b"
    r"|\bpasses\b|\b(?:a|an|the|one|per|each|every|whole|first|this|equal) pass\b",
    re.IGNORECASE,
)
INSTEAD = "configuration, window, not estimated, token match, noise (A/A), generated tokens, repeat"
"""Of the banned words, in their order."""
RECORDS = {"failed slot"}
"""Keys of a run's records."""
_CODE = re.compile(r"```.*?```|^ {4,}.*?$|`[^`]*`|<!--.*?-->", re.DOTALL | re.MULTILINE)
_TAG = re.compile(r"{[{%#].*?[}%#]}|<[^>]*>")


def sentences_of(file: Path) -> Iterator[tuple[int, str]]:
    """Texts of a module that have a space in them, are formatted, counted, or head a column; no docstring."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    nodes = list(ast.walk(tree))
    docstrings = {id(node.value) for node in nodes if isinstance(node, ast.Expr)}
    formatted = {id(part) for node in nodes if isinstance(node, ast.JoinedStr) for part in node.values}
    shown = {
        id(argument)
        for node in nodes
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") in ("Column", "counted")
        for argument in node.args
    }
    for node in nodes:
        if not isinstance(node, ast.Constant) or not isinstance(node.value, str) or node.value in RECORDS:
            continue
        if id(node) in formatted | shown or (" " in node.value.strip() and id(node) not in docstrings):
            yield node.lineno, node.value


@pytest.mark.parametrize("room", ROOMS)
def test_no_sentence_and_no_heading_has_another_word(room: str) -> None:
    found = [
        f"{file.relative_to(ROOT)}:{line}: {text}"
        for file in sorted((ROOT / room).rglob("*.py"))
        for line, text in sentences_of(file)
        if BANNED.search(text)
    ]
    assert not found, f"say {INSTEAD}:\n" + "\n".join(found)


def test_no_comment_of_a_suite_has_another_word() -> None:
    """Those of the papers have the papers' words."""
    found = [
        f"{file.relative_to(ROOT)}:{number}: {line}"
        for file in sorted((ROOT / "configs").rglob("*.toml"))
        if file.parent.name != "published"
        for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), 1)
        if BANNED.search(line.partition("#")[2])
    ]
    assert not found, f"say {INSTEAD}:\n" + "\n".join(found)


def test_the_page_of_a_run_has_no_other_word() -> None:
    found = [
        f"{file.name}:{line}: {text.strip()}"
        for file in sorted((ROOT / "bench" / "report").rglob("*.j2"))
        for line, text in enumerate(_TAG.sub("", file.read_text(encoding="utf-8")).splitlines(), 1)
        if BANNED.search(text)
    ]
    assert not found, f"say {INSTEAD}:\n" + "\n".join(found)


@pytest.mark.parametrize(
    "page", sorted([*(ROOT / "docs").glob("*.md"), ROOT / "README.md"]), ids=lambda p: p.name
)
def test_no_page_has_another_word(page: Path) -> None:
    prose = _CODE.sub(lambda code: "\n" * code[0].count("\n"), page.read_text(encoding="utf-8"))
    found = [f"{i}: {line}" for i, line in enumerate(prose.splitlines(), 1) if BANNED.search(line)]
    assert not found, f"say {INSTEAD}:\n" + "\n".join(found)
