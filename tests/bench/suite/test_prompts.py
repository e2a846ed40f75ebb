"""Prompt sets are read whole or refused in one line."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from bench.errors import UserError
from bench.suite.prompts import load_prompts


def test_prompts_come_in_the_order_of_the_file_with_its_hash(tmp_path: Path) -> None:
    text = '{"id": "b", "text": "one\\u2028line"}\n\n{"id": "a", "text": "two", "reference": ["x", "y"]}\n'
    (tmp_path / "set.jsonl").write_text(text, encoding="utf-8")
    found = load_prompts("set.jsonl", beside=tmp_path)
    assert [p.id for p in found.prompts] == ["b", "a"]
    assert found.prompts[1].reference == ("x", "y")
    assert found.sha256 == hashlib.sha256(text.encode()).hexdigest()


def test_a_limit_takes_from_the_front_and_the_hash_stays_of_the_file() -> None:
    whole = load_prompts("short_questions", beside=Path())
    some = load_prompts("short_questions", beside=Path(), limit=3)
    assert some.prompts == whole.prompts[:3]
    assert some.sha256 == whole.sha256


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "no prompts"),
        (b"\n\n", "no prompts"),
        (b'{"id": "a", "text": "caf\xe9"}', "not UTF-8"),
        (b'{"id": "a", "text": "x"}\n{"id": "a", "text": "y"}', "line 2: the id 'a' is used twice"),
        (b'{"id": "a", "text": ""}', "text"),
        (b'{"id": "a"}', "'text' is missing"),
        (b'{"id": "a", "txt": "x", "text": "x"}', "did you mean 'text'"),
        (b'["a"]', "line 1"),
        (b"{", "not JSON"),
    ],
)
def test_a_set_that_is_not_one_is_refused(tmp_path: Path, content: bytes, said: str) -> None:
    (tmp_path / "bad.jsonl").write_bytes(content)
    with pytest.raises(UserError) as error:
        load_prompts("bad.jsonl", beside=tmp_path)
    assert said in str(error.value)
    assert "\n" not in str(error.value)


def test_a_missing_file_is_named_beside_the_nearest_set(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"nowhere\.jsonl"):
        load_prompts("nowhere.jsonl", beside=tmp_path)
    with pytest.raises(UserError, match="did you mean 'short_questions'"):
        load_prompts("short_question", beside=tmp_path)
    with pytest.raises(UserError, match="too long"):
        load_prompts("x" * 300 + "/prompts.jsonl", beside=tmp_path)
