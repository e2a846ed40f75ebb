"""The commands that look into a model and weigh its cuts; `register` puts them into the command line."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from bench.cli import complete
from bench.cli.commands import JUDGE, MEASURE, PAPERS, add
from bench.cli.options import (
    AllowRoot,
    Json,
    OnlyBackends,
    OtherEnergy,
    RunsFolder,
    SuiteName,
    console,
    display,
)

if TYPE_CHECKING:
    from backends.about import Ability
    from bench.studies.cuts.against_whole import CutQuestion
    from bench.studies.cuts.quality import Progress
    from bench.studies.cuts.texts import Text
    from bench.studies.sweep.run import SweepRequest
    from bench.suite.models import LocalModel
    from bench.suite.prompts import PromptSet


ModelName = Annotated[
    str,
    typer.Argument(
        metavar="MODEL", autocompletion=complete.models, help="A name of `bench models`, a hub id, a folder."
    ),
]
Cuts = Annotated[
    list[str] | None,
    typer.Option(
        "--cut",
        metavar="KEY=VALUE",
        autocompletion=complete.cuts,
        help="What is left out, such as kv_keep=0.5; several compose.",
    ),
]
SweptCuts = Annotated[
    list[str] | None,
    typer.Option(
        "--cut",
        metavar="KEY=VALUES",
        autocompletion=complete.cuts,
        help="kv_keep=0.1:1.0:0.1 or weight_bits=16/8/4; two make a grid.",
    ),
]
TextName = Annotated[
    str | None,
    typer.Option("--text", help="A text file, or wikitext-2; without it the words of the prompts."),
]
Prompts = Annotated[
    str, typer.Option("--prompts", autocompletion=complete.prompts, help="Prompt set, or a JSONL file.")
]
Window = Annotated[int, typer.Option(help="Tokens of a window of the text.")]
Stride = Annotated[int, typer.Option(help="Tokens from one window to the next.")]
Windows = Annotated[int, typer.Option(help="Windows at most; the rest of the text is left aside.")]
Backend = Annotated[str, typer.Option(autocompletion=complete.backends, help="Backend that runs the model.")]
Dtype = Annotated[str, typer.Option(help="float32, bfloat16 or float16.")]


def register(app: typer.Typer) -> None:
    """Add the commands of this file to the command line."""
    add(app, MEASURE, sweep)
    add(app, JUDGE, quality)
    add(app, PAPERS, redundancy)


def quality(
    model: ModelName,
    cut: Cuts = None,
    text: TextName = None,
    window: Window = 1024,
    stride: Stride = 512,
    windows: Windows = 15,
    prompts: Prompts = "short_questions",
    limit: Annotated[int, typer.Option(min=1, help="Prompts; an interval needs 20.")] = 20,
    max_new_tokens: Annotated[int, typer.Option(min=1, help="Of an answer.")] = 32,
    backend: Backend = "torch",
    dtype: Dtype = "float32",
    allow_root: AllowRoot = False,
    as_json: Json = False,
) -> None:
    """Say what a cut costs in quality: perplexity, token match, KL and score, or that it is inactive.

    Example: [bold]bench quality smollm2-135m --cut kv_keep=0.5 --text book.txt[/]
    """
    from bench.run import privilege
    from bench.studies.cuts.cut_options import one_cut

    asked = one_cut(cut or [])
    privilege.lower(allow_root=allow_root)
    from bench.studies.cuts import against_whole
    from bench.studies.cuts.texts import TextChoice
    from bench.suite.prompts import load_prompts

    question = against_whole.CutQuestion(
        cut=asked,
        backend=backend,
        options=_options(backend, dtype, "cuts", "logits"),
        prompts=load_prompts(prompts, beside=Path(), limit=limit),
        max_new_tokens=max_new_tokens,
        reading=TextChoice(text=text, window=window, stride=stride, windows=windows),
    )
    _quality(model, question, as_json=as_json)


def _quality(model: str, question: CutQuestion, *, as_json: bool) -> None:
    from bench.studies.cuts import against_whole

    question.reading.open(question.prompts)  # a mistake in it is told before a model is fetched
    with _model(model, question.backend) as (here, progress):
        judged = against_whole.judge_cut(here, question, progress=progress)
    if as_json:
        print(json.dumps(asdict(judged), indent=2))
        return
    against_whole.show(judged, console())


def redundancy(
    model: ModelName,
    text: TextName = None,
    prompts: Prompts = "mixed",
    pieces: Annotated[int, typer.Option(help="Prompts, or pieces of the text, at most.")] = 20,
    iterative: Annotated[
        int, typer.Option(min=0, help="Drop so many modules one by one, measuring after each.")
    ] = 0,
    among: Annotated[
        Literal["attention", "mlp", "both"], typer.Option(help="Modules that are dropped so.")
    ] = "both",
    backend: Backend = "torch",
    dtype: Dtype = "float32",
    out: Annotated[Path | None, typer.Option(help="Folder for the figure; none is drawn without it.")] = None,
    allow_root: AllowRoot = False,
    as_json: Json = False,
) -> None:
    """Say which layers change little: a profile of attention, MLP and blocks, with a ranking.

    Example: [bold]bench redundancy smollm2-135m --out figures[/]
    """
    from bench.run import privilege
    from bench.studies.cuts.texts import load_text
    from bench.suite.prompts import load_prompts

    privilege.lower(allow_root=allow_root)
    calibration = load_text(text) if text else load_prompts(prompts, beside=Path())
    options = {"backend": backend, "options": _options(backend, dtype, "redundancy"), "most_pieces": pieces}
    options |= {"iterative": iterative, "among": ("attention", "mlp") if among == "both" else (among,)}
    _redundancy(model, calibration, options, out=out, as_json=as_json)


def _redundancy(
    model: str, calibration: PromptSet | Text, options: dict[str, Any], *, out: Path | None, as_json: bool
) -> None:
    from bench.show.table import say
    from bench.studies.cuts import redundancy as look
    from bench.studies.cuts import redundancy_shown as shown

    with _model(model, options["backend"]) as (here, progress):
        profile = look.profile(here, calibration=calibration, progress=progress, **options)
    files = [str(file) for file in shown.draw(profile, out)] if out else []
    if as_json:
        print(json.dumps({**asdict(profile), "rule": look.RULE, "figures": files}, indent=2))
        return
    shown.show(profile, console())
    say(console(), *(f"figure: {file}" for file in files), whole=True)


def sweep(
    suite: SuiteName = "quick",
    cut: SweptCuts = None,
    text: TextName = None,
    window: Window = 1024,
    stride: Stride = 512,
    windows: Windows = 15,
    energy: OtherEnergy = None,
    backend: OnlyBackends = None,
    blocks: Annotated[int | None, typer.Option(help="Number of blocks instead of the suite's.")] = None,
    out: RunsFolder = Path("results"),
    resume: Annotated[
        Path | None, typer.Option(autocompletion=complete.runs, help="Go on with a sweep that was cut short.")
    ] = None,
    allow_root: AllowRoot = False,
    as_json: Json = False,
) -> None:
    """Run a cut at many strengths: speed, bytes, joules and quality of each, the cliff, one figure.

    Example: [bold]bench sweep quick --cut kv_keep=0.1:1.0:0.1[/]
    """
    from bench.studies.cuts.cut_options import points_of

    points = None if resume else points_of(cut or [])  # a typing mistake is told before scipy is loaded
    from bench.studies.cuts.texts import TextChoice
    from bench.studies.sweep.run import SweepRequest

    request = None
    if points is not None:
        reading = TextChoice(text=text, window=window, stride=stride, windows=windows)
        request = SweepRequest(suite=suite, points=points, reading=reading)
        request = replace(request, energy=energy, backends=backend, blocks=blocks)
    _sweep(request, resume, out=out, allow_root=allow_root, as_json=as_json)


def _sweep(
    request: SweepRequest | None, resume: Path | None, *, out: Path, allow_root: bool, as_json: bool
) -> None:
    """Run, judge, write and show."""
    from bench.run import privilege
    from bench.run.display.progress import Bar
    from bench.show.table import say
    from bench.studies.sweep import run as sweep_run
    from bench.studies.sweep import tables as sweep_tables

    privilege.lower(allow_root=allow_root, for_meter=True)
    terminal = console()
    with Bar() as progress:
        job = sweep_run.prepare(request, resume, progress=progress)
    with display(terminal, as_json=as_json) as shown:
        shown.note(job.meter.note)
        folder = sweep_run.run(job, out=out, display=shown)
        judged = sweep_run.judge(folder, progress=shown.stage)
    written = sweep_tables.write(judged, folder)
    if as_json:
        print(json.dumps({"event": "result", **sweep_tables.to_json(judged), "folder": str(written)}))
        return
    sweep_tables.show(judged, terminal)
    say(terminal, f"sweep: {written}", whole=True)


def _options(backend: str, dtype: str, *needs: Ability) -> dict[str, Any]:
    """Options of a backend's factory, checked; it has to be able to do what is needed."""
    from bench.suite import libraries, plugins

    options = {"dtype": dtype}
    plugins.check_options("backends", backend, options)
    libraries.check(backend, [dtype], needs=needs)
    return options


@contextmanager
def _model(name: str, backend: str) -> Iterator[tuple[LocalModel, Progress]]:
    """The model on this machine, and something to tell progress to."""
    from bench.run.display.progress import Bar
    from bench.run.fetch import ensure
    from bench.suite import libraries

    with Bar() as bar:
        here = ensure(name, None, progress=bar, weight_files=libraries.weight_files([backend]))
        yield here, lambda what: bar(what, None, None)
