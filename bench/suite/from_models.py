"""`bench run MODEL...`: the suite that asks what models cost, written as the TOML that does the same.

The first model is the baseline; every other one, and every backend, stands beside it in the same blocks.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tomlkit

from backends.base import ModelError
from backends.folder import open_folder
from bench.errors import UserError, nearest
from bench.suite import libraries
from bench.suite.bundled import suite_names
from bench.suite.config import Generation, Suite
from bench.suite.models import HUB_ID, catalogue, file_of_hub, locate
from bench.suite.prompts import load_prompts
from bench.suite.suite_file import parse_suite
from bench.suite.weights import SAFETENSORS, is_read

PROMPTS = "short_questions"
"""The set that is used where the user names none; `LIMIT` of it."""
LIMIT = 6


@dataclass(frozen=True, kw_only=True)
class ModelsAsked:
    """What is asked on the command line; None: what is usual."""

    models: tuple[str, ...]
    """Names of `bench models`, hub ids or folders; the first is what the others are compared with."""
    prompts: str | None = None
    """A file, or a set that comes along."""
    prompt_tokens: int | None = None
    """Of a synthetic prompt, in place of a file."""
    new_tokens: int | None = None
    backends: tuple[str, ...] = ()
    dtype: str | None = None
    batches: tuple[int, ...] = ()
    """Equal requests at a time; of several each is a configuration, and the first is the baseline."""
    prefill_chunk: int | None = None
    """Prompt tokens of a forward at most, on every backend."""
    urls: tuple[str, ...] = ()
    """Of servers that run the models: one for all of them, or one for each."""
    plain: bool = False
    """Give prompts as plain text, also to a model that has a chat template."""
    minutes: float | None = None
    """That the run may take; None: the usual blocks and windows, however long."""


def are_models(names: Sequence[str], *, served: bool = False) -> bool:
    """Whether the command line names models rather than one suite; those of a server have any name.

    Raises:
        UserError: a name is neither, or both kinds are mixed.
    """
    kinds = [_is_model(name, served=served) for name in names]
    if any(kinds) and not all(kinds):
        suite = names[kinds.index(False)]
        raise UserError(f"{suite!r} is a suite beside models", fix="run a suite alone, or name models only")
    if not any(kinds) and len(names) > 1:
        raise UserError(f"{len(names)} suites: {', '.join(names)}", fix="run one at a time")
    return all(kinds)


def _is_model(name: str, *, served: bool) -> bool:
    if name in suite_names() or name.endswith(".toml"):
        return False
    if served:
        return True
    if name in catalogue() or os.path.isdir(os.path.expanduser(name)) or _is_weight_file(name):
        return True
    if HUB_ID.fullmatch(name):
        return True
    known = nearest(name, (*suite_names(), *catalogue()))
    raise UserError(
        f"{name!r} is no suite, no model of `bench models`, no folder, no file of weights and no hub id "
        "(owner/name)",
        fix=known,
    )


def suite_of(asked: ModelsAsked) -> tuple[Suite, str]:
    """The suite, and its text.

    Raises:
        UserError: what is asked contradicts itself, or nothing here runs a model.
    """
    text = tomlkit.dumps(_tables(asked))
    return parse_suite(text, file=file_of(asked)), text


def file_of(asked: ModelsAsked) -> Path:
    """Where the suite would stand: in the folder where the command was typed."""
    return Path.cwd() / f"{_labels(asked.models)[0]}.toml"


def _tables(asked: ModelsAsked) -> dict[str, Any]:
    labels = _labels(asked.models)
    models: dict[str, dict[str, Any]] = {
        label: {"name": _absolute(name)} for label, name in zip(labels, asked.models, strict=True)
    }
    for model in models.values():
        model |= {"dtype": asked.dtype} if asked.dtype else {}
    for model, url in zip(models.values(), _urls(asked), strict=False):
        model["url"] = url
    backends = asked.backends or (("openai",) if asked.urls else backends_for(asked.models))
    options = {"prefill_chunk": asked.prefill_chunk} if asked.prefill_chunk else {}
    return {
        "name": labels[0],
        "backends": list(backends),
        **({"backend_options": dict.fromkeys(backends, options)} if options else {}),
        "models": models,
        "prompts": _prompts(asked) | ({"chat": False} if asked.plain else {}),
        **_lengths(asked),
        "gates": {
            label: {"plugin": "constant", "budget": budget}
            if number
            else {"plugin": "ungated", "full": budget}
            for number, (label, budget) in enumerate(_budgets(labels, asked.batches).items())
        },
    }


def _urls(asked: ModelsAsked) -> tuple[str, ...]:
    """One for each model, or none.

    Raises:
        UserError: there are more or fewer.
    """
    if len(asked.urls) == 1:
        return asked.urls * len(asked.models)
    if asked.urls and len(asked.urls) != len(asked.models):
        raise UserError(
            f"{len(asked.urls)} urls for {len(asked.models)} models", fix="give one, or one for each model"
        )
    return asked.urls


def _budgets(labels: Sequence[str], batches: Sequence[int]) -> dict[str, dict[str, Any]]:
    """What each configuration gives every prompt, by its label: a model, and a batch where there are several.

    Raises:
        UserError: a batch is named twice.
    """
    if len(batches) < 2:
        return {label: {"model": label} for label in labels}
    twice = next((batch for batch in batches if batches.count(batch) > 1), None)
    if twice is not None:
        raise UserError(f"--batch {twice} is given twice", fix="leave one of them out")
    return {
        f"batch-{batch}" if len(labels) == 1 else f"{label}-batch-{batch}": {"model": label, "batch": batch}
        for label in labels
        for batch in batches
    }


def _lengths(asked: ModelsAsked) -> dict[str, Any]:
    """Tables of what decides how long the run takes."""
    new_tokens = asked.new_tokens or (None if asked.minutes else Generation().max_new_tokens)
    generation = {"max_new_tokens": new_tokens} if new_tokens else {}
    if len(asked.batches) == 1:
        generation["batch"] = asked.batches[0]
    return {
        **({"generation": generation} if generation else {}),
        **({"protocol": {"minutes": asked.minutes}} if asked.minutes else {}),
    }


def _prompts(asked: ModelsAsked) -> dict[str, Any]:
    if asked.prompt_tokens is not None:
        if asked.prompts is not None:
            raise UserError("--prompts and --pp both say what the prompt is", fix="leave one of them out")
        return {"tokens": asked.prompt_tokens}
    if asked.prompts is None:
        return {"file": PROMPTS, "limit": LIMIT}
    prompts = load_prompts(asked.prompts, beside=Path.cwd())
    return {"file": str(prompts.file.resolve()) if os.path.exists(asked.prompts) else asked.prompts}


def _labels(models: Sequence[str]) -> list[str]:
    """A short name for each: the last part of its path or id, made different where two are alike."""
    labels: list[str] = []
    for name in models:
        stem = Path(name).expanduser().name or Path(name).expanduser().resolve().name
        label = re.sub(r"[^A-Za-z0-9._-]+", "-", stem).strip("-.") or "model"
        alike = sum(other == label or other.startswith(f"{label}-") for other in labels)
        labels.append(f"{label}-{alike + 1}" if label in labels else label)
    return labels


def _absolute(name: str) -> str:
    """A folder or file is found from anywhere; other names stay."""
    is_path = name not in catalogue() and os.path.exists(os.path.expanduser(name))
    return str(Path(name).expanduser().resolve()) if is_path else name


def backends_for(models: Sequence[str]) -> tuple[str, ...]:
    """The usual backend of this machine; the stand-in for the model that has no weights.

    What mlx-lm quantised runs on MLX alone, a file of weights on the backends that read such files, and what
    stands beside them there too.
    """
    known = catalogue()
    for name in models:
        if readers := readers_of(name):
            return readers[:1]
    if any(_is_mlx_quantised(name) for name in models if name not in known):
        return ("mlx",)
    stand_ins = [name in known and known[name].kind == "stand-in" for name in models]
    return ("echo",) if all(stand_ins) else libraries.usual(1)


def _is_weight_file(name: str) -> bool:
    return os.path.isfile(os.path.expanduser(name)) and is_read(
        name, libraries.weight_files(libraries.every())
    )


def readers_of(name: str) -> tuple[str, ...]:
    """The backends that read a file of weights, or what lies in a folder without safetensors; else none."""
    here = Path(os.path.expanduser(name))
    if name in catalogue() or not (os.path.exists(here) or file_of_hub(name)):
        return ()
    files = [file.name for file in here.iterdir()] if here.is_dir() else [name]
    if any(is_read(file, SAFETENSORS) for file in files):
        return ()
    every = libraries.every().items()
    readers = [backend for backend, said in every if any(is_read(f, said.weight_files) for f in files)]
    return tuple(readers)


def weights_of(name: str) -> tuple[str, ...]:
    """Patterns of the weights of a model: those of the backends that alone read it, else safetensors."""
    return libraries.weight_files(readers_of(name)) or SAFETENSORS


def _is_mlx_quantised(name: str) -> bool:
    here = locate(name)
    if here is None or here.folder is None:
        return False
    try:
        return open_folder(here.folder).is_mlx_quantised
    except ModelError:
        return False  # whoever loads it says what is wrong
