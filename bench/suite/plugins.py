"""Plugins come by one road: entry points. An entry point is a factory with keyword-only typed arguments.

The factory is called through pydantic, so that its signature is the schema of its options. A plugin
that can't be imported is an error, never skipped.
"""

from __future__ import annotations

import inspect
import json
import re
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache
from importlib.metadata import EntryPoint, EntryPoints, entry_points
from typing import Any, Literal, get_args, get_type_hints

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError, validate_call
from pydantic_core import to_jsonable_python

from backends.about import ABILITIES, about_of
from backends.installing import pip
from bench.errors import UserError, nearest
from bench.suite.suite_file import invalid

Group = Literal["backends", "energy", "gates", "figures", "cuts"]
GROUPS: tuple[Group, ...] = get_args(Group)


@dataclass(frozen=True, kw_only=True)
class Plugin:
    """One entry point, for a listing."""

    group: Group
    name: str
    summary: str
    options: dict[str, str]
    """Default by name, as it would stand in a suite; `required` without one."""
    meanings: dict[str, str]
    """What an option is, by name, from the factory's docstring."""
    distribution: str
    reads: tuple[str, ...] = ()
    """Of a backend: patterns of its weight files."""
    cannot: tuple[str, ...] = ()
    """Of a backend: what others can."""


@cache
def installed(group: Group, _path: tuple[str, ...]) -> EntryPoints:
    """What is installed on `sys.path`; looked up once, as that reads the metadata of every distribution."""
    return entry_points(group=f"bench.{group}")


def names(group: Group) -> list[str]:
    """Names that are registered under a group."""
    return sorted({point.name for point in installed(group, tuple(sys.path))})


def find(group: Group, name: str) -> EntryPoint:
    """The entry point of a plugin, not imported yet; that of `torch` for `torch@cpu`.

    Raises:
        UserError: nothing of that name is installed.
    """
    plain = _parted(group, name)[0]
    for point in installed(group, tuple(sys.path)):
        if point.name == plain:
            return point
    raise UserError(f"unknown {_singular(group)} {plain!r}", fix=nearest(plain, names(group)))


def _parted(group: Group, name: str) -> tuple[str, str]:
    """A backend may stand in a suite several times, as NAME@WORD: its name and that word, or none."""
    plain, _, word = name.partition("@") if group == "backends" else (name, "", "")
    return plain, word


def _by_name(group: Group, name: str, factory: Callable[..., Any]) -> dict[str, Any]:
    """The option that a backend's name gives: its device, or what the backend says."""
    word = _parted(group, name)[1]
    return {about_of(factory).at: word} if word else {}


def create(group: Group, name: str, options: dict[str, Any]) -> Any:
    """Call a plugin's factory with options that were checked against its signature.

    Raises:
        UserError: unknown plugin, unknown option, or a value of the wrong kind.
    """
    factory = check_options(group, name, options)
    options = _by_name(group, name, factory) | options
    checked = validate_call(config=ConfigDict(arbitrary_types_allowed=True))(factory)
    try:
        return checked(**options)
    except ValidationError as error:
        raise invalid(f"{_singular(group)} {name!r}", error) from None
    except ValueError as error:
        raise UserError(f"{_singular(group)} {name!r}: {error}") from None


def check_options(group: Group, name: str, options: Iterable[str]) -> Callable[..., Any]:
    """The factory of a plugin, once it is known to have all these options.

    Raises:
        UserError: unknown plugin or option.
    """
    factory = load(group, name)
    parameters = inspect.signature(factory).parameters
    for option in (*_by_name(group, name, factory), *options):
        if option not in parameters:
            hint = nearest(option, parameters)
            raise UserError(f"{_singular(group)} {name!r} has no option {option!r}", fix=hint)
    return factory


def all_options(group: Group, name: str, options: dict[str, Any]) -> dict[str, Any]:
    """These options and the defaults of those that are left out, as JSON has them.

    Raises:
        UserError: unknown plugin, an option that is unknown or missing, or a value of the wrong kind.
    """
    parameters = inspect.signature(check_options(group, name, options)).parameters
    defaults = {key: parameter.default for key, parameter in parameters.items()}
    return check_values(group, name, defaults | _by_name(group, name, load(group, name)) | options)


def check_values(group: Group, name: str, options: dict[str, Any]) -> dict[str, Any]:
    """Options as JSON has them, once each is known and of its kind.

    Raises:
        UserError: unknown plugin, unknown option, or a value of the wrong kind.
    """
    factory = check_options(group, name, options)
    kinds = get_type_hints(factory, include_extras=True)
    values, checked = _by_name(group, name, factory) | options, dict[str, Any]()
    for key, value in values.items():
        try:
            checked[key] = to_jsonable_python(TypeAdapter(kinds[key]).validate_python(value))
        except ValidationError as error:
            raise invalid(f"{_singular(group)} {name!r}: option {key}", error) from None
    return checked


def listing() -> list[Plugin]:
    """Every plugin with the options of its factory."""
    return [_describe(group, name) for group in GROUPS for name in names(group)]


def limits_of(plugin: Plugin) -> list[str]:
    """Sentences on what a backend reads, and on what it can't do."""
    reads = [f"Reads {' and '.join(plugin.reads)}."] if plugin.reads else []
    cannot = [f"Can't: {'; '.join(plugin.cannot)}."] if plugin.cannot else []
    return reads + cannot


def load(group: Group, name: str) -> Callable[..., Any]:
    """The factory of a plugin.

    Raises:
        UserError: unknown plugin, or it can't be imported.
    """
    point = find(group, name)
    try:
        factory: Callable[..., Any] = point.load()
    except ImportError as error:
        distribution = point.dist.name if point.dist else "its distribution"
        raise UserError(
            f"{_singular(group)} {name!r} can't be imported ({error})",
            fix=f"install what it needs: {pip('install', '--upgrade', distribution)}",
        ) from None
    except Exception as error:  # whatever somebody else's code does when it is imported
        raise UserError(
            f"{_singular(group)} {name!r} fails when it is imported ({type(error).__name__}: {error})",
            fix=f"look at {point.value.partition(':')[0]}, or remove the distribution that brings it",
        ) from error
    return factory


def _describe(group: Group, name: str) -> Plugin:
    point = find(group, name)
    factory = load(group, name)
    text, said = inspect.getdoc(factory) or "", about_of(factory)
    options = {
        key: "required" if p.default is p.empty else _shown(p.default)
        for key, p in inspect.signature(factory).parameters.items()
        if p.kind is p.KEYWORD_ONLY
    }
    return Plugin(
        group=group,
        name=name,
        summary=text.split("\n")[0],
        options=options,
        meanings={key: meaning for key in options if (meaning := _meaning(key, text))},
        distribution=point.dist.name if point.dist else "unknown",
        reads=said.weight_files if said.needs else (),
        cannot=tuple(ABILITIES[ability] for ability in said.lacks),
    )


def _shown(default: Any) -> str:
    """A default in TOML's terms; nothing for None, which TOML does not have."""
    if isinstance(default, BaseModel):
        kept = default.model_dump(exclude_defaults=True) or {next(iter(default.model_dump())): "full"}
        return "{ " + ", ".join(f"{key} = {json.dumps(value)}" for key, value in kept.items()) + " }"
    if default is None:
        return "none"
    return json.dumps(default if isinstance(default, int | float | bool | list | tuple) else str(default))


def _meaning(option: str, docstring: str) -> str:
    """The line of an option in the `Args:` section of a Google docstring."""
    line = re.search(rf"^ +{option}: (.+(?:\n {{8,}}.+)*)", docstring, flags=re.MULTILINE)
    return " ".join(line[1].split()) if line else ""


def _singular(group: Group) -> str:
    return "energy source" if group == "energy" else group.removesuffix("s")
