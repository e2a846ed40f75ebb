"""Prompts in the forms that people keep them in, and what is said of other files."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.errors import UserError
from bench.suite.prompt_forms import Chat, Prompt, read, write

OPENAI = {
    "messages": [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "Why?"},
        {"role": "assistant", "content": "Because."},
    ]
}
SHAREGPT = {"id": 7, "conversations": [{"from": "human", "value": "Why?"}, {"from": "gpt", "value": "So."}]}


@pytest.mark.parametrize(
    ("name", "content", "texts"),
    [
        ("a.txt", "one\n\n  two \r\n", ["one", "two"]),
        ("a.md", "# one\n\ntwo\n", ["# one\n\ntwo"]),
        ("a.jsonl", '{"prompt": "x", "source": "y"}\n{"text": "z"}\n', ["x", "z"]),
        ("a.jsonl", json.dumps(OPENAI), ["Be brief.\n\nWhy?"]),
        ("a.json", json.dumps([SHAREGPT, "bare"]), ["Why?", "bare"]),
        ("a.json", json.dumps({"prompts": [{"text": "x"}]}), ["x"]),
        ("a.json", json.dumps({"prompt": "alone"}), ["alone"]),
    ],
)
def test_every_form_is_read(name: str, content: str, texts: list[str]) -> None:
    assert [prompt.text for prompt in read(content, file=Path(name))] == texts


def test_a_conversation_keeps_its_turns_and_who_speaks() -> None:
    (openai,) = read(json.dumps(OPENAI), file=Path("a.jsonl"))
    (sharegpt,) = read(json.dumps(SHAREGPT | {"reference": "So."}), file=Path("a.jsonl"))
    assert [(t.role, t.content) for t in openai.messages or ()] == [("system", "Be brief."), ("user", "Why?")]
    assert [t.role for t in sharegpt.messages or ()] == ["user"]
    assert sharegpt.reference == "So."
    assert read(write([openai, sharegpt]), file=Path("a.jsonl")) == (openai, sharegpt)


def test_each_question_of_several_turns_is_a_prompt_that_knows_those_before_it() -> None:
    turns = [{"turns": ["x", "y"]}, {"id": "own", "turns": ["z"]}]
    found = read(json.dumps(turns), file=Path("a.json"))
    assert [(prompt.id, prompt.text) for prompt in found] == [("p1.1", "x"), ("p1.2", "y"), ("own.1", "z")]
    assert [prompt.earlier for prompt in found] == [(), ("x",), ()]


def test_a_chat_has_a_system_turn_in_front_unless_it_has_its_own() -> None:
    (own,) = read(json.dumps(OPENAI), file=Path("a.jsonl"))
    plain = Prompt(id="p", text="Why?")
    chat = Chat(system="Be long.")
    assert [t.content for t in chat.turns_of(own)] == ["Be brief.", "Why?"]
    assert [t.content for t in chat.turns_of(plain)] == ["Be long.", "Why?"]
    assert [t.role for t in Chat().turns_of(plain)] == ["user"]


def test_ids_are_kept_or_made() -> None:
    found = read(json.dumps([SHAREGPT, {"text": "x"}, {"id": "own", "text": "y"}]), file=Path("a.json"))
    assert [prompt.id for prompt in found] == ["7", "p2", "own"]


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.jsonl", '{"question": "x"}', '{"question": "x"}'),
        ("a.jsonl", "[1]", "no prompt but [1]"),
        ("a.json", "3", "no list of prompts but 3"),
        ("a.json", "[" * 100_000, "nested too deeply"),
        ("a.jsonl", '{"messages": "hello"}', '"messages" is a list of turns'),
        ("a.jsonl", '{"messages": [{"role": "system", "content": "x"}]}', "no question in"),
        ("a.jsonl", '{"conversations": [{"from": "human", "value": 3}]}', "no question in"),
        ("a.jsonl", '{"messages": [{"role": "user", "content": ""}]}', "empty"),
        ("a.jsonl", '{"turns": []}', "no questions in []"),
        ("a.jsonl", '{"turns": ["x", 3]}', '"turns" is a list of questions'),
        ("a.txt", "\n\n", "no prompts"),
        ("a.md", "\n", "no prompt"),
    ],
)
def test_another_file_is_refused_with_its_first_record_and_the_forms(
    name: str, content: str, said: str
) -> None:
    with pytest.raises(UserError) as error:
        read(content, file=Path(name))
    assert said in str(error.value)
    assert error.value.fix is not None
    assert len(str(error.value)) < 400


@given(st.lists(st.builds(Prompt, id=st.uuids().map(str), text=st.text(min_size=1)), min_size=1))
def test_what_is_written_is_read_again(prompts: list[Prompt]) -> None:
    assert read(write(prompts), file=Path("prompts.jsonl")) == tuple(prompts)
