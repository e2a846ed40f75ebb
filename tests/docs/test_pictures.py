"""The README opens with an answer, and it is what the command prints today."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks import pictures


def test_the_answer_in_the_readme_is_what_is_printed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    pictures.make_run(tmp_path)
    text = pictures.README.read_text(encoding="utf-8")
    assert pictures.between_marks(text) == pictures.answer(), "make it again: make pictures"
    assert text.index(pictures.BEGIN) < text.index("## ")
