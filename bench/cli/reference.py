"""Reference pages in Markdown, made from the code that they describe.

python -m bench.cli.reference docs      writes docs/suite.md, docs/plugins.md and docs/commands.md
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from backends.cut import Cut
from bench.suite.config import Energy, GateConfig, Generation, Model, Prompts, Protocol, Suite
from bench.suite.gates.base import Budget
from bench.suite.plugins import GROUPS, Group, Plugin, limits_of, listing

MADE_BY = "<!-- made by `make docs`; a test holds it against the code -->"
TABLES: dict[str, type[BaseModel]] = {
    "models.LABEL": Model,
    "prompts": Prompts,
    "generation": Generation,
    "gates.LABEL": GateConfig,
    "protocol": Protocol,
    "energy": Energy,
}
"""Tables of a suite, in the order of the page."""
FROM_THE_MODEL = ("folder", "dtype", "layers")
"""Options of a backend that come from the suite's table of the model."""
KINDS: dict[Group, str] = {
    "backends": "Backends",
    "energy": "Energy sources",
    "gates": "Gates",
    "figures": "Figures",
    "cuts": "Cuts",
}
WHERE: dict[Group, str] = {
    "backends": 'In a suite: `backends = ["NAME"]`, with options in `[backend_options.NAME]`',
    "energy": 'In a suite: `[energy] source = "NAME"`, with options beside it',
    "gates": 'In a suite: `[gates.LABEL] plugin = "NAME"`, with options beside it; `full` and `small` '
    "are budgets",
    "figures": "`bench plot RUN NAME`, and on every report page",
    "cuts": "In a budget: `cut = { NAME = VALUE }`, or `--cut NAME=VALUE`. Packages add such keys too; the "
    "keys that every cut has are below, under [A cut](#a-cut)",
}


def suite_page() -> str:
    """Every key of a suite."""
    lines = [
        "# Suite reference",
        MADE_BY,
        "A suite is one TOML file. Unknown keys are errors that name the nearest known one. `bench init` "
        "writes a suite, `bench run SUITE --dry-run` checks one and shows its plan.",
        "## Top level",
        _keys(Suite, without=[name.partition(".")[0] for name in TABLES]),
    ]
    for name, model in TABLES.items():
        lines += [f"## `[{name}]`", _text(model.__doc__), _keys(model)]
    return _page(lines)


def plugin_page() -> str:
    """Every plugin with its options, and what a budget and a cut are."""
    lines = [
        "# Plugins",
        MADE_BY,
        "`bench doctor --plugins` lists those that are installed. A plugin is a factory behind an entry "
        "point: its keyword arguments are its options. How to add one is in the [tutorial](tutorial.md).",
    ]
    plugins = [plugin for plugin in listing() if plugin.distribution == "joulebench"]
    for group in GROUPS:
        lines += [f"## {KINDS[group]}", f"{WHERE[group]}."]
        for plugin in plugins:
            if plugin.group == group:
                said = " ".join([plugin.summary, *limits_of(plugin)])
                lines += [f"### `{plugin.name}`", said, _options(plugin)]
    lines += [
        "## A budget",
        'What a gate gives a prompt, such as `small = { model = "small" }`.',
        _keys(Budget),
    ]
    lines += ["## A cut", "What a budget leaves out, such as `{ cut = { kv_keep = 0.5 } }`.", _keys(Cut)]
    return _page(lines)


def command_page() -> str:
    """Every command with its arguments and options."""
    from typer.main import get_command

    from bench.cli.app import app

    root = get_command(app)
    lines = [
        "# Commands",
        MADE_BY,
        "Exit codes: 0 done, 1 a run failed, 2 a mistake in what was asked, 130 Ctrl-C.",
    ]
    for name, command in _commands(root, "bench"):
        lines += [f"## `{name}`", _help(command.help or "")]
        rows = [_parameter(p) for p in command.params if not getattr(p, "hidden", False)]
        shown = [row for row in rows if row]
        if shown:
            lines.append("\n".join(["| | |", "|---|---|", *shown]))
    return _page(lines)


PAGES = {"suite.md": suite_page, "plugins.md": plugin_page, "commands.md": command_page}


def main() -> None:
    """Write the pages into the folder that is named."""
    folder = Path(sys.argv[1] if len(sys.argv) == 2 else "docs")
    for name, page in PAGES.items():
        (folder / name).write_text(page(), encoding="utf-8")


def _page(parts: list[str]) -> str:
    return "\n\n".join(part.strip() for part in parts if part.strip()) + "\n"


def _keys(model: type[BaseModel], *, without: list[str] | None = None) -> str:
    rows = [
        f"| `{key}` | {_kind(field)} | {_default(field)} | {_text(field.description)} |"
        for key, field in model.model_fields.items()
        if key not in (without or ())
    ]
    return "\n".join(["| key | kind | default | meaning |", "|---|---|---|---|", *rows])


def _kind(field: FieldInfo) -> str:
    """`int`, `one of "a", "b"`, with the limits that are checked."""
    choices = get_args(field.annotation)
    if choices and all(isinstance(choice, str) for choice in choices):
        return " or ".join(f'`"{choice}"`' for choice in choices)
    name = getattr(field.annotation, "__name__", "") if not choices else str(field.annotation)
    signs = {"ge": "≥", "gt": ">", "le": "≤", "lt": "<"}
    limits = [
        f"{sign} {getattr(m, key):g}"
        for m in field.metadata
        for key, sign in signs.items()
        if hasattr(m, key)
    ]
    return ", ".join([_plain_kind(name), *limits])


def _plain_kind(name: str) -> str:
    kinds = {"str": "text", "int": "whole number", "float": "number", "bool": "true or false"}
    kinds |= {"Cut": "a cut", "tuple": "list"}
    kinds |= {"int | None": "whole number", "str | None": "text", "tuple[str, ...]": "list of text"}
    kinds |= {"tuple[int, ...]": "list of whole numbers", "bool | None": "true or false"}
    return kinds.get(name, "table")


def _default(field: FieldInfo) -> str:
    if field.default is PydanticUndefined:
        return "required" if field.default_factory is None else "-"
    if field.default is None or field.default == () or isinstance(field.default, BaseModel):
        return "-"
    return f"`{json.dumps(field.default)}`"


def _options(plugin: Plugin) -> str:
    rows = [
        f"| `{key}` | {default if default in ('required', 'none') else f'`{default}`'} | "
        f"{_sentence(plugin.meanings.get(key, ''))} |"
        for key, default in plugin.options.items()
        if not (plugin.group == "backends" and key in FROM_THE_MODEL)
    ]
    if not rows:
        return "" if plugin.group == "figures" else "No options."
    return "\n".join(["| option | default | meaning |", "|---|---|---|", *rows])


def _commands(group: Any, name: str) -> Iterator[tuple[str, Any]]:
    for key, command in sorted(group.commands.items()):
        inner = getattr(command, "commands", None)
        if inner is None or getattr(command, "invoke_without_command", False):
            yield f"{name} {key}", command
        if inner is not None:
            yield from _commands(command, f"{name} {key}")


def _parameter(parameter: Any) -> str:
    if parameter.name == "help":
        return ""
    said = _text(getattr(parameter, "help", None))
    if parameter.param_type_name == "argument":
        return f"| `{parameter.metavar or parameter.name.upper()}` | {said} |"
    default = parameter.default
    if default not in (None, False, True, ()) and not callable(default):
        said += f" Default: `{default}`."
    return f"| `{', '.join([*parameter.opts, *parameter.secondary_opts])}` | {said} |"


def _help(text: str) -> str:
    """Help as Markdown: what rich shows in bold is something to type."""
    return re.sub(r"\[bold\](.*?)\[/\]", r"`\1`", text)


def _sentence(said: str) -> str:
    return _text(said[:1].upper() + said[1:])


def _text(said: str | None) -> str:
    """One line that can't break out of a table's cell."""
    return " ".join((said or "").split()).replace("|", "\\|")


if __name__ == "__main__":
    main()
