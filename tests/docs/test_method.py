"""What docs/method.md promises is held by tests: its last table names them, rule by rule."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE, TABLE = (ROOT / "docs" / "method.md").read_text(encoding="utf-8").split("## Rules and their tests\n")
NO_RULES = ("What a number does not say",)
"""Sections that bound what a number means; they promise nothing that a test could hold."""
ROW = re.compile(r"^\| (?P<rule>.+) \| (?P<tests>`tests/.+`) \|$")
ROWS = [(m["rule"], re.findall(r"`([^`]+)`", m["tests"])) for m in map(ROW.match, TABLE.splitlines()) if m]


def words(text: str) -> str:
    """The text without marks of emphasis and line ends."""
    return " ".join(re.sub(r"\*\*|`", "", text).split())


@cache
def functions_of(file: Path) -> frozenset[str]:
    """Names of the functions of a file; empty for one that is not there."""
    if not file.is_file():
        return frozenset()
    tree = ast.parse(file.read_text(encoding="utf-8"))
    return frozenset(node.name for node in tree.body if isinstance(node, ast.FunctionDef))


def passages() -> list[str]:
    """Paragraphs, items of lists and rows of tables of the sections that promise rules."""
    found = []
    for section in PAGE.split("\n## ")[1:]:
        title, _, body = section.partition("\n")
        if title not in NO_RULES:
            blocks = re.split(r"\n\n|\n(?=- )|\n(?=\| )", body.strip())
            found += [words(b) for b in blocks if b and not re.match(r"\|[ -]*(verdict|grade|---)", b)]
    return found


def test_every_line_of_the_table_is_read() -> None:
    lines = [line for line in TABLE.splitlines() if line.startswith("|")]
    assert len(ROWS) == len(lines) - 2  # without its head


@pytest.mark.parametrize(("rule", "tests"), ROWS, ids=[rule for rule, _ in ROWS])
def test_a_rule_stands_on_the_page_and_its_tests_exist(rule: str, tests: list[str]) -> None:
    assert words(rule) in words(PAGE), "the page says it in other words: quote it as it stands"
    for test in tests:
        file, _, name = test.partition("::")
        assert name in functions_of(ROOT / file), f"there is no test {test}"


@pytest.mark.parametrize("passage", passages(), ids=lambda passage: passage[:40])
def test_every_passage_of_the_page_has_a_rule_in_the_table(passage: str) -> None:
    assert any(words(rule) in passage for rule, _ in ROWS), (
        "name the test that holds what it promises in the last table of docs/method.md: | its words | test |"
    )
