"""Prompts become chats by the model's own template, or stay plain text."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Any

import pytest

from backends.echo import load as echo
from bench.errors import UserError
from bench.run import store
from bench.run.records import RequestRecord, SessionRecord
from bench.run.workers import encoding
from bench.suite.prompt_forms import Chat, Prompt
from tests.bench.at_hand import quick
from tests.bench.suites import write_suite
from tests.tiny_models import save_tiny_llama

TEMPLATE = (
    "{% for m in messages %}<{{ m.role }}>{{ m.content }}{% endfor %}"
    "{% if enable_thinking %}<think>{% endif %}<assistant>"
)
PROMPT = Prompt(id="p", text="Why?")
ECHO = echo.load(cpu_s_per_token=0)


class Chatty:
    """A model whose ids are its characters, with a chat template."""

    chat_template: str | None = TEMPLATE
    reasoning_ids: tuple[int, int] | None = (90, 91)

    def encode(self, text: str) -> list[int]:
        return list(map(ord, text))

    def encode_chat(self, turns: Any, arguments: Any) -> list[int]:
        if "hang" in arguments:
            signal.pause()
        return self.encode("".join(f"<{turn['role']}>{turn['content']}" for turn in turns))


MODELS: dict[str, Any] = {"chatty": Chatty(), "base": ECHO}


def text(key: str, prompt: Prompt, chat: Chat | None) -> str:
    return "".join(map(chr, encoding.encode(MODELS, key, prompt, chat)))


def test_a_model_with_a_template_gets_chats_and_others_plain_text() -> None:
    assert text("chatty", PROMPT, Chat()) == "<user>Why?"
    assert text("chatty", PROMPT, Chat(system="Be brief.")) == "<system>Be brief.<user>Why?"
    assert text("chatty", PROMPT, None) == "Why?"
    assert text("chatty", PROMPT.model_copy(update={"tokens": 2}), Chat()) == "Wh"
    assert encoding.encode(MODELS, "base", PROMPT, Chat()) == ECHO.encode("Why?")
    assert list(encoding.templates(MODELS)) == ["chatty"]


def test_what_a_model_without_a_template_would_lose_is_refused() -> None:
    with pytest.raises(
        UserError, match=r"'base' has no chat template, but the suite demands chats \(system\)"
    ):
        text("base", PROMPT, Chat(demanded="system", system="Be brief."))


def test_a_template_that_takes_too_long_is_interrupted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(encoding, "TEMPLATE_S", 0.05)
    with pytest.raises(UserError, match=r"template of 'chatty' takes more than 0\.05 s .*--no-chat"):
        text("chatty", PROMPT, Chat(template={"hang": True}))
    assert signal.getitimer(signal.ITIMER_REAL)[0] == 0


@pytest.mark.parametrize(
    ("prompt", "new", "count"),
    [
        ([1, 2], [3, 4], 0),
        ([1, 2], [90, 3, 91, 4], 3),
        ([1, 90], [3, 91, 4, 5], 2),  # the template opens the thinking
        ([90, 1, 91], [3, 4], 0),  # and closes it, where it is switched off
        ([1], [90, 3, 4], 3),  # cut short while it thinks
    ],
)
def test_tokens_of_thinking_aloud_are_counted(prompt: list[int], new: list[int], count: int) -> None:
    assert encoding.reasoning_tokens(MODELS["chatty"], prompt, new) == count
    assert encoding.reasoning_tokens(ECHO, prompt, new) is None


@pytest.fixture
def made_for_chats(tmp_path: Path) -> Path:
    folder = save_tiny_llama(tmp_path / "chatty")
    (folder / "chat_template.jinja").write_text(TEMPLATE)
    return folder


def test_a_run_says_that_its_prompts_are_chats_and_records_their_ids(
    made_for_chats: Path, tmp_path: Path
) -> None:
    changes: dict[str, Any] = {
        "backends": ["torch", "mlx"],
        "backend_options": {"torch": {"device": "cpu"}},
        "models": {"full": {"name": str(made_for_chats)}},
        "gates": {"ungated": {}},
        "prompts__template": {"enable_thinking": True},
        "protocol__a_a": False,
        "protocol__idle_s": 0.05,
        "protocol__min_window_s": 0.05,
        "protocol__load_deadline_s": 600.0,
    }
    write_suite(tmp_path, **changes)
    seen = {}
    for kind in ("chat", "plain"):
        options = ["--no-chat", "--backend", "mlx"] if kind == "plain" else []
        done = quick("run", "suite.toml", "--out", kind, *options, cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        assert ("full: prompts are chats by the model's template" in done.stdout) == (kind == "chat")
        run = store.read(next((tmp_path / kind).iterdir()))
        (session,) = run.of(SessionRecord)
        assert run.header.overrides.plain == (kind == "plain")
        assert list(session.chat_template_sha256) == (["full"] if kind == "chat" else [])
        tokens = {r.prompt_id: r.prompt_tokens for r in run.of(RequestRecord)}
        seen[kind] = session.prompt_ids_sha256["full"], tokens["short"]
    assert seen["chat"][0] != seen["plain"][0]
    assert seen["plain"][1] == len("two words") + 1
    assert seen["chat"][1] == len("<user>two words<think><assistant>")
