"""What a gate or a cut costs in quality, over prompts and over a text.

Over prompts: the tokens that were generated against the ungated ones, and the logits over the ungated
answer (teacher forcing: both sides are fed the same tokens). Over a text: perplexity in windows. `kv_keep`
takes its per-query form there, since a forward over given tokens has no prefill to cut after.

Perplexity that is equal to the last digit means equal computation. It is reported as `gate inactive`, and
never as "no loss".
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from analysis.quality import Mean, agreement, first_divergence, mean_of, perplexity
from backends.cut import Cut
from backends.guard import Verdict
from bench.errors import UserError
from bench.run.workers.logits import LogitComparison
from bench.run.workers.model import ModelWorker
from bench.studies.cuts.texts import TextChoice

Progress = Callable[[str], None]


@dataclass(frozen=True, kw_only=True)
class GatedAnswer:
    """One prompt answered with and without the gate."""

    prompt: str
    tokens: Sequence[int]
    ungated: Sequence[int]
    text: str
    ungated_text: str
    references: tuple[str, ...] = ()
    """Accepted answers; empty where the prompt has none."""
    comparison: LogitComparison | None = None
    """Of the logits over the ungated answer; None where the gate chose another model."""


@dataclass(frozen=True, kw_only=True)
class AnswerQuality:
    """Over a prompt set. None where no prompt has what it takes."""

    prompts: int
    agreement: Mean | None
    """Share of new-token positions with the ungated token."""
    diverged: int
    """Prompts whose answer differs anywhere."""
    first_divergence: Mean | None
    """Tokens up to the first that differs; an answer that never does counts with its length."""
    kl: Mean | None
    """KL(ungated || gated) of the logits over the ungated answer, nats per token."""
    top1: Mean | None
    """Share of those positions with the same most likely token."""
    score: Mean | None
    """Share of prompts with a reference whose answer contains it."""
    ungated_score: Mean | None


@dataclass(frozen=True, kw_only=True)
class TextQuality:
    """Over the windows of a text."""

    windows: int
    tokens: int
    """Tokens that were scored, each once."""
    ungated: Mean
    """Perplexity without the cut."""
    gated: Mean
    rise: Mean
    """Perplexity with over without, less 1; the windows are paired, so it is sharper than the two."""
    kl: float
    """Mean over tokens, nats."""
    top1: float
    unchanged: bool
    """Not one logit differs, so the same was computed."""


@dataclass(frozen=True)
class TextWindow:
    """A stretch of a text."""

    ids: list[int]
    first: int
    """Position from which on it is scored; what lies before is context that an earlier window scored."""


def quality_of_answers(answers: Sequence[GatedAnswer]) -> AnswerQuality:
    """The figures of an arm over a prompt set, each with an interval over prompts."""
    ends = [first_divergence(answer.tokens, answer.ungated) for answer in answers]
    compared = [answer.comparison for answer in answers if answer.comparison is not None]
    asked = [answer for answer in answers if answer.references]
    return AnswerQuality(
        prompts=len(answers),
        agreement=mean_of([agreement(a.tokens, a.ungated) for a in answers], share=True),
        diverged=sum(end is not None for end in ends),
        first_divergence=mean_of(
            [len(a.ungated) if end is None else end for a, end in zip(answers, ends, strict=True)]
        ),
        kl=mean_of([one.kl for one in compared]),
        top1=mean_of([one.top1 for one in compared], share=True),
        score=mean_of([contains(a.text, a.references) for a in asked], share=True),
        ungated_score=mean_of([contains(a.ungated_text, a.references) for a in asked], share=True),
    )


def contains(text: str, references: Sequence[str]) -> bool:
    """Whether one of the references stands in the text as whole words, upper or lower case."""
    folded = text.casefold()
    return any(re.search(rf"(?<!\w){re.escape(ref.casefold())}(?!\w)", folded) for ref in references)


def references_of(reference: str | tuple[str, ...] | None) -> tuple[str, ...]:
    """All accepted answers of a prompt."""
    return (reference,) if isinstance(reference, str) else reference or ()


def windows_of(ids: list[int], reading: TextChoice) -> list[TextWindow]:
    """Windows of a text that score every token once, as published perplexities do.

    The first window scores all its tokens but the first, each later one those that are new.

    Raises:
        UserError: the text is too short.
    """
    if len(ids) < 2:
        raise UserError(
            f"the text has {len(ids)} token: perplexity needs two at least", fix="give a longer one"
        )
    windows: list[TextWindow] = []
    for begin in range(0, len(ids), reading.stride):
        first = reading.window - reading.stride - 1 if begin else 0
        windows.append(TextWindow(ids[begin : begin + reading.window], first))
        if begin + reading.window >= len(ids) or len(windows) == reading.windows:
            break
    return windows


def compare_windows(
    worker: ModelWorker,
    windows: Sequence[TextWindow],
    cuts: Mapping[str, Sequence[Cut]],
    *,
    model: str,
    progress: Progress,
) -> dict[str, list[LogitComparison]]:
    """Logits of every window under the cut that each arm gives it.

    Args:
        worker: a worker that has loaded `model`.
        windows: of a text.
        cuts: by arm, one for each window.
        model: key of the model.
        progress: told how far it is.
    """
    by_arm: dict[str, list[LogitComparison]] = {arm: [] for arm in cuts}
    for number, window in enumerate(windows):
        progress(f"perplexity: window {number + 1} of {len(windows)}")
        chosen = [cuts[arm][number] for arm in by_arm]
        compared = worker.compare(window.ids, chosen, model=model, first=window.first)
        for arm, comparison in zip(by_arm, compared, strict=True):
            by_arm[arm].append(comparison)
    return by_arm


def quality_of_text(compared: Sequence[LogitComparison]) -> TextQuality:
    """Perplexity with and without a cut, from the comparisons of all windows."""
    counts = np.array([len(one.ungated) for one in compared])
    gated = [np.array(one.log_probabilities) for one in compared]
    ungated = [np.array(one.ungated) for one in compared]
    # the perplexity of the differences is the ratio of the perplexities
    ratio = perplexity([a - b for a, b in zip(gated, ungated, strict=True)])
    return TextQuality(
        windows=len(compared),
        tokens=int(counts.sum()),
        ungated=perplexity(ungated),
        gated=perplexity(gated),
        rise=ratio.minus(1),
        kl=float(np.average([one.kl for one in compared], weights=counts)),
        top1=float(np.average([one.top1 for one in compared], weights=counts)),
        unchanged=all(one.same for one in compared),
    )


def flat_because_inactive(quality: TextQuality, verdict: Verdict) -> str | None:
    """What must be said of a perplexity that did not move; None where it did.

    Args:
        quality: over a text.
        verdict: of the guard.
    """
    if not verdict.effective:
        why = f"{verdict.outcome}: {verdict.reason}"
        return f"{why}; equal perplexity is equal computation here, and says nothing of quality"
    if quality.unchanged:
        return (
            "not one logit of the text differs: perplexity can't tell the cut from the whole model, "
            "because the same was computed"
        )
    return None
