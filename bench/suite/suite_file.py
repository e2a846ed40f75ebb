"""A suite's file -> the suite, or one line that says what is wrong with it.

That line names the key, the value and, for an unknown key, the nearest known one.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from bench.errors import UserError, nearest
from bench.suite.bundled import configs_folder, suite_names
from bench.suite.config import Suite
from bench.suite.reading import text_of, toml_of


def load_suite(file: Path) -> tuple[Suite, str]:
    """Read a suite; returns it with the file's text, which is stored verbatim.

    Raises:
        UserError: the file is missing, is not TOML, or is not a suite.
    """
    text = text_of(file, what="the suite", fix=nearest(str(file)[:200], suite_names()))
    return parse_suite(text, file=file), text


def parse_suite(text: str, *, file: Path) -> Suite:
    """The suite in `text`; `file` is only for messages.

    Raises:
        UserError: it is not TOML, or not a suite.
    """
    data = toml_of(text, file=file)
    if "cells" in data:
        raise UserError(f"{file} says what to isolate, not what to run", fix="run it with: bench isolate")
    try:
        return Suite.model_validate(data)
    except ValidationError as error:
        raise invalid(f"{file}", error, Suite) from None


def find_suite(name: str) -> Path:
    """The path itself, or a suite of the program by its short name: `quick` is `configs/quick.toml`."""
    bundled = configs_folder() / f"{name}.toml"
    return bundled if not os.path.exists(name) and bundled.is_file() else Path(name)


def invalid(what: str, error: ValidationError, model: type[BaseModel] | None = None) -> UserError:
    """The first problem of a validation error of `what`."""
    first = error.errors(include_url=False)[0]
    key = ".".join(str(part) for part in first["loc"])
    if first["type"] in ("extra_forbidden", "unexpected_keyword_argument"):
        known = first.get("ctx", {}).get("known") or _known_keys(model, first["loc"])
        return UserError(f"{what}: unknown key {key!r}", fix=nearest(str(first["loc"][-1]), known))
    if first["type"] in ("missing", "missing_keyword_only_argument"):
        return UserError(f"{what}: the key {key!r} is missing")
    problem = first.get("ctx", {}).get("error", first["msg"])  # pydantic's own words, or a validator's
    return UserError(f"{what}: {key} = {first['input']!r}: {problem}" if key else f"{what}: {problem}")


def _known_keys(model: type[BaseModel] | None, loc: tuple[int | str, ...]) -> list[str]:
    """Keys that would have been allowed at the place of an unknown one."""
    for part in loc[:-1]:
        field = model.model_fields.get(str(part)) if model else None
        if field is None:
            continue  # a free label, such as the name of a model
        inner = [t for t in (field.annotation, *_arguments(field.annotation)) if _is_table(t)]
        model = inner[0] if inner else None
    return list(model.model_fields) if model else []


def _arguments(annotation: Any) -> tuple[Any, ...]:
    return getattr(annotation, "__args__", ())


def _is_table(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, BaseModel)
