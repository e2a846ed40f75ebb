"""The reference pages are what the code says, and every command is in them."""

from __future__ import annotations

import tomllib
from importlib.metadata import entry_points
from pathlib import Path

import pytest

from bench.cli.app import app
from bench.cli.reference import PAGES, command_page, suite_page
from bench.suite.config import Suite

DOCS = Path(__file__).parents[3] / "docs"


def test_the_plugins_installed_are_those_of_this_tree() -> None:
    """Entry points are read when the project is installed, and not again when its list changes."""
    declared = tomllib.loads((DOCS.parent / "pyproject.toml").read_text())["project"]["entry-points"]
    ours = {
        group: {p.name for p in entry_points(group=group) if p.dist.name == "joulebench"}
        for group in declared
    }
    assert ours == {group: set(points) for group, points in declared.items()}, (
        "type: pip install --editable ."
    )


@pytest.mark.parametrize("name", PAGES)
def test_the_page_is_what_the_code_says(name: str) -> None:
    written = (DOCS / name).read_text(encoding="utf-8")
    assert written == PAGES[name](), "make it again: make docs"


def test_every_command_has_help_with_an_example() -> None:
    sections = command_page().split("\n## ")[1:]
    assert len(sections) >= 20
    for section in sections:
        assert "Example" in section, section.splitlines()[0]


def test_every_option_says_what_it_does() -> None:
    empty = [line for line in command_page().splitlines() if line.startswith("| `") and line.endswith("|  |")]
    assert empty == []


def test_every_key_of_a_suite_is_explained() -> None:
    page = suite_page()
    for key in Suite.model_fields:
        assert key in page
    assert "|  |" not in page


SCREEN = 30
"""Lines of a terminal that has been made a little taller than the 24 it opens with."""


def test_help_of_every_command_fits_one_screen_and_says_its_defaults(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    shown = {}
    for section in command_page().split("\n## ")[1:]:
        command = section.splitlines()[0].strip("`").split()[1:]
        with pytest.raises(SystemExit):
            app([*command, "--help"], prog_name="bench")
        shown[" ".join(command)] = capsys.readouterr().out
    too_long = {
        name: len(text.splitlines()) for name, text in shown.items() if len(text.splitlines()) > SCREEN
    }
    assert too_long == {}
    assert "[default: 3]" in shown["run"]
    assert "[default: results]" in shown["run"]
    assert shown["run"].startswith("bench run [MODEL…|SUITE] [OPTIONS]")
