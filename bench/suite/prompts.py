"""Prompt sets: files of prompts, hashed into the record of a run, and prompts of a given length."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path

from bench.errors import nearest
from bench.suite.bundled import configs_folder
from bench.suite.config import Prompts
from bench.suite.prompt_forms import Prompt, read, write
from bench.suite.reading import path_of, text_of

_FILLER = "mixed"
"""The set whose text fills a prompt of a given length: what is read by a mixture of experts is not noise."""
_CHARACTERS_PER_TOKEN = 16
"""More than any tokenizer makes of English on average, which is about four."""


@dataclass(frozen=True, kw_only=True)
class PromptSet:
    """Prompts in the order of their file."""

    file: Path
    sha256: str
    """Of the whole file, also when only its first prompts are used."""
    prompts: tuple[Prompt, ...]


def prompts_of(asked: Prompts, *, beside: Path) -> PromptSet:
    """The prompts that a suite asks for: those of a file, or one of a given length.

    Args:
        asked: the table of the suite.
        beside: the folder of the suite.

    Raises:
        UserError: as `load_prompts`.
    """
    if asked.tokens is None:
        assert asked.file is not None, "checked by the validator"
        return load_prompts(asked.file, beside=beside, limit=asked.limit)
    prompts = (Prompt(id=f"pp{asked.tokens}", text=_text_of(asked.tokens), tokens=asked.tokens),)
    digest = hashlib.sha256(write(prompts).encode()).hexdigest()
    return PromptSet(file=Path(f"{asked.tokens} tokens of the set {_FILLER}"), sha256=digest, prompts=prompts)


def load_prompts(name: str, *, beside: Path, limit: int | None = None) -> PromptSet:
    """Read and check a prompt set.

    Args:
        name: a path relative to the suite, or the stem of a set that comes with the program.
        beside: the folder of the suite.
        limit: take only so many prompts from the front.

    Raises:
        UserError: no such file, not UTF-8, empty, a line that is not a prompt, or an id twice.
    """
    file = _find(name, beside)
    known = nearest(name[:200], (one.stem for one in (configs_folder() / "prompts").glob("*.jsonl")))
    text = text_of(file, what="the prompts", fix=known)
    prompts = read(text, file=file)
    return PromptSet(file=file, sha256=hashlib.sha256(text.encode()).hexdigest(), prompts=prompts[:limit])


def bundled_set(name: str) -> Path | None:
    """The file of a set that comes along, by its name; None if there is none of this name."""
    sets = (configs_folder() / "prompts").glob("*.jsonl")
    return next((file for file in sets if file.stem == name), None)


def _find(name: str, beside: Path) -> Path:
    return bundled_set(name) or path_of(name, beside=beside)


def _text_of(tokens: int) -> str:
    """English that is long enough for so many tokens: a set that comes along, again and again."""
    texts = [prompt.text for prompt in load_prompts(_FILLER, beside=Path()).prompts]
    wanted = _CHARACTERS_PER_TOKEN * tokens
    taken: list[str] = []
    length = 0
    for text in cycle(texts):
        if length >= wanted:
            return " ".join(taken)[:wanted]
        taken.append(text)
        length += len(text) + 1
    raise AssertionError("the set is not empty")
