"""`bench sweep`: a suite whose gates are the points, run like any other, then read for its quality.

Because a sweep is a suite, it has blocks, an A/A arm, attributed joules and a run folder that can be
resumed. What it adds to run.json is `sweep`: the points, and the text for perplexity.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import tomlkit

from backends.base import BackendError
from backends.cut import FULL
from backends.folder import open_folder
from bench.errors import UserError
from bench.run import start, store
from bench.run.display.plain import Display
from bench.run.sources import ChosenMeter
from bench.run.workers.process import WorkerRefused
from bench.studies.cuts.cut_options import Point, Points
from bench.studies.cuts.texts import TextChoice
from bench.studies.sweep.findings import JudgedSweep
from bench.studies.sweep.judging import judge_run
from bench.suite import prepare as preparing
from bench.suite.bundled import configs_folder
from bench.suite.config import Suite
from bench.suite.header import RunHeader, Sweep
from bench.suite.prepare import Prepared, make_gates
from bench.suite.prompts import prompts_of
from bench.suite.suite_file import find_suite, load_suite

Progress = Callable[[str, int | None, int | None], None]


@dataclass(frozen=True, kw_only=True)
class SweepRequest:
    """What was typed."""

    suite: str
    points: Points
    reading: TextChoice
    energy: str | None = None
    backends: list[str] | None = None
    blocks: int | None = None


@dataclass(frozen=True, kw_only=True)
class Job:
    """A sweep that is ready to run."""

    prepared: Prepared
    header: RunHeader
    meter: ChosenMeter
    resume: Path | None


def prepare(request: SweepRequest | None, resume: Path | None, *, progress: Progress) -> Job:
    """Everything that a sweep needs, found before anything starts.

    Args:
        request: a new sweep; None to go on with an old one.
        resume: the folder of that one.
        progress: told of downloads.

    Raises:
        UserError: whatever is wrong, in one line.
    """
    if resume is not None:
        stored = store.read(resume)
        header = _header_of(resume)
        prepared = preparing.prepare_again(header, stored.prompts)
    else:
        assert request is not None, "a new sweep says what it sweeps"
        gates = point_gates(suite_of(request), request.points.points)
        prepared, header = as_suite(request, gates)
    start.fetch_models(prepared, progress=progress)
    _check_context(prepared, TextChoice(**swept(header).reading))
    return Job(prepared=prepared, header=header, meter=start.choose_meter(header), resume=resume)


def run(job: Job, *, out: Path, display: Display) -> Path:
    """Run what is left of the sweep; returns its folder.

    Raises:
        UserError: a cut does not fit the model or a prompt; nothing is left behind.
        RunFailed: the run could not go on.
    """
    if job.resume and len(store.read(job.resume).finished_blocks) == len(job.prepared.blocks):
        return job.resume
    try:
        return start.run_or_resume(
            job.prepared, job.header, job.meter, out=out, resume_from=job.resume, display=display
        )
    except WorkerRefused as error:
        raise UserError(error.what, fix=error.fix) from None


def judge(folder: Path, *, progress: Callable[[str], None]) -> JudgedSweep:
    """Read the run, and ask its models for the quality of every point.

    Raises:
        UserError: the folder is no sweep, or its text has changed.
        RunFailed: the process that runs a model died; the run is kept, and the sweep can be resumed.
    """
    header, stored = _header_of(folder), store.read(folder)
    prepared = preparing.prepare_again(header, stored.prompts)
    text = TextChoice(**swept(header).reading).open(prepared.prompts)
    if text.sha256 != swept(header).text_sha256:
        raise UserError(f"the text {text.name!r} has changed since the sweep was started", fix="restore it")
    return judge_run(stored, prepared, text, progress=progress)


def as_suite(request: SweepRequest, gates: Mapping[str, Mapping[str, Any]]) -> tuple[Prepared, RunHeader]:
    """The request's suite with other gates beside the ungated one, and the start of its run.json.

    Args:
        request: names the suite and how the text is read.
        gates: by label, as a suite has them.

    Raises:
        UserError: whatever is wrong with the suite, in one line.
    """
    original = find_suite(request.suite)
    suite = suite_of(request)
    prompts = prompts_of(suite.prompts, beside=original.parent)
    text = request.reading.open(prompts)
    with TemporaryDirectory(prefix="joulebench-") as scratch:
        file = Path(scratch) / original.name
        file.write_text(_with_gates(suite, gates, prompts.file), encoding="utf-8")
        prepared, header = start.prepared(
            str(file), energy=request.energy, backends=request.backends, blocks=request.blocks
        )
    sweep = Sweep(
        swept=list(request.points.swept),
        points=[{"label": point.label, "cut": point.cut.stated} for point in request.points.points],
        reading={**asdict(request.reading), "text": _found_from_anywhere(request.reading.text)},
        text_sha256=text.sha256,
    )
    named = replace(header.suite, path=str(original.resolve()))
    return prepared, replace(header, suite=named, sweep=sweep)


def point_gates(suite: Suite, points: tuple[Point, ...]) -> dict[str, dict[str, Any]]:
    """A constant gate for each point that leaves something out; the ungated arm stands for the others.

    Raises:
        UserError: no point leaves anything out.
    """
    budget = make_gates(suite)[suite.baseline].budgets[0].model_dump(mode="json", exclude_defaults=True)
    gates = {
        point.label: {"plugin": "constant", "budget": {**budget, "cut": point.cut.stated}}
        for point in points
        if point.cut != FULL
    }
    if not gates:
        raise UserError(
            "every point is the whole model", fix="sweep values below 1, such as kv_keep=0.1:1.0:0.1"
        )
    return gates


def suite_of(request: SweepRequest) -> Suite:
    """The suite that a request names, as it is written."""
    return load_suite(find_suite(request.suite))[0]


def _header_of(folder: Path) -> RunHeader:
    header = store.read_header(folder)
    if header.sweep is None:
        raise UserError(f"{folder} is a run but no sweep", fix=f"look at it with: bench report {folder}")
    return header


def swept(header: RunHeader) -> Sweep:
    """What makes the run a sweep."""
    assert header.sweep is not None, "only headers of sweeps are asked"
    return header.sweep


def _found_from_anywhere(name: str | None) -> str | None:
    return str(Path(name).resolve()) if name and Path(name).exists() else name


def _check_context(prepared: Prepared, reading: TextChoice) -> None:
    """Before the run rather than after it: does a window fit the model?"""
    model = prepared.models[prepared.baseline_model]
    here = prepared.locate(model)
    if here is None or here.folder is None:
        return
    try:
        reading.check_context(open_folder(here.folder, layers=model.layers).context)
    except BackendError as error:
        raise UserError(error.what, fix=error.fix) from None


def _with_gates(suite: Suite, gates: Mapping[str, Mapping[str, Any]], prompts: Path) -> str:
    """The suite as TOML with other gates beside the ungated one; its prompts are found from anywhere."""
    table = suite.model_dump(mode="json", exclude_none=True)
    if prompts.parent != configs_folder() / "prompts":
        table["prompts"]["file"] = str(prompts.resolve())
    table["name"] = f"sweep-{suite.name}"
    table["gates"] = {suite.baseline: table["gates"][suite.baseline], **gates}
    return tomlkit.dumps(table)
