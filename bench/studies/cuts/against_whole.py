"""`bench quality`: one cut of one model against the whole model, on prompts and on a text."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

from rich.console import Console

from analysis.quality import Mean
from analysis.values import Estimate
from backends.cut import Cut
from backends.guard import Verdict
from bench.run.workers.messages import Guard, Load, ModelToLoad, Ready, Request, Settle
from bench.run.workers.model import ModelWorker, model_worker
from bench.show import table
from bench.show.table import Column, Table, say
from bench.show.words import spaced
from bench.studies.cuts.quality import (
    AnswerQuality,
    GatedAnswer,
    Progress,
    TextQuality,
    compare_windows,
    flat_because_inactive,
    quality_of_answers,
    quality_of_text,
    references_of,
    windows_of,
)
from bench.studies.cuts.texts import TextChoice
from bench.suite.config import GateConfig
from bench.suite.models import LocalModel
from bench.suite.prompt_forms import Prompt
from bench.suite.prompts import PromptSet

MODEL, UNGATED, CUT = "full", "ungated", "cut"


@dataclass(frozen=True, kw_only=True)
class CutQuestion:
    """What is asked of a model."""

    cut: Cut
    backend: str
    options: dict[str, Any]
    """Of the backend's factory, such as `dtype`."""
    prompts: PromptSet
    max_new_tokens: int
    """Of an answer, which may end earlier by itself."""
    reading: TextChoice


@dataclass(frozen=True, kw_only=True)
class CutQuality:
    """What one cut costs in quality."""

    model: str
    backend: str
    cut: dict[str, Any]
    outcome: str
    """`effective`, or `gate inactive`: then no figure here is one of the cut."""
    reason: str
    prompts_sha256: str
    answers: AnswerQuality
    text_name: str
    text_sha256: str
    text: TextQuality
    warning: str | None
    """What must be said of a perplexity that did not move."""


def judge_cut(model: LocalModel, question: CutQuestion, *, progress: Progress) -> CutQuality:
    """Answer the prompts with and without the cut, and read the text with and without it.

    Args:
        model: on this machine.
        question: the cut, and what it is tried on.
        progress: told what is going on.

    Raises:
        UserError: the cut does not fit the model or a prompt, or the window its context.
        RunFailed: the process that runs the model died.
    """
    read = question.reading.open(question.prompts)
    progress(f"loading {model.name} on {question.backend}")
    with _worker(model, question) as worker:
        question.reading.check_context(worker.info[MODEL].context)
        windows = windows_of(worker.encode_text(read.text, model=MODEL), question.reading)
        answers, verdict = _answers(worker, question, progress)
        cuts = {CUT: [question.cut] * len(windows)}
        compared = compare_windows(worker, windows, cuts, model=MODEL, progress=progress)
    text = quality_of_text(compared[CUT])
    return CutQuality(
        model=model.name,
        backend=question.backend,
        cut=question.cut.stated,
        outcome=verdict.outcome,
        reason=verdict.reason,
        prompts_sha256=question.prompts.sha256,
        answers=quality_of_answers(answers),
        text_name=read.name,
        text_sha256=read.sha256,
        text=text,
        warning=flat_because_inactive(text, verdict),
    )


def _worker(model: LocalModel, question: CutQuestion) -> AbstractContextManager[ModelWorker]:
    """A worker with the model, and two gates for it: without and with the cut."""
    gates = {
        UNGATED: GateConfig(plugin="ungated"),
        CUT: GateConfig.model_validate({"plugin": "constant", "budget": {"cut": question.cut.stated}}),
    }
    models = {MODEL: ModelToLoad(folder=model.path, options=question.options)}
    load = Load(models=models, gates=gates, max_new_tokens=question.max_new_tokens)
    return model_worker(question.backend, load)


def _answers(
    worker: ModelWorker, question: CutQuestion, progress: Progress
) -> tuple[list[GatedAnswer], Verdict]:
    """The prompts answered, and the guard's verdict on the cut."""
    prompts = question.prompts.prompts
    ids = worker.encode(prompts, model=MODEL)
    worker.ask(Ready(gate_model=MODEL))
    verdict = worker.ask(Guard(baseline=UNGATED)).gates[CUT]
    answers = []
    for number, prompt in enumerate(prompts, start=1):
        progress(f"answering prompt {number} of {len(prompts)}")
        answers.append(_answer(worker, prompt, ids[prompt.id], question.cut))
    return answers, verdict


def _answer(worker: ModelWorker, prompt: Prompt, ids: list[int], cut: Cut) -> GatedAnswer:
    ungated, gated = (worker.ask(Request(prompt_id=prompt.id, gate=gate)) for gate in (UNGATED, CUT))
    said, said_gated = worker.ask(Settle()).requests
    [comparison] = worker.compare(ids + ungated.tokens, [cut], model=MODEL, first=len(ids) - 1)
    return GatedAnswer(
        prompt=prompt.id,
        tokens=gated.tokens,
        ungated=ungated.tokens,
        text=said_gated.text or "",
        ungated_text=said.text or "",
        references=references_of(prompt.reference),
        comparison=comparison,
    )


def show(quality: CutQuality, console: Console) -> None:
    """Print the figures, and first whatever takes their meaning away."""
    cut = " ".join(f"{key}={value}" for key, value in quality.cut.items()) or "nothing"
    say(console, f"{quality.model} on {quality.backend}, cut: {cut}")
    if quality.warning:
        say(console, f"! {quality.warning}", style="bold")
    tables = [_text_table(quality)]
    if quality.outcome == "effective":
        tables.append(_answer_table(quality))
    table.show(tables, console)


Row = tuple[str, Mean | float | None, str]
"""What, the figure, and its format."""


def _text_table(quality: CutQuality) -> Table:
    text = quality.text
    rows: list[Row] = [("perplexity, ungated", text.ungated, "{:.4g}")]
    if not quality.warning:  # else figures of the cut would be figures of the whole model
        rows += [
            ("perplexity, with the cut", text.gated, "{:.4g}"),
            ("rise of perplexity", text.rise, "{:.1%}"),
            ("KL per token, nats", text.kl, "{:.4g}"),
            ("same most likely token", text.top1, "{:.1%}"),
        ]
    title = f"Over {quality.text_name}: {text.windows} windows, {text.tokens} tokens scored"
    return Table.of(_COLUMNS, rows, title=title)


def _answer_table(quality: CutQuality) -> Table:
    answers = quality.answers
    rows: Sequence[Row] = (
        ("token match with the whole model", answers.agreement, "{:.1%}"),
        ("tokens before the first that differs", answers.first_divergence, "{:.4g}"),
        ("KL over the ungated answer, nats", answers.kl, "{:.4g}"),
        ("same most likely token there", answers.top1, "{:.1%}"),
        ("answers with the reference, ungated", answers.ungated_score, "{:.1%}"),
        ("answers with the reference, with the cut", answers.score, "{:.1%}"),
    )
    title = f"Over {answers.prompts} prompts, {answers.diverged} of them answered otherwise"
    return Table.of(_COLUMNS, rows, title=title)


def _mean(row: Row) -> str | None:
    _, figure, form = row
    value = figure.mean if isinstance(figure, Mean) else figure
    return None if value is None else spaced(form, value)


def _interval(row: Row) -> str | None:
    _, figure, form = row
    if figure is None:
        return "no prompt has one"
    if not isinstance(figure, Mean):
        return None
    if isinstance(figure.interval, Estimate):
        return f"{spaced(form, figure.interval.low)} to {spaced(form, figure.interval.high)}"
    return f"none: {figure.interval.reason}"


_COLUMNS: tuple[Column[Row], ...] = (
    Column("", lambda row: row[0]),
    Column("mean", _mean),
    Column("95 % interval", _interval, is_text=True),
)
