"""Three questions with the answers of two configurations side by side: the strongest evidence of a page."""

from __future__ import annotations

from dataclasses import dataclass

from bench.report.answer import Comparison
from bench.report.page.prompt_table import prompt_texts
from bench.report.rows import arm_label
from bench.report.story import Story

MOST_QUESTIONS = 3
MOST_CHARACTERS = 280
NO_TEXT = "its text was not kept"


@dataclass(frozen=True, kw_only=True)
class Question:
    """A prompt, and what came back."""

    prompt: str
    before: str
    """The answer of what is compared with,"""
    after: str
    """and of the configuration itself."""
    is_same: bool
    """Whether all tokens are equal."""


def questions_of(story: Story, one: Comparison) -> list[Question]:
    """The first prompts that were answered otherwise, then others, in the order of the prompt file."""
    readback = story.readback
    keys = {arm_label(key): key for key in readback.arms}
    mine, theirs = (readback.answers(keys[name]) for name in (one.name, one.against))
    texts = prompt_texts(readback.run)
    both = [prompt for prompt in readback.run.header.prompts.ids if prompt in mine and prompt in theirs]
    chosen = sorted(both, key=lambda prompt: mine[prompt].tokens == theirs[prompt].tokens)[:MOST_QUESTIONS]
    return [
        Question(
            prompt=_short(texts.get(prompt, prompt)),
            before=_short(theirs[prompt].text),
            after=_short(mine[prompt].text),
            is_same=mine[prompt].tokens == theirs[prompt].tokens,
        )
        for prompt in chosen
    ]


def _short(text: str | None) -> str:
    if text is None:
        return NO_TEXT
    return text if len(text) <= MOST_CHARACTERS else f"{text[: MOST_CHARACTERS - 1]}\u2026"
