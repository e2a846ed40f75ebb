"""What a command asks for, put together: a suite made ready, its meter, its models, and the run itself."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from itertools import product
from pathlib import Path

from bench.errors import UserError
from bench.run import host, run, sources, store
from bench.run.display.plain import Display
from bench.run.fetch import ensure
from bench.run.minutes import Minutes
from bench.run.records import EventRecord, SessionRecord, SizedRecord
from bench.run.session import Ask
from bench.run.sources import ChosenMeter
from bench.run.turns import answered
from bench.suite import from_models, libraries, memory, prepare
from bench.suite.config import Protocol
from bench.suite.from_models import ModelsAsked
from bench.suite.header import EnergyAsked, ModelFound, Overrides, PromptsUsed, RunHeader, SuiteFile
from bench.suite.prepare import Prepared
from bench.suite.suite_file import find_suite
from bench.suite.weights import one_sha256, sha256_of


def prepared(
    suite: str,
    *,
    energy: str | None,
    backends: list[str] | None,
    blocks: int | None,
    as_published: bool = False,
    plain: bool = False,
) -> tuple[Prepared, RunHeader]:
    """A suite ready to run, and the part of run.json that says what was asked for.

    `as_published` puts the papers' protocol in place of the suite's own; `plain` gives prompts as plain text.
    """
    ready = prepare.prepare(find_suite(suite), backends=backends, blocks=blocks, plain=plain)
    header = _header(ready, energy=energy, overrides=Overrides(backends=backends, blocks=blocks, plain=plain))
    if not as_published:
        return ready, header
    overrides = replace(header.overrides, as_published=True)
    return prepare.as_published(ready), replace(header, overrides=overrides)


def prepared_models(
    asked: ModelsAsked, *, energy: str | None, blocks: int | None
) -> tuple[Prepared, RunHeader]:
    """The same for models that the command line names."""
    suite, text = from_models.suite_of(asked)
    ready = prepare.resolve(suite, text, file=from_models.file_of(asked), blocks=blocks)
    return ready, _header(ready, energy=energy, overrides=Overrides(blocks=blocks, plain=False))


def _header(ready: Prepared, *, energy: str | None, overrides: Overrides) -> RunHeader:
    stated = ready.suite.energy
    asked = EnergyAsked(source=stated.source, options=stated.options, cross_check=list(stated.cross_check))
    file = str(ready.file.resolve())
    return RunHeader(
        suite=SuiteFile(name=ready.suite.name, path=file, sha256=ready.sha256, text=ready.text),
        overrides=overrides,
        energy=asked if energy in (None, stated.source) else EnergyAsked(source=str(energy)),
        backends=list(ready.backends),
        baseline=ready.suite.baseline,
        threshold=ready.suite.protocol.threshold,
        gates=list(ready.suite.gates),
        looks=_looks(ready.suite.protocol),
        prompts=PromptsUsed(
            file=ready.prompts.file.name,
            sha256=ready.prompts.sha256,
            ids=[prompt.id for prompt in ready.prompts.prompts],
        ),
    )


def _looks(protocol: Protocol) -> list[int]:
    """Declared looks; else the end, where it is known: that of a run of so many minutes is not."""
    return list(protocol.looks or (() if protocol.minutes else (protocol.blocks,)))


def prepared_again(
    folder: Path, *, blocks: int | None = None, void_again: bool = False
) -> tuple[Prepared, RunHeader]:
    """The suite of a run that was cut short, or that is to have more blocks than it was planned with.

    With `void_again` its whole blocks in which a slot is void are to be run once more.

    Raises:
        UserError: nothing is left to run, or something it needs has changed.
    """
    stored = store.read(folder)
    sized = stored.of(SizedRecord)[-1:]
    ready = prepare.prepare_again(stored.header, stored.prompts, blocks=None if sized else blocks)
    for chosen in sized:
        ready = prepare.resized(ready, **(chosen.sizes | ({"blocks": blocks} if blocks else {})))
    done = len(stored.finished_blocks)
    settled = any(event.kind == "settled" for event in stored.of(EventRecord))
    void = sorted(stored.void_blocks)
    if void_again and not void:
        raise UserError(f"{folder} has no void window", fix=f"go on without it: bench run --resume {folder}")
    if not void_again and (done >= len(ready.blocks) or (settled and blocks is None)):
        raise UserError(f"{folder} is complete: nothing to resume", fix=_instead(folder, done, void))
    return ready, stored.header


def _instead(folder: Path, done: int, void: list[int]) -> str:
    """What can be done with a run of `done` whole blocks, in some of which a slot is void."""
    resume = f"bench run --resume {folder}"
    if void:
        which = f"block {void[0]} has" if len(void) == 1 else f"blocks {', '.join(map(str, void))} have"
        return f"{which} a void window, run that again: {resume} --void-again"
    return f"look at it with: bench report {folder}, or go on: {resume} --blocks {2 * done}"


def ready_to_run(
    suite: str,
    asked: ModelsAsked | None,
    changes: Overrides,
    *,
    energy: str | None,
    resume: Path | None,
    void_again: bool,
) -> tuple[Prepared, RunHeader]:
    """What `bench run` is to run: the rest of an older run, a suite, or models.

    Raises:
        UserError: something that it refers to is not there.
    """
    blocks, plain = changes.blocks, bool(changes.plain)
    if resume is not None:
        return prepared_again(resume, blocks=blocks, void_again=void_again)
    if asked is None:
        return prepared(suite, energy=energy, backends=changes.backends, blocks=blocks, plain=plain)
    return prepared_models(asked, energy=energy, blocks=blocks)


def until(asked: str | None, ready: Prepared, header: RunHeader) -> RunHeader:
    """The header of a run that ends at the first look that has every verdict, if that is asked for.

    Raises:
        UserError: it is asked to run until something else, or no looks are declared.
    """
    if asked is None:
        return header
    if asked != "settled":
        raise UserError(f"--until {asked}: a run can't wait for that", fix="give --until settled")
    looks = ready.suite.protocol.looks
    if not looks:
        raise UserError(
            f"--until settled: the suite {ready.suite.name} declares no looks",
            fix="add to [protocol] of the suite: looks = [5, 10, 20], and blocks = 20",
        )
    return replace(header, overrides=replace(header.overrides, until_settled=True))


def choose_meter(header: RunHeader, *, shared: sources.Shared | None = None) -> ChosenMeter:
    """The energy source that a run asks for; `shared` with other runs of the command, if that is given."""
    asked = header.energy
    choose = sources.choose if shared is None else shared.choose
    return choose(asked.source, asked.options, cross_check=asked.cross_check)


def fetch_models(ready: Prepared, *, progress: Callable[[str, int | None, int | None], None]) -> None:
    """Bring every model that is missing onto this machine."""
    for backend, model in product(ready.backends, ready.models.values()):
        reads = libraries.weight_files([backend])
        ensure(model.name, model.revision, progress=progress, weight_files=reads)


def run_or_resume(
    ready: Prepared,
    header: RunHeader,
    chosen: ChosenMeter,
    *,
    out: Path,
    resume_from: Path | None,
    display: Display,
    ask: Ask | None = None,
    before_s: float = 0.0,
    void_again: bool = False,
) -> Path:
    """Start a new run, or go on with one whose models are still the same.

    `ask` is asked at each declared look of a run until settled. `before_s` is what the command has taken so
    far, for a run that is to end in so many minutes.
    """
    memory.check_fits(ready)  # before weights are hashed
    began_s = time.perf_counter()
    if resume_from is None:
        ready = answered(ready, progress=display.stage)
    before_s += time.perf_counter() - began_s
    minutes = Minutes.of(ready.suite.protocol, before_s=before_s)
    models = {key: model_found(ready, key) for key in ready.models}
    if resume_from is None:
        used = replace(header.prompts, sha256=ready.prompts.sha256)
        full = replace(header, models=models, prompts=used, **host.facts())
        return run.run(ready, meter=chosen, out=out, header=full, display=display, ask=ask, minutes=minutes)
    if not _are_same(models, header.models):
        raise UserError(
            f"the models of {resume_from} have changed since it was started", fix="start a new run"
        )
    _check_same_meter(resume_from, chosen)
    return run.resume(
        resume_from, ready, meter=chosen, display=display, ask=ask, minutes=minutes, void_again=void_again
    )


def _check_same_meter(folder: Path, chosen: ChosenMeter) -> None:
    """Joules of two sources are never mixed in one run."""
    before = {session.source.name for session in store.read(folder).of(SessionRecord)}
    now = chosen.source.info.name
    if before - {now}:
        raise UserError(
            f"{folder} was measured with {', '.join(before)}, but now {now} would be used ({chosen.note})",
            fix="make the first meter available again, or start a new run",
        )


def model_found(ready: Prepared, key: str) -> ModelFound:
    """A model of a suite with the hashes of its files.

    Raises:
        UserError: it is not on this machine.
    """
    model = ready.models[key]
    here = ready.locate(model)
    if here is None:
        raise UserError(f"the model {model.name!r} is not here", fix=f"run: bench models fetch {model.name}")
    settings, weights = model.model_dump(exclude={"revision"}), sha256_of(here.weight_files)
    return ModelFound(
        **settings,
        revision=here.revision,
        weight_sha256=one_sha256(weights),
        saved_as=here.saved_as,
        file_sha256=weights | sha256_of(here.files_beside),
    )


def _are_same(now: dict[str, ModelFound], before: dict[str, ModelFound]) -> bool:
    """Whether the models are those of a run, as far as its version has recorded them."""
    hashed = {key for key, model in before.items() if model.file_sha256 is not None}
    known = {key: model if key in hashed else replace(model, file_sha256=None) for key, model in now.items()}
    return known == before
