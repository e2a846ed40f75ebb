"""The bundled prompt sets are well formed, varied and checkable."""

from __future__ import annotations

import json
import re
import unicodedata
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

PROMPTS = Path(__file__).resolve().parents[2] / "configs" / "prompts"
SETS = ("short_questions", "mixed")
ALLOWED_KEYS = {"id", "text", "reference", "kind"}
REQUIRED_KEYS = {"id", "text"}
ID = {"short_questions": re.compile(r"short-\d{3}"), "mixed": re.compile(r"mixed-[a-z]+-\d{3}")}
# In these kinds the answer may stand in the prompt: as a passage to read, or as a choice.
ANSWER_IN_PROMPT = {"reading", "reasoning", "multilingual"}
# Marks, isolates and overrides that make text read in another order than it is stored.
BIDI_CONTROLS = re.compile("[\u200e\u200f\u202a-\u202e\u2066-\u2069]")
SCRIPTS = ("ARABIC", "HEBREW", "CJK", "HIRAGANA", "HANGUL", "DEVANAGARI", "CYRILLIC", "GREEK", "THAI")

Row = dict[str, Any]


def raw(name: str) -> bytes:
    return (PROMPTS / f"{name}.jsonl").read_bytes()


def rows(name: str) -> list[Row]:
    lines = raw(name).decode("utf-8").removesuffix("\n").split("\n")
    return [json.loads(line) for line in lines]


def words(row: Row) -> int:
    return len(row["text"].split())


def references(row: Row) -> list[str]:
    value = row.get("reference", [])
    return [value] if isinstance(value, str) else list(value)


def has_script(row: Row, script: str) -> bool:
    return any(unicodedata.name(char, "").startswith(script) for char in row["text"])


def between(name: str, low: int, high: int) -> int:
    return sum(low <= words(row) <= high for row in rows(name))


@pytest.mark.parametrize(
    ("name", "count", "with_reference"), [("short_questions", 50, 35), ("mixed", 100, 30)]
)
def test_counts(name: str, count: int, with_reference: int) -> None:
    assert len(rows(name)) == count
    assert sum("reference" in row for row in rows(name)) >= with_reference


@pytest.mark.parametrize("name", SETS)
def test_file_is_plain_utf8_lines(name: str) -> None:
    text = raw(name).decode("utf-8", errors="strict")
    assert not text.startswith("\ufeff")
    assert "\r" not in text
    assert text.endswith("}\n")
    assert "\n\n" not in text
    assert not re.search(r"\\u[0-9a-fA-F]{4}", text)


def test_every_conversation_has_a_second_turn_and_says_of_what_kind_it_is() -> None:
    assert len(rows("turns")) == len({row["id"] for row in rows("turns")}) == 6
    for row in rows("turns"):
        assert set(row) == {"id", "kind", "turns"}
        assert re.fullmatch(r"turns-[a-z]+-\d{3}", row["id"])
        assert len(row["turns"]) >= 2
        assert all(turn.strip() == turn != "" for turn in row["turns"])


@pytest.mark.parametrize("name", SETS)
def test_only_allowed_keys(name: str) -> None:
    for row in rows(name):
        assert set(row) <= ALLOWED_KEYS
        assert set(row) >= REQUIRED_KEYS
        assert isinstance(row["text"], str)
        assert re.fullmatch(r"[a-z]+", row.get("kind", "none"))


@pytest.mark.parametrize("name", SETS)
def test_ids_follow_the_pattern(name: str) -> None:
    for row in rows(name):
        assert ID[name].fullmatch(row["id"]), row["id"]


def test_mixed_ids_name_their_kind() -> None:
    for row in rows("mixed"):
        assert row["id"].split("-")[1] == row["kind"]


def test_ids_are_unique_across_sets() -> None:
    ids = Counter(row["id"] for name in SETS for row in rows(name))
    assert [key for key, seen in ids.items() if seen > 1] == []


def test_no_text_occurs_twice() -> None:
    texts = Counter(" ".join(row["text"].casefold().split()) for name in SETS for row in rows(name))
    assert [text for text, seen in texts.items() if seen > 1] == []


@pytest.mark.parametrize("name", SETS)
def test_texts_are_trimmed_and_normalised(name: str) -> None:
    for row in rows(name):
        assert row["text"] == row["text"].strip() != ""
        assert unicodedata.is_normalized("NFC", row["text"]), row["id"]
        assert not BIDI_CONTROLS.search(row["text"]), row["id"]


@pytest.mark.parametrize("name", SETS)
def test_references_are_non_empty_strings(name: str) -> None:
    for row in rows(name):
        if "reference" not in row:
            continue
        accepted = references(row)
        assert accepted, row["id"]
        assert all(isinstance(answer, str) and answer.strip() == answer != "" for answer in accepted)
        assert len({answer.lower() for answer in accepted}) == len(accepted), row["id"]


@pytest.mark.parametrize("name", SETS)
def test_repeating_the_prompt_is_no_answer(name: str) -> None:
    for row in rows(name):
        if name == "mixed" and row["kind"] in ANSWER_IN_PROMPT:
            continue
        leaks = [answer for answer in references(row) if answer.lower() in row["text"].lower()]
        assert leaks == [], row["id"]


def test_short_questions_are_short_and_vary() -> None:
    lengths = [words(row) for row in rows("short_questions")]
    assert min(lengths) == 5
    assert 16 <= max(lengths) <= 20
    assert len(set(lengths)) >= 10


def test_mixed_spans_a_few_words_to_four_hundred() -> None:
    lengths = [words(row) for row in rows("mixed")]
    assert min(lengths) <= 3
    assert 300 <= max(lengths) <= 400
    assert 8 <= between("mixed", 250, 400) <= 13
    assert 13 <= between("mixed", 80, 200) <= 25


def test_mixed_covers_its_kinds() -> None:
    kinds = Counter(row["kind"] for row in rows("mixed"))
    least = {"code": 15, "multilingual": 15, "arithmetic": 5, "translation": 4, "list": 2, "table": 2}
    assert {kind: kinds[kind] for kind, wanted in least.items() if kinds[kind] < wanted} == {}


@pytest.mark.parametrize("script", SCRIPTS)
def test_mixed_covers_scripts(script: str) -> None:
    assert any(has_script(row, script) for row in rows("mixed"))


def test_mixed_holds_markup_and_emoji() -> None:
    texts = [row["text"] for row in rows("mixed")]
    assert sum("</" in text for text in texts) >= 3
    assert sum(any(ord(char) >= 0x1F300 for char in text) for text in texts) >= 8
    assert any("\u200d" in text for text in texts)
