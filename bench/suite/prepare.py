"""Everything a suite refers to, resolved before anything starts or is written."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path
from typing import Any

from bench.errors import UserError, nearest
from bench.suite import libraries, plugins, sizing
from bench.suite.cadence import stretched
from bench.suite.config import Model, Protocol, Suite
from bench.suite.gates.base import Gate
from bench.suite.gates.matching import match_controls
from bench.suite.header import RunHeader
from bench.suite.models import LocalModel, locate
from bench.suite.plan import Arm, PlannedSlot, make_arms, make_blocks, one_after_another
from bench.suite.prompt_forms import Chat, Prompt
from bench.suite.prompts import PromptSet, prompts_of
from bench.suite.suite_file import load_suite, parse_suite
from bench.suite.suite_models import beside, check_urls, models_of, needs_of

REST_S = 2.0
LONGEST_H = 720
"""Hours of a run: a month."""
MOST_BLOCKS = 100_000
ONE_PASS_S = 1e-9
"""Whole passes run until a window is so long: one."""


@dataclass(frozen=True, kw_only=True)
class Prepared:
    """A suite whose every reference has been found to exist."""

    suite: Suite
    text: str
    """The suite file, verbatim."""
    file: Path
    prompts: PromptSet
    models: dict[str, Model]
    """The models that some gate can choose, by key. Others are not loaded."""
    baseline_model: str
    """Key of the model whose token ids the gates see."""
    arms: list[Arm]
    blocks: list[list[PlannedSlot]]
    new_tokens: tuple[int, ...] = ()
    """Lengths of an answer to choose from once the run is sized, longest first; empty where it is stated."""
    as_published: bool = False
    """Unwarmed and one after another, as `as_published` makes it."""

    @property
    def sha256(self) -> str:
        """Hash of the suite's text."""
        return hashlib.sha256(self.text.encode()).hexdigest()

    @property
    def backends(self) -> tuple[str, ...]:
        """Backends in the order of the suite."""
        return self.suite.backends

    def locate(self, model: Model, *backends: str) -> LocalModel | None:
        """The model on this machine, with what these backends read of it or all do; or None."""
        reads = libraries.weight_files(backends or self.backends)
        return locate(model.name, model.revision, weight_files=reads)

    @property
    def chat(self) -> Chat | None:
        """How prompts are written as chats; None: they are plain text."""
        asked = self.suite.prompts
        if asked.chat is False:
            return None
        wants = {"chat = true": asked.chat, "system": asked.system, "template": asked.template}
        demanded = " and ".join(key for key, value in wants.items() if value)
        return Chat(demanded=demanded, system=asked.system, template=asked.template)


def prepare(
    file: Path, *, backends: list[str] | None = None, blocks: int | None = None, plain: bool = False
) -> Prepared:
    """Read a suite file and resolve what it names.

    Args:
        file: the suite.
        backends: run only these of the suite's backends.
        blocks: run so many blocks instead of the suite's number.
        plain: give prompts as plain text, whatever the suite says of chats.

    Raises:
        UserError: whatever is wrong, in one line.
    """
    suite, text = load_suite(file)
    return resolve(suite, text, file=file, backends=backends, blocks=blocks, plain=plain)


def prepare_again(
    header: RunHeader, prompts: tuple[Prompt, ...] = (), *, blocks: int | None = None
) -> Prepared:
    """The suite of a stored run, for resuming it.

    Args:
        header: of the run.
        prompts: that the run folder keeps; without them they are read from where they were.
        blocks: to go on to, in place of the run's own number.

    Raises:
        UserError: its prompts or plugins are not what they were.
    """
    file, text, changed = Path(header.suite.path), header.suite.text, header.overrides
    suite = parse_suite(text, file=file)
    kept = None
    if prompts:
        kept = PromptSet(file=Path(header.prompts.file), sha256=header.prompts.sha256, prompts=prompts)
    prepared = resolve(
        suite,
        text,
        file=file,
        backends=changed.backends,
        blocks=blocks or changed.blocks,
        prompts=kept,
        plain=changed.plain is not False,
    )
    if prepared.prompts.sha256 != header.prompts.sha256:
        raise UserError(
            f"{prepared.prompts.file} has changed since the run was started",
            fix="restore it, or start a new run",
        )
    return as_published(prepared) if changed.as_published else prepared


def as_published(prepared: Prepared) -> Prepared:
    """The same suite by the papers' protocol as it was, so that its error can be seen.

    Every arm once and one pass of it, one after another, the ungated one first; processes that were just
    started and have answered nothing yet. The rest after each slot leaves room for one sample of a second.
    """
    suite = prepared.suite
    rest_s = max(suite.protocol.cool_down_s, REST_S)
    changes = {
        "minutes": None,
        "blocks": 1,
        "min_window_s": ONE_PASS_S,
        "warm_up_s": 0.0,
        "cool_down_s": rest_s,
        "a_a": True,
    }
    arms = make_arms(suite.backends, list(suite.gates), baseline=suite.baseline, a_a=True)
    return replace(
        prepared,
        suite=suite.model_copy(update={"protocol": suite.protocol.model_copy(update=changes)}),
        arms=arms,
        blocks=one_after_another(arms, baseline=suite.baseline),
        as_published=True,
    )


def resolve(
    suite: Suite,
    text: str,
    *,
    file: Path,
    backends: list[str] | None = None,
    blocks: int | None = None,
    prompts: PromptSet | None = None,
    plain: bool = False,
) -> Prepared:
    """Check every reference of a suite; its prompts are read unless they are given."""
    if plain:
        as_text: dict[str, Any] = {"chat": False, "system": None, "template": {}}
        suite = suite.model_copy(update={"prompts": suite.prompts.model_copy(update=as_text)})
    suite = _narrow(suite, backends, blocks)
    for backend in suite.backends:
        plugins.check_values("backends", backend, suite.backend_options.get(backend, {}))
    if suite.energy.source != "auto":
        plugins.find("energy", suite.energy.source)
    suite = suite.model_copy(update={"models": beside(file, suite.models)})
    gates = make_gates(suite)
    match_controls(gates, [])
    models = models_of(suite, gates)
    needs = needs_of(suite, gates, models)
    for backend in suite.backends:
        libraries.check(backend, [model.dtype for model in models.values()], needs=needs)
    check_urls(suite.backends, models)
    for backend, model in product(suite.backends, models.values()):
        _check_reads(backend, model)
    baseline = gates[suite.baseline].budgets[0]
    new_tokens = _new_tokens_to_choose_from(suite, gates)
    if new_tokens:
        shortest = suite.generation.model_copy(update={"max_new_tokens": new_tokens[-1]})
        suite = suite.model_copy(update={"generation": shortest})
    prompts = prompts or prompts_of(suite.prompts, beside=file.parent)
    arms = make_arms(suite.backends, list(suite.gates), baseline=suite.baseline, a_a=suite.protocol.a_a)
    return Prepared(
        suite=suite,
        text=text,
        file=file,
        prompts=prompts,
        models=models,
        baseline_model=baseline.model,
        arms=arms,
        blocks=make_blocks(arms, count=_blocks(suite.protocol, arms), seed=suite.seed),
        new_tokens=new_tokens,
    )


def _blocks(protocol: Protocol, arms: Sequence[Arm]) -> int:
    """Their number.

    Raises:
        UserError: a run of so many takes longer than anybody waits.
    """
    hours = protocol.blocks * 2 * len(arms) * (protocol.min_window_s + protocol.cool_down_s) / 3600
    if hours > LONGEST_H or protocol.blocks > MOST_BLOCKS:
        raise UserError(
            f"blocks = {protocol.blocks}: with windows of {protocol.min_window_s:g} s and {len(arms)} "
            f"configurations that takes {hours:.3g} hours at least",
            fix=f"stay below {LONGEST_H} hours and {MOST_BLOCKS:,} blocks",
        )
    return protocol.blocks


def resized(
    prepared: Prepared,
    *,
    prompts: int | None,
    blocks: int,
    window_s: float,
    new_tokens: int,
    reading_s: float,
) -> Prepared:
    """The same with what was chosen for its minutes and its meter; it has none any more."""
    suite = prepared.suite
    lengths = {"minutes": None, "blocks": blocks, "min_window_s": window_s}
    update = {
        "protocol": stretched(suite.protocol, reading_s).model_copy(update=lengths),
        "generation": suite.generation.model_copy(update={"max_new_tokens": new_tokens}),
    }
    return replace(
        prepared,
        suite=suite.model_copy(update=update),
        prompts=replace(prepared.prompts, prompts=prepared.prompts.prompts[:prompts]),
        blocks=make_blocks(prepared.arms, count=blocks, seed=suite.seed),
        new_tokens=(),
    )


def without(prepared: Prepared, backends: Collection[str]) -> Prepared:
    """The same for the other backends."""
    suite = prepared.suite
    kept = tuple(name for name in suite.backends if name not in backends)
    arms = [arm for arm in prepared.arms if arm.backend in kept]
    blocks = (
        one_after_another(arms, baseline=suite.baseline)
        if prepared.as_published
        else make_blocks(arms, count=len(prepared.blocks), seed=suite.seed)
    )
    return replace(prepared, suite=suite.model_copy(update={"backends": kept}), arms=arms, blocks=blocks)


def _new_tokens_to_choose_from(suite: Suite, gates: dict[str, Gate]) -> tuple[int, ...]:
    """None where the suite or a budget states the length of an answer."""
    stated = any(budget.max_new_tokens for gate in gates.values() for budget in gate.budgets)
    return sizing.NEW_TOKENS if suite.sizes_answers and not stated else ()


def make_gates(suite: Suite) -> dict[str, Gate]:
    """The suite's gates by label, with every option checked."""
    return {label: plugins.create("gates", gate.plugin, gate.options) for label, gate in suite.gates.items()}


def _check_reads(backend: str, model: Model) -> None:
    """Refuse a model that is here and that the backend can't read."""
    try:
        locate(model.name, model.revision, weight_files=libraries.weight_files([backend]))
    except UserError as error:
        raise UserError(f"backend {backend!r}: {error.what}", fix=error.fix) from None


def _narrow(suite: Suite, backends: list[str] | None, blocks: int | None) -> Suite:
    """The suite with the choices of the command line."""
    for backend in backends or []:
        if backend not in suite.backends:
            raise UserError(f"the suite has no backend {backend!r}", fix=nearest(backend, suite.backends))
    if blocks is not None and blocks < 1:
        raise UserError(f"blocks = {blocks}", fix="a run needs at least 1")
    count = blocks or suite.protocol.blocks
    looks = tuple(look for look in suite.protocol.looks if look < count)
    update = {"blocks": count, "looks": (*looks, count) if looks else ()}
    update |= {"minutes": None} if blocks else {}
    protocol = sizing.shortened(suite.protocol.model_copy(update=update))
    chosen = tuple(b for b in suite.backends if b in backends) if backends else suite.backends
    return suite.model_copy(update={"protocol": protocol, "backends": chosen})
