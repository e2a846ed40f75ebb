"""What a suite asks for, as a value: whether a run did the work of a claim's own suite is read from it."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict

from bench.errors import UserError
from bench.suite import plugins
from bench.suite.config import GateConfig, Generation, Model, Suite
from bench.suite.header import RunHeader
from bench.suite.prompts import prompts_of
from bench.suite.suite_file import find_suite, load_suite, parse_suite


class _Value(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class PromptsAsked(_Value):
    """The first prompts of a set."""

    count: int
    sha256: str
    """Of the whole set's file."""

    def __str__(self) -> str:
        return f"the first {self.count} of set {self.sha256[:12]}"


class ChatsAsked(_Value):
    """How prompts are written as chats."""

    chat: bool | None
    """False: plain text; None: where the model has a template."""
    system: str | None = None
    template: dict[str, Any] = {}

    def __str__(self) -> str:
        if self.chat is False:
            return "plain text"
        system = f", system {self.system!r}" if self.system is not None else ""
        arguments = f", template {self.template}" if self.template else ""
        return f"by the model's template{system}{arguments}"


class GateAsked(_Value):
    """A gate with all its options."""

    plugin: str
    options: dict[str, Any]
    """As JSON has them; an option that is left out has its default."""


class Asked(_Value):
    """Two runs that ask for the same are equal, however their suites are written."""

    prompts: PromptsAsked
    chats: ChatsAsked | None = None
    """None where it was not noted down."""
    generation: Generation | None = None
    """None where runs size their answers; like what follows empty for a suite that can't be read."""
    gates: dict[str, GateAsked] = {}
    models: dict[str, Model] = {}

    def work(self, gate: str) -> dict[str, object]:
        """What decides the work of a gate's arm, by name."""
        facts: dict[str, object] = {"prompts": self.prompts, "chats": self.chats, "answers": self.generation}
        asked = self.gates.get(gate)
        if asked is None:
            return facts | {f"gate {gate}": None}
        return facts | {f"gate {gate}": asked.plugin} | _leaves(f"gate {gate}, ", asked.options)

    def weights(self) -> dict[str, object]:
        """The models, by name."""
        return {f"model {key}": model for key, model in self.models.items()}


@cache  # every claim of a suite asks, for every run
def asked_by_suite(name: str) -> Asked:
    """What a suite of the program asks for.

    Raises:
        UserError: no such suite, or its prompts can't be read.
    """
    file = find_suite(name)
    suite, text = load_suite(file)
    prompts = prompts_of(suite.prompts, beside=file.parent)
    asked = PromptsAsked(count=len(prompts.prompts), sha256=prompts.sha256)
    return Asked(prompts=asked, **_rest_of(text))


def asked_of_run(header: RunHeader) -> Asked:
    """The same of a stored run."""
    asked = PromptsAsked(count=len(header.prompts.ids), sha256=header.prompts.sha256)
    rest = _rest_of(header.suite.text)
    if header.overrides.plain is not False:
        rest = rest | {"chats": ChatsAsked(chat=False)}
    return Asked(prompts=asked, **rest)


@lru_cache(maxsize=64)  # thousands of collected runs are of a few suites
def _rest_of(text: str) -> dict[str, Any]:
    """All but the prompts, by field; nothing where the text is no suite that this version can read."""
    try:
        suite: Suite = parse_suite(text, file=Path("stored suite"))
    except UserError:
        return {}
    gates = {label: GateAsked(plugin=g.plugin, options=_all_options(g)) for label, g in suite.gates.items()}
    generation = None if suite.sizes_answers else suite.generation
    return {"chats": _chats(suite), "generation": generation, "gates": gates, "models": suite.models}


def _chats(suite: Suite) -> ChatsAsked:
    asked = suite.prompts
    return ChatsAsked(chat=asked.chat, system=asked.system, template=asked.template)


def _all_options(gate: GateConfig) -> dict[str, Any]:
    """As they are written where the gate is not installed here, and its defaults are not known."""
    try:
        return plugins.all_options("gates", gate.plugin, gate.options)
    except UserError:
        return gate.options


def _leaves(prefix: str, values: Mapping[str, Any]) -> dict[str, object]:
    """By dotted name, so that two large options are told apart by what differs in them."""
    leaves: dict[str, object] = {}
    for name, value in values.items():
        if isinstance(value, Mapping):
            leaves |= _leaves(f"{prefix}{name}.", value)
        else:
            leaves[f"{prefix}{name}"] = value
    return leaves
