"""Points of the arms of a spectral study, measured on one model."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from analysis.rows import SpectralPoint
from bench.run.workers.messages import Load, ModelToLoad
from bench.run.workers.model import STUDY_WORKER, ModelWorker, model_here, model_worker
from bench.studies.spectral.points import AskPoints, Measured
from bench.studies.spectral.study_prompts import (
    PUBLISHED_REPEATS,
    ArmName,
    SpectralPrompt,
    arm_prompts,
    as_published,
)
from bench.suite.prompt_forms import Prompt

AT_ONCE = 20
"""Prompts per message: often enough for a display, seldom enough to cost nothing."""

Progress = Callable[[str], None]


def measure_arms(
    name: str,
    *,
    backend: str,
    arms: Sequence[ArmName],
    options: dict[str, Any],
    count: int,
    seed: int,
    progress: Progress,
) -> list[Measured]:
    """Measure the arms on one model, in a process of its own.

    Args:
        name: of the model.
        backend: plugin that runs it.
        arms: which arms.
        options: of the backend, such as `dtype`.
        count: prompts of the powered arm.
        seed: of the powered arm.
        progress: told what is going on.

    Raises:
        UserError: the model is not here or can't be loaded.
        RunFailed: the process that runs it died.
    """
    prompts = {arm: arm_prompts(arm, count=count, seed=seed) for arm in arms}
    here = model_here(name, backend=backend)
    progress(f"loading {name} on {backend}")
    load = Load(models={name: ModelToLoad(folder=here.path, options=options)})
    with model_worker(backend, load, module=STUDY_WORKER) as worker:
        return [
            _measure(worker, name, arm, _chosen(worker, name, arm, prompts[arm]), progress) for arm in arms
        ]


def _chosen(
    worker: ModelWorker, name: str, arm: ArmName, prompts: Sequence[SpectralPrompt]
) -> Sequence[SpectralPrompt]:
    if arm != "published":
        return prompts
    texts = [Prompt(id=prompt.id, text=prompt.text) for prompt in prompts]
    return as_published(prompts, worker.encode(texts, model=name))


def _measure(
    worker: ModelWorker, name: str, arm: ArmName, prompts: Sequence[SpectralPrompt], progress: Progress
) -> Measured:
    points: list[SpectralPoint] = []
    ids: dict[str, list[int]] = {}
    for begin in range(0, len(prompts), AT_ONCE):
        progress(f"{name}, set {arm}: prompt {begin + 1} of {len(prompts)}")
        some = prompts[begin : begin + AT_ONCE]
        taken = worker.ask(AskPoints(model=name, prompts=list(some)))
        ids |= {prompt.id: row for prompt, row in zip(some, taken.ids, strict=True)}
        points += [point for point in taken.points if point is not None]
    return Measured(
        arm=arm,
        points=points * (PUBLISHED_REPEATS if arm == "published" else 1),
        prompts=len(prompts),
        ids=ids,
        vocabulary=worker.info[name].vocabulary,
    )
