"""A prompt as the token ids of a model: as a chat by the model's own template, or as plain text."""

from __future__ import annotations

import hashlib
import json
import signal
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import FrameType

from backends.base import Backend
from backends.chat import HasChat
from bench.errors import UserError
from bench.suite.prompt_forms import Chat, Prompt

TEMPLATE_S = 10.0
"""Longest time for one prompt of a template, which comes with the model and is not trusted."""


def takes_chats(model: Backend) -> bool:
    """Whether a model has a chat template."""
    return isinstance(model, HasChat) and model.chat_template is not None


def templates(models: Mapping[str, Backend]) -> dict[str, str]:
    """SHA-256 of each model's chat template, by key, of those that have one."""
    found = {key: model.chat_template for key, model in models.items() if isinstance(model, HasChat)}
    return {key: hashlib.sha256(text.encode()).hexdigest() for key, text in found.items() if text}


def ids_sha256(ids: Mapping[str, Mapping[str, list[int]]]) -> dict[str, str]:
    """Of all prompts' token ids as JSON, by model key."""
    return {key: hashlib.sha256(json.dumps(prompts).encode()).hexdigest() for key, prompts in ids.items()}


def reasoning_tokens(model: Backend, prompt: list[int], new: list[int]) -> int | None:
    """Tokens of an answer with which a model thinks aloud, marks included; None where it has no such marks.

    A template may open the thinking itself, at the end of the prompt.
    """
    marks = model.reasoning_ids if isinstance(model, HasChat) else None
    if marks is None:
        return None
    begin, end = marks
    thinking = next((token == begin for token in reversed(prompt) if token in marks), False)
    count = 0
    for token in new:
        thinking = thinking or token == begin
        count += thinking
        thinking = thinking and token != end
    return count


def encode(models: Mapping[str, Backend], key: str, prompt: Prompt, chat: Chat | None) -> list[int]:
    """Token ids of a prompt, cut to its length where it has one.

    Args:
        models: by key.
        key: of the model that takes it.
        prompt: one that is to have a length is plain text always.
        chat: how it is written as a chat; None for plain text.

    Raises:
        UserError: it has fewer tokens, or a chat is demanded of a model that has no template.
    """
    if prompt.earlier:
        raise UserError(
            f"prompt {prompt.id!r} follows turns that nobody has answered",
            fix="use it with: bench run, or bench sweep",
        )
    model = models[key]
    if chat is None or prompt.tokens is not None or not takes_chats(model):
        if chat is not None and chat.demanded:
            raise UserError(
                f"the model {key!r} has no chat template, but the suite demands chats ({chat.demanded})",
                fix="leave that out, or give plain text: chat = false",
            )
        return _plain(model, prompt)
    assert isinstance(model, HasChat)
    with _within(TEMPLATE_S, key):
        return model.encode_chat([turn.model_dump() for turn in chat.turns_of(prompt)], chat.template)


def _plain(model: Backend, prompt: Prompt) -> list[int]:
    ids, wanted = model.encode(prompt.text), prompt.tokens
    if wanted is not None and len(ids) < wanted:
        raise UserError(f"prompt {prompt.id!r} has {len(ids)} tokens, not {wanted}", fix="ask for fewer")
    return ids[:wanted]


@contextmanager
def _within(limit_s: float, key: str) -> Iterator[None]:
    """Interrupt what takes longer; only the main thread can be."""

    def interrupt(_: int, __: FrameType | None) -> None:
        raise UserError(
            f"the chat template of {key!r} takes more than {limit_s:g} s for one prompt",
            fix="give the prompts as plain text: --no-chat, or chat = false",
        )

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    former = signal.signal(signal.SIGALRM, interrupt)
    signal.setitimer(signal.ITIMER_REAL, limit_s)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, former)
