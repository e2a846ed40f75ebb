"""`bench quality`: one cut of one model against the whole model, on prompts and on a text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console, Group
from rich.table import Table

from analysis.values import Estimate
from backends.cut import Cut
from bench.errors import UserError
from bench.models import LocalModel
from bench.prompts import PromptSet
from bench.quality import (
    Answer,
    AnswerQuality,
    Mean,
    Progress,
    TextQuality,
    compare_windows,
    flat_because_inactive,
    quality_of_answers,
    quality_of_text,
    references_of,
    windows_of,
)
from bench.study import Asker, asking
from bench.texts import Text

MODEL, UNGATED, CUT = "full", "ungated", "cut"


@dataclass(frozen=True, kw_only=True)
class Reading:
    """How a text is read."""

    text: Text
    window: int
    stride: int
    most_windows: int


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


def judge_cut(
    model: LocalModel,
    cut: Cut,
    *,
    backend: str,
    options: dict[str, Any],
    prompts: PromptSet,
    max_new_tokens: int,
    reading: Reading,
    progress: Progress,
) -> CutQuality:
    """Answer the prompts with and without the cut, and read the text with and without it.

    Args:
        model: on this machine.
        cut: what is left out.
        backend: plugin that runs the model.
        options: of the backend, such as `dtype`.
        prompts: what is asked.
        max_new_tokens: of an answer, which may end earlier by itself.
        reading: the text and its windows.
        progress: told what is going on.

    Raises:
        UserError: the cut does not fit the model or a prompt, or the window its context.
        RunFailed: the process that runs the model died.
    """
    budget = {"cut": cut.model_dump(mode="json", exclude_defaults=True)}
    gates = {
        UNGATED: {"plugin": "ungated", "options": {}},
        CUT: {"plugin": "constant", "options": {"budget": budget}},
    }
    folder = str(model.folder) if model.folder else None
    progress(f"loading {model.name} on {backend}")
    models = {MODEL: {"folder": folder, **options}}
    with asking(backend, models, gates=gates, max_new_tokens=max_new_tokens) as asker:
        text_ids = asker.encode([("text", reading.text.text)], model=MODEL)["text"]
        _check_context(asker, reading.window)
        windows = windows_of(
            text_ids, window=reading.window, stride=reading.stride, most=reading.most_windows
        )
        ids = asker.encode([(prompt.id, prompt.text) for prompt in prompts.prompts], model=MODEL)
        asker.ask("ready", gate_model=MODEL)
        verdict = asker.ask("guard", baseline=UNGATED)["gates"][CUT]
        answers = _answers(asker, prompts, ids, cut, progress)
        compared = compare_windows(
            asker, windows, {CUT: [cut] * len(windows)}, model=MODEL, progress=progress
        )
    text = quality_of_text(compared[CUT])
    return CutQuality(
        model=model.name,
        backend=backend,
        cut=budget["cut"],
        outcome=verdict["outcome"],
        reason=verdict["reason"],
        prompts_sha256=prompts.sha256,
        answers=quality_of_answers(answers),
        text_name=reading.text.name,
        text_sha256=reading.text.sha256,
        text=text,
        warning=flat_because_inactive(text, **verdict),
    )


def _check_context(asker: Asker, window: int) -> None:
    context = asker.info[MODEL]["context"]
    if context is not None and window > context:
        raise UserError(f"window {window} exceeds the context of the model, {context}; lower --window")


def _answers(
    asker: Asker, prompts: PromptSet, ids: dict[str, list[int]], cut: Cut, progress: Progress
) -> list[Answer]:
    found = []
    for number, prompt in enumerate(prompts.prompts, start=1):
        progress(f"answering prompt {number} of {len(prompts.prompts)}")
        ungated, gated = (asker.ask("request", prompt_id=prompt.id, gate=gate) for gate in (UNGATED, CUT))
        said, said_gated = asker.ask("settle")["requests"]
        whole = ids[prompt.id] + ungated["tokens"]
        [comparison] = asker.compare(whole, [cut], model=MODEL, first=len(ids[prompt.id]) - 1)
        found.append(
            Answer(
                prompt=prompt.id,
                tokens=gated["tokens"],
                ungated=ungated["tokens"],
                text=said_gated["text"],
                ungated_text=said["text"],
                references=references_of(prompt.reference),
                comparison=comparison,
            )
        )
    return found


def show(quality: CutQuality, console: Console) -> None:
    """Print the figures, and first whatever takes their meaning away."""
    cut = " ".join(f"{key}={value}" for key, value in quality.cut.items()) or "nothing"
    console.print(f"{quality.model} on {quality.backend}, cut: {cut}", markup=False, highlight=False)
    if quality.warning:
        console.print(f"! {quality.warning}", style="bold", markup=False, highlight=False)
    tables = (
        [_text_table(quality)]
        if quality.outcome != "effective"
        else [_text_table(quality), _answer_table(quality)]
    )
    console.print(Group(*tables))


def _text_table(quality: CutQuality) -> Table:
    text = quality.text
    table = _table(f"Over {quality.text_name}: {text.windows} windows, {text.tokens} tokens scored")
    table.add_row("perplexity, ungated", *_cells(text.ungated))
    if quality.warning:
        return table  # figures of the cut would be figures of the whole model
    table.add_row("perplexity, with the cut", *_cells(text.gated))
    table.add_row("rise of perplexity", *_cells(text.rise, percent=True))
    table.add_row("KL per token, nats", f"{text.kl:.4g}", "-")
    table.add_row("same most likely token", f"{text.top1:.1%}", "-")
    return table


def _answer_table(quality: CutQuality) -> Table:
    answers = quality.answers
    table = _table(f"Over {answers.prompts} prompts, {answers.diverged} of them answered otherwise")
    rows: Sequence[tuple[str, Mean | None, bool]] = (
        ("agreement with the ungated tokens", answers.agreement, True),
        ("tokens before the first that differs", answers.first_divergence, False),
        ("KL over the ungated answer, nats", answers.kl, False),
        ("same most likely token there", answers.top1, True),
        ("answers with the reference, ungated", answers.ungated_score, True),
        ("answers with the reference, with the cut", answers.score, True),
    )
    for name, mean, percent in rows:
        table.add_row(name, *_cells(mean, percent=percent))
    return table


def _table(title: str) -> Table:
    table = Table("", title=title, title_justify="left", box=SIMPLE_HEAD)
    table.add_column("mean", justify="right")
    table.add_column("95 % interval")
    return table


def _cells(mean: Mean | None, *, percent: bool = False) -> tuple[str, str]:
    if mean is None:
        return "-", "no prompt has one"
    form = "{:.1%}" if percent else "{:.4g}"
    if isinstance(mean.interval, Estimate):
        interval = f"{form.format(mean.interval.low)} to {form.format(mean.interval.high)}"
    else:
        interval = f"none: {mean.interval.reason}"
    return form.format(mean.mean), interval
