"""The models that a suite names: where they are, which its gates choose, and what they ask of a backend."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path

from backends.about import Ability
from backends.base import ModelError
from backends.cut import FULL
from bench.errors import UserError, nearest
from bench.suite import libraries
from bench.suite.config import GateConfig, Model, Suite
from bench.suite.gates.base import Gate
from bench.suite.models import catalogue


def beside(file: Path, models: Mapping[str, Model]) -> dict[str, Model]:
    """Models whose name is a folder or a file relative to the suite, found from anywhere."""
    found = {}
    for key, model in models.items():
        name = Path(os.path.expanduser(model.name))  # what can be no path is none, and not an error
        folder = file.parent / name
        elsewhere = model.name not in catalogue() and os.path.exists(folder) and not _same(folder, name)
        found[key] = model.model_copy(update={"name": str(folder.resolve())}) if elsewhere else model
    return found


def _same(folder: Path, from_here: Path) -> bool:
    return from_here.resolve() == folder.resolve()


def models_of(suite: Suite, gates: dict[str, Gate]) -> dict[str, Model]:
    """The models that the gates' budgets name."""
    needed = {}
    for label, gate in gates.items():
        for budget in gate.budgets:
            needed[budget.model] = _model_of(suite, budget.model, f"gate {label!r} sends prompts to")
            if draft := budget.cut.draft:
                needed[draft] = _model_of(suite, draft, f"gate {label!r} lets tokens be guessed by")
    return needed


def _model_of(suite: Suite, key: str, use: str) -> Model:
    try:
        return suite.models[key]
    except KeyError:
        raise UserError(
            f"{use} the model {key!r}, which the suite lacks",
            fix=f"add [models.{key}] ({nearest(key, suite.models)})",
        ) from None


def check_urls(backends: Iterable[str], models: Mapping[str, Model]) -> None:
    """A model has a url, of a server on this machine, exactly where a backend passes requests on to one.

    Raises:
        UserError: it has none, another, or one that nothing uses.
    """
    served = {name: said.served for name in backends if (said := libraries.about(name)).served}
    for key, model in models.items():
        if model.url is None:
            if not served:
                continue
            raise UserError(
                f"backend {next(iter(served))!r} asks a server, but the model {key!r} has no url",
                fix='give --url, or in the suite: url = "http://127.0.0.1:11434/v1"',
            )
        if not served:
            raise UserError(
                f"the model {key!r} is at {model.url}, but no backend asks a server",
                fix='use backend "openai"',
            )
        for check in served.values():
            try:
                check(model.url)
            except ModelError as error:
                raise UserError(error.what, fix=error.fix) from None


def needs_of(suite: Suite, gates: dict[str, Gate], models: dict[str, Model]) -> list[Ability]:
    """What the backends have to be able to do."""
    cuts = any(budget.cut != FULL for gate in gates.values() for budget in gate.budgets)
    usual = suite.generation.prompt_cache
    shortened = any(model.layers is not None for model in models.values())
    needs: list[tuple[Ability, bool]] = [
        ("cuts", cuts),
        ("layers", shortened),
        ("prompt_cache", any(b.caches_prompts(usual) for gate in gates.values() for b in gate.budgets)),
        ("kv_bits", any(b.cut.cache_bits is not None for gate in gates.values() for b in gate.budgets)),
        ("batches", _largest_batch(suite, gates) > 1),
        ("token_ids", suite.prompts.tokens is not None or any(map(_looks_at_ids, suite.gates.values()))),
    ]
    return [ability for ability, is_needed in needs if is_needed]


def _looks_at_ids(gate: GateConfig) -> bool:
    return gate.plugin not in ("ungated", "constant", "random")


def _largest_batch(suite: Suite, gates: dict[str, Gate]) -> int:
    """Requests at a time, at most.

    Raises:
        UserError: a budget of several has a cut that means something for one only.
    """
    largest = 1
    for label, gate in gates.items():
        for budget in gate.budgets:
            batch = budget.batch or suite.generation.batch
            if batch > 1 and (guesses := budget.cut.guesses):
                raise UserError(
                    f"gate {label!r}: {guesses[0]} looks at the tokens of one request, but the batch is "
                    f"{batch}",
                    fix=f"give its budget batch = 1, or leave {guesses[0]} out of {label!r}",
                )
            largest = max(largest, batch)
    return largest
