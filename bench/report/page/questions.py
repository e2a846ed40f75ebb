"""Three questions with the answers of two configurations side by side: the strongest evidence of a page."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import takewhile

from bench.report.answer import Comparison
from bench.report.names import arm_label
from bench.report.story import Story
from bench.run.records import RequestRecord

MOST_QUESTIONS = 3
MOST_CHARACTERS = 280
MOST_WHOLE = 4000
NO_TEXT = "its text was not kept"
EMPTY = "(an empty answer)"


@dataclass(frozen=True, kw_only=True)
class Question:
    """A prompt, and what came back."""

    prompt: str
    before: str
    """The answer of what is compared with,"""
    after: str
    """and of the configuration itself."""
    whole: tuple[str, str] | None
    """Both in full, or nearly, where they are cut."""
    is_same: bool
    """Whether all tokens are equal."""


def questions_of(story: Story, one: Comparison, texts: Mapping[str, str]) -> list[Question]:
    """The first prompts that were answered otherwise, then others, in the order of the prompt file."""
    readback = story.readback
    keys = {arm_label(key): key for key in readback.arms}
    mine, theirs = (readback.answers(keys[name]) for name in (one.name, one.against))
    both = [prompt for prompt in readback.run.header.prompts.ids if prompt in mine and prompt in theirs]
    chosen = sorted(both, key=lambda prompt: mine[prompt].tokens == theirs[prompt].tokens)[:MOST_QUESTIONS]
    return [_question(texts.get(prompt, prompt), theirs[prompt], mine[prompt]) for prompt in chosen]


def _question(prompt: str, before: RequestRecord, after: RequestRecord) -> Question:
    told = tuple(_told(request.text) for request in (before, after))
    begin = _begin(*told)
    shown = tuple(_short(text, begin=begin) for text in told)
    return Question(
        prompt=_short(_told(prompt)),
        before=shown[0],
        after=shown[1],
        whole=None if shown == told else (_short(told[0], most=MOST_WHOLE), _short(told[1], most=MOST_WHOLE)),
        is_same=before.text == after.text if after.served else before.tokens == after.tokens,
    )


def _told(text: str | None) -> str:
    """A text without the empty lines around and within it; what there is to say where there is none."""
    if text is None:
        return NO_TEXT
    return re.sub(r"\n\s*\n\s*\n", "\n\n", text.strip()) or EMPTY


def _begin(before: str, after: str) -> int:
    """Where to begin to show two texts: a little before they part, if they do so where both would be cut."""
    parted = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(before, after, strict=False)))
    late = before != after and parted > MOST_CHARACTERS // 2
    return parted - MOST_CHARACTERS // 4 if late else 0


def _short(text: str, *, begin: int = 0, most: int = MOST_CHARACTERS) -> str:
    cut = f"\u2026{text[begin:]}" if begin else text
    return cut if len(cut) <= most else f"{cut[: most - 1]}\u2026"
