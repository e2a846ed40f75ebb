"""What stands in the stream of an answer, read once its window is closed, and whether its counts can be true.

A server says how many tokens it made (`usage`). Its stream is held against that: a piece of text is one token
at least, and each token sends a piece, but for the rest of a character of several bytes and a space that is
held back until what follows it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, Field, ValidationError

from backends.base import RequestError

_SHOWN = 80
"""Characters of what a server said that an error repeats."""
_HELD_BACK = re.compile(r"^\s+[^A-Za-z\s]|^\s\s")
_MORE_BYTES = 3
"""A character has 4 bytes at most; each but the last may be a token that shows nothing."""
DONE = b"[DONE]"


class _Delta(BaseModel):
    content: str | None = None
    reasoning_content: str | None = None
    reasoning: str | None = None

    @property
    def words(self) -> str:
        return (self.content or "") or (self.reasoning_content or self.reasoning or "")


class _Choice(BaseModel):
    text: str | None = None
    delta: _Delta | None = None
    finish_reason: str | None = None


class _Usage(BaseModel):
    prompt_tokens: int = Field(ge=0)
    completion_tokens: int = Field(ge=0)


class _Event(BaseModel):
    choices: list[_Choice] = []
    usage: _Usage | None = None
    error: Any = None


@dataclass(frozen=True, kw_only=True)
class Streamed:
    """One answer."""

    pieces: list[str]
    """Texts, in their order, as they came."""
    prompt_tokens: int
    """As the server counted them; like the following."""
    new_tokens: int
    finish: str
    """`length`, `stop`, or empty where the server did not say."""


def read_stream(raw: bytes, *, asked: int) -> Streamed:
    """Read a whole stream.

    Args:
        raw: the body of the answer.
        asked: new tokens that were asked for at most.

    Raises:
        RequestError: it broke off, is no such stream, or its counts can't be true.
    """
    pieces: list[str] = []
    chunks, usage, finish, whole = 0, None, "", False
    for data in events(raw):
        if data == DONE:
            whole = True
            break
        event = event_of(data)
        usage = event.usage or usage
        for choice in event.choices[:1]:
            chunks += 1
            finish = choice.finish_reason or finish
            if words := words_of(choice):
                pieces.append(words)
    if not whole:
        raise RequestError(
            f"the server's stream broke off after {len(pieces)} pieces of text",
            fix="look at the server's log",
        )
    if usage is None:
        raise RequestError(
            "the server counts no tokens in its stream (usage is missing)",
            fix="use a version of it that knows stream_options.include_usage",
        )
    told = Streamed(
        pieces=pieces, prompt_tokens=usage.prompt_tokens, new_tokens=usage.completion_tokens, finish=finish
    )
    _check(told, chunks=chunks, asked=asked)
    return told


def events(raw: bytes) -> Iterator[bytes]:
    """The data of each event; comments and other fields are passed over."""
    for line in raw.splitlines():
        if line.startswith(b"data:"):
            yield line.removeprefix(b"data:").strip()
        elif line.strip() and not re.match(rb":|event:|id:|retry:", line):
            raise _garbage(line)


def event_of(data: bytes) -> _Event:
    """One event.

    Raises:
        RequestError: it is none, or the server says that it failed.
    """
    try:
        event = _Event.model_validate_json(data)
    except ValidationError:
        raise _garbage(data) from None
    if event.error is not None:
        raise RequestError(f"the server failed in its stream: {shown(str(event.error))}")
    return event


def words_of(choice: _Choice) -> str:
    """Text of a piece; what a model thinks aloud is text too."""
    return choice.text or (choice.delta.words if choice.delta else "")


def shown(text: str) -> str:
    """What an error repeats of what a server said."""
    return " ".join(text.split())[:_SHOWN]


def _garbage(data: bytes) -> RequestError:
    said = shown(data.decode(errors="replace"))
    return RequestError(
        f"the server's stream holds {said!r}, which is no event", fix="look at the server's log"
    )


def _check(told: Streamed, *, chunks: int, asked: int) -> None:
    counted, pieces = told.new_tokens, len(told.pieces)
    if not 0 < counted <= asked or (told.finish == "length" and counted != asked):
        raise RequestError(f"the server counted {counted} generated tokens, but {asked} were asked for")
    text = "".join(told.pieces)
    characters = 1 + sum(not character.isascii() for character in text)  # the last may be unfinished
    silent = _MORE_BYTES * characters
    silent += sum(bool(_HELD_BACK.match(piece)) for piece in told.pieces)
    if not pieces <= counted <= chunks + silent:
        raise RequestError(
            f"the server counted {counted} generated tokens, but its stream has {pieces} pieces of text",
            fix="let it send each token by itself: no speculative decoding, no interval of the stream",
        )
