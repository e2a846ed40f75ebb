"""Conversations between whose turns the model itself answers: made once before the run, then prompts."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from bench.errors import UserError
from bench.run import store
from bench.run.records import RequestRecord
from bench.run.workers import encoding
from bench.suite.prompt_forms import Prompt, read
from tests.bench.at_hand import QUICK, quick
from tests.bench.processes import AS_ROOT
from tests.bench.suites import write_suite

TALK = {"question_id": 81, "category": "talk", "turns": ["Say abc.", "Again?", "And again?"]}


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> store.StoredRun:
    folder = tmp_path_factory.mktemp("turns")
    lines = [json.dumps(TALK), json.dumps({"id": "alone", "text": "xyz"})]
    suite = write_suite(folder, **QUICK, gates={"ungated": {}}, protocol__a_a=False, prompt_lines=lines)
    done = quick("run", str(suite), "--quiet", *AS_ROOT, cwd=folder)
    assert done.returncode == 0, done.stderr
    return store.read(next((folder / "results").iterdir()))


def test_every_turn_is_a_prompt_after_the_answers_of_the_model(run: store.StoredRun) -> None:
    first, second, third, alone = run.prompts
    assert [prompt.id for prompt in run.prompts] == ["81.1", "81.2", "81.3", "alone"]
    assert (first.messages, alone.messages) == (None, None)
    assert [turn.role for turn in third.messages or ()] == ["user", "assistant"] * 2 + ["user"]
    assert (third.messages or ())[:2] == (second.messages or ())[:2], "each answer is made once"
    assert second.text == "Say abc.\n\nSay\n\nAgain?"
    assert third.text == "Say abc.\n\nSay\n\nAgain?\n\nSay\n\nAnd again?"
    assert {prompt.kind for prompt in run.prompts} == {"talk", None}


def test_the_text_that_people_wrote_is_the_same_before_and_after(run: store.StoredRun) -> None:
    """A sweep reads it, and knows by its hash whether it has changed."""
    unanswered = read(json.dumps(TALK), file=Path("a.jsonl"))
    assert [prompt.asked for prompt in run.prompts[:3]] == [prompt.asked for prompt in unanswered]


def test_a_pass_asks_every_turn_and_counts_its_tokens(run: store.StoredRun) -> None:
    asked = {request.prompt_id: request for request in run.of(RequestRecord)}
    assert list(asked) == run.header.prompts.ids == ["81.1", "81.2", "81.3", "alone"]
    for prompt in run.prompts:
        assert asked[prompt.id].prompt_tokens == 1 + len(prompt.text), "bytes, after that of the beginning"
        assert len(asked[prompt.id].tokens) == 4


def test_the_hash_is_of_the_conversations_with_their_answers(run: store.StoredRun) -> None:
    kept = (run.folder / store.PROMPTS).read_bytes()
    assert run.header.prompts.sha256 == hashlib.sha256(kept).hexdigest()


def test_turns_that_nobody_answers_are_no_prompt() -> None:
    with pytest.raises(UserError, match="'a' follows turns that nobody has answered"):
        encoding.encode({}, "full", Prompt(id="a", text="b", earlier=("c",)), None)
