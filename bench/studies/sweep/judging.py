"""A run over cuts -> what each arm costs and loses: its records, and questions to its models."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from backends.base import BackendInfo
from backends.cut import Cut
from backends.guard import Verdict
from bench.errors import RunFailed
from bench.report.arm_row import ArmRow
from bench.report.readback import Readback, read_back
from bench.report.slots import that_count
from bench.report.summary import summarise
from bench.run.records import RequestRecord, SessionRecord
from bench.run.store import StoredRun
from bench.run.workers.loading import model_to_load
from bench.run.workers.logits import LogitComparison
from bench.run.workers.messages import Load
from bench.run.workers.model import ModelWorker, model_worker
from bench.studies.cuts.quality import (
    GatedAnswer,
    TextWindow,
    compare_windows,
    quality_of_answers,
    quality_of_text,
    references_of,
    windows_of,
)
from bench.studies.cuts.texts import Text, TextChoice
from bench.studies.sweep.findings import JudgedSweep, SweptArm, cliffs_of, with_pareto
from bench.suite.gates.matching import match_controls
from bench.suite.prepare import Prepared, make_gates

Answers = dict[str, dict[str, RequestRecord]]
"""First request of each prompt, by gate label and prompt id."""


def judge_run(
    stored: StoredRun, prepared: Prepared, text: Text, *, progress: Callable[[str], None]
) -> JudgedSweep:
    """Rows, cliffs and the Pareto set of a run whose gates are cuts.

    Args:
        stored: the run.
        prepared: its suite.
        text: for perplexity.
        progress: told how far it is.

    Raises:
        UserError: a model can't do what is asked of it.
        RunFailed: the process that runs a model died.
    """
    readback = read_back(stored)
    summary = summarise(readback)
    spec, swept = stored.header.sweep, list[SweptArm]()
    assert spec is not None, "only a sweep is judged as one"
    for backend in prepared.backends:
        progress(f"quality on {backend}")
        answers = _answers(readback, backend)
        compared = _compare(backend, prepared, answers, text, stored, progress)
        arms = [_arm(row, stored, readback) for row in summary.rows if row.backend == backend]
        swept += [_with_quality(arm, prepared, answers, *compared) for arm in arms]
    arms, cost = with_pareto([_beside_baseline(arm, swept, prepared.suite.baseline) for arm in swept])
    info = _session(stored).loaded[f"{prepared.backends[0]}/{prepared.baseline_model}"]
    judged = JudgedSweep(
        run=stored.header.run_id,
        suite=prepared.suite.name,
        swept=tuple(spec.swept),
        text_name=text.name,
        cost=cost,
        arms=arms,
        cliffs=[],
        warnings=summary.warnings,
        layers=info.layers,
        loaded_bits=_loaded_bits(info),
    )
    return replace(judged, cliffs=cliffs_of(judged))


def _loaded_bits(info: BackendInfo) -> int:
    """Bits of a weight as loaded; those of float32 for a stand-in, which has no weights."""
    return round(8 * info.weight_bytes / info.parameters) if info.parameters else 32


def _session(stored: StoredRun) -> SessionRecord:
    """The record of the last session."""
    return stored.of(SessionRecord)[-1]


def _arm(row: ArmRow, stored: StoredRun, readback: Readback) -> SweptArm:
    slots = that_count(readback.of_arm((row.backend, row.gate, row.a_a)))
    requests = [request for slot in slots for request in slot.answers]
    decoded = sum(r.batch * (len(r.tokens) - 1) for r in requests)
    counted = [r.decode_bytes for r in requests if r.decode_bytes is not None]
    read = sum(counted) if len(counted) == len(requests) else 0
    cuts = [Cut.model_validate(r.cut) for r in requests if r.cut is not None]
    is_ungated = row.gate == readback.baseline
    unseen = Verdict(outcome="gate inactive", reason="the guard never looked at it")
    verdict = _session(stored).gates.get(f"{row.backend}/{row.gate}", unseen)
    return SweptArm(
        row=row,
        cut=cuts[0] if cuts and all(cut == cuts[0] for cut in cuts) else None,
        outcome="ungated" if is_ungated else verdict.outcome,
        reason="" if is_ungated else verdict.reason,
        tokens_per_s=row.decode_tokens_per_s,
        bytes_per_token=read / decoded if read and decoded else None,
    )


def _answers(readback: Readback, backend: str) -> Answers:
    return {arm[1]: readback.answers(arm) for arm in readback.arms if arm[0] == backend and not arm[2]}


Compared = Mapping[str, Mapping[str, LogitComparison]]


def _compare(
    backend: str,
    prepared: Prepared,
    answers: Answers,
    text: Text,
    stored: StoredRun,
    progress: Callable[[str], None],
) -> tuple[Compared, Mapping[str, Sequence[LogitComparison]]]:
    """Logits over the prompts' ungated answers, and over the windows of the text, by gate label."""
    key, spec = prepared.baseline_model, stored.header.sweep
    assert spec is not None
    chat = prepared.chat if _session(stored).chat_template_sha256 else None  # as the run wrote them
    with model_worker(backend, _load(prepared, backend)) as worker:
        text_ids = worker.encode_text(text.text, model=key)
        windows = windows_of(text_ids, TextChoice(**spec.reading))
        ids = worker.encode(prepared.prompts.prompts, model=key, chat=chat)
        compared = _compare_answers(worker, prepared, answers, ids, progress)
        cuts = _cuts_of_windows(prepared, windows)
        return compared, compare_windows(worker, windows, cuts, model=key, progress=progress)


def _compare_answers(
    worker: ModelWorker,
    prepared: Prepared,
    answers: Answers,
    ids: Mapping[str, list[int]],
    progress: Callable[[str], None],
) -> Compared:
    by_arm: dict[str, dict[str, LogitComparison]] = {label: {} for label in answers}
    for number, (prompt, base) in enumerate(answers.get(prepared.suite.baseline, {}).items(), start=1):
        progress(f"logits of prompt {number} of {len(ids)}")
        if len(ids[prompt]) != base.prompt_tokens:
            raise RunFailed(
                f"prompt {prompt!r} has {len(ids[prompt])} tokens now, and {base.prompt_tokens} in the run",
                fix="run the sweep again: its model or its prompts have changed",
            )
        gated = {
            label: requests[prompt]
            for label, requests in answers.items()
            if label != prepared.suite.baseline and prompt in requests
        }
        cuts = {k: Cut.model_validate(r.cut) for k, r in gated.items() if r.model == base.model}
        compared = worker.compare(
            ids[prompt] + base.tokens,
            list(cuts.values()),
            model=prepared.baseline_model,
            first=len(ids[prompt]) - 1,
        )
        for label, comparison in zip(cuts, compared, strict=True):
            by_arm[label][prompt] = comparison
    return by_arm


def _cuts_of_windows(prepared: Prepared, windows: Sequence[TextWindow]) -> dict[str, list[Cut]]:
    """What each gate decides on a window, as if it were a prompt; controls are matched on the windows."""
    gates = match_controls(make_gates(prepared.suite), [window.ids for window in windows])
    chosen = {label: [gate.decide(window.ids) for window in windows] for label, gate in gates.items()}
    return {
        label: [budget.cut for budget in budgets]
        for label, budgets in chosen.items()
        if label != prepared.suite.baseline and {b.model for b in budgets} == {prepared.baseline_model}
    }


def _load(prepared: Prepared, backend: str) -> Load:
    """The model that quality is measured on."""
    key = prepared.baseline_model
    return Load(models={key: model_to_load(prepared, key, backend)})


def _with_quality(
    arm: SweptArm,
    prepared: Prepared,
    answers: Answers,
    compared: Compared,
    windows: Mapping[str, Sequence[LogitComparison]],
) -> SweptArm:
    label, mine = arm.row.gate, answers.get(arm.row.gate, {})
    if arm.outcome == "ungated":
        return arm
    base = answers.get(prepared.suite.baseline, {})
    answered = [
        GatedAnswer(
            prompt=prompt.id,
            tokens=mine[prompt.id].tokens,
            ungated=base[prompt.id].tokens,
            text=mine[prompt.id].text or "",
            ungated_text=base[prompt.id].text or "",
            references=references_of(prompt.reference),
            comparison=compared.get(label, {}).get(prompt.id),
        )
        for prompt in prepared.prompts.prompts
        if prompt.id in mine and prompt.id in base
    ]
    text = quality_of_text(windows[label]) if windows.get(label) else None
    return replace(arm, answers=quality_of_answers(answered) if answered else None, text=text)


def _beside_baseline(arm: SweptArm, arms: Sequence[SweptArm], baseline: str) -> SweptArm:
    """The arm with its ratios to the ungated arm of its backend."""
    base = next(
        (a for a in arms if (a.row.backend, a.row.gate, a.row.a_a) == (arm.row.backend, baseline, False)), arm
    )
    return replace(
        arm,
        tokens_per_s_ratio=_ratio(arm.tokens_per_s, base.tokens_per_s),
        bytes_ratio=_ratio(arm.bytes_per_token, base.bytes_per_token),
    )


def _ratio(value: float | None, base: float | None) -> float | None:
    return value / base if value and base else None
