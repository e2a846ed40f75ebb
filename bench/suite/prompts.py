"""Prompt sets: JSONL files with one prompt a line, hashed into the record of a run."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from bench.errors import UserError, nearest
from bench.suite.bundled import configs_folder
from bench.suite.config import invalid


class Prompt(BaseModel):
    """One line of a prompt set."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: str = Field(min_length=1, max_length=100)
    text: str = Field(min_length=1)
    reference: str | tuple[str, ...] | None = None
    """The answer, or all accepted answers, where there is one that can be looked for in the output."""
    kind: str | None = None


@dataclass(frozen=True, kw_only=True)
class PromptSet:
    """Prompts in the order of their file."""

    file: Path
    sha256: str
    """Of the whole file, also when only its first prompts are used."""
    prompts: tuple[Prompt, ...]


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
    try:
        raw = file.read_bytes()
        text = raw.decode("utf-8")
    except OSError as error:
        known = nearest(name, (set_file.stem for set_file in (configs_folder() / "prompts").glob("*.jsonl")))
        raise UserError(f"can't read the prompts {str(file)!r} ({error.strerror})", fix=known) from None
    except UnicodeDecodeError as error:
        raise UserError(f"{file}: byte {error.start} is not UTF-8", fix="save the file as UTF-8") from None
    prompts = _parse(text, file)
    return PromptSet(file=file, sha256=hashlib.sha256(raw).hexdigest(), prompts=prompts[:limit])


def _find(name: str, beside: Path) -> Path:
    bundled = configs_folder() / "prompts" / f"{name}.jsonl"
    return bundled if bundled.is_file() else beside / Path(name).expanduser()


def _parse(text: str, file: Path) -> tuple[Prompt, ...]:
    prompts: dict[str, Prompt] = {}
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        try:
            prompt = Prompt.model_validate(json.loads(line))
        except json.JSONDecodeError as error:
            raise UserError(
                f"{file}, line {number}: not JSON ({error.msg})", fix="one object a line"
            ) from None
        except ValidationError as error:
            raise invalid(f"{file}, line {number}", error, Prompt) from None
        if prompt.id in prompts:
            raise UserError(
                f"{file}, line {number}: the id {prompt.id!r} is used twice", fix="ids must differ"
            )
        prompts[prompt.id] = prompt
    if not prompts:
        raise UserError(f"{file}: no prompts in it", fix="write one JSON object with `id` and `text` a line")
    return tuple(prompts.values())
