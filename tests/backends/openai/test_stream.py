"""What a stream says is held against what the server counted."""

from __future__ import annotations

import json

import pytest

from backends.base import RequestError
from backends.openai.stream import read_stream


def stream(pieces: list[str], *, counted: int | None, finish: str = "length", done: bool = True) -> bytes:
    said: list[object] = [{"choices": [{"text": piece}]} for piece in pieces]
    said.append({"choices": [{"text": "", "finish_reason": finish}]})
    if counted is not None:
        said.append({"choices": [], "usage": {"prompt_tokens": 3, "completion_tokens": counted}})
    lines = [f"data: {json.dumps(one)}\n\n" for one in said] + ["data: [DONE]\n\n"] * done
    return b": a comment\n\n" + "".join(lines).encode()


def test_a_right_stream_is_read() -> None:
    told = read_stream(stream([" one", " two"], counted=2), asked=2)
    assert (told.pieces, told.prompt_tokens, told.new_tokens, told.finish) == (
        [" one", " two"],
        3,
        2,
        "length",
    )


def test_chats_and_thoughts_are_text() -> None:
    said = [
        {"choices": [{"delta": {"role": "assistant", "content": None}}]},
        {"choices": [{"delta": {"reasoning_content": "hm"}}]},
        {"choices": [{"delta": {"content": "yes"}, "finish_reason": "stop"}]},
        {"choices": [], "usage": {"prompt_tokens": 1, "completion_tokens": 2}},
    ]
    raw = "".join(f"data: {json.dumps(one)}\n\n" for one in said) + "data: [DONE]\n\n"
    assert read_stream(raw.encode(), asked=5).pieces == ["hm", "yes"]


def test_tokens_that_make_one_character_together_are_counted() -> None:
    assert read_stream(stream(["a", "\N{GRINNING FACE}"], counted=5), asked=5).new_tokens == 5


@pytest.mark.parametrize(
    ("counted", "finish"), [(0, "stop"), (1, "stop"), (7, "stop"), (13, "stop"), (17, "stop"), (8, "length")]
)
def test_other_counts_are_refused(counted: int, finish: str) -> None:
    with pytest.raises(RequestError, match=f"counted {counted} generated tokens"):
        read_stream(stream(["a"] * 8, counted=counted, finish=finish), asked=16)


def test_a_stream_without_counts_is_refused() -> None:
    with pytest.raises(RequestError, match="usage is missing"):
        read_stream(stream(["a"], counted=None), asked=1)


def test_a_stream_that_breaks_off_is_refused() -> None:
    with pytest.raises(RequestError, match="broke off after 1 pieces"):
        read_stream(stream(["a"], counted=1, done=False), asked=1)


@pytest.mark.parametrize(
    "data", [b"data: <html>\n\n", b"data: []\n\n", b"<html>\n", b'data: {"usage": 3}\n\n']
)
def test_garbage_is_named(data: bytes) -> None:
    with pytest.raises(RequestError, match="which is no event"):
        read_stream(data, asked=1)


def test_a_failure_of_the_server_is_told() -> None:
    with pytest.raises(RequestError, match="failed in its stream: out of memory"):
        read_stream(b'data: {"error": "out of memory"}\n\n', asked=1)
