"""What `analysis` is told of a stored run beside its slots: arms that belong together, and their origin."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from analysis.contrast import Held
from analysis.quality import mean_agreement
from analysis.rows import Slot
from analysis.values import Estimate, Withheld
from bench.report.names import arm_label
from bench.report.readback import Readback
from bench.report.slots import SlotRead, tokens_of
from bench.run.host import packages
from bench.run.records import ArmKey
from bench.show.safe_text import storable
from bench.suite.asked import asked_of_run
from bench.suite.header import Git, RunHeader
from energy.boundary import total_j

PHASES = ("prefill", "decode")
SAMPLE_S = 1.0
"""Of the published protocol's one sample of power."""
HOST_COLUMNS = (
    *("chip", "gpu_cores", "cpu_cores", "memory_bytes", "system", "machine"),
    *("os_version", "os_build", "power_source"),
)
"""Facts of `run.json` that tell machines apart."""


def held(slots: Sequence[Slot], key: ArmKey, baseline: str) -> Held:
    """An arm among the slots of its run, with the A/A pair of its backend; `baseline` is its gate label."""
    plain, again = (arm_label((key[0], baseline, copy)) for copy in (False, True))
    return Held(slots=slots, arm=arm_label(key), plain=plain, again=again)


def of_phase(slot: SlotRead, phase: str) -> SlotRead:
    """A slot with seconds and tokens of one phase, of all rows: of prompts in prefill, forwards in decode."""
    lengths = [
        (r.prefill_s, r.all_prompt_tokens) if phase == "prefill" else (r.decode_s, r.all_decoded_tokens)
        for r in slot.answers
    ]
    return replace(slot, seconds_s=sum(s for s, _ in lengths), new_tokens=sum(n for _, n in lengths))


def after_the_run(readback: Readback) -> list[Slot]:
    """The same slots by the published protocol: one sample after the work has ended, times wall time.

    The sample is of the readings that begin after a slot's end and end within a second, or before the next
    slot begins, as a tool that is started then would get it; of the first one where there is no more time.
    Joules are None where no reading follows, or a rail is missing from one.
    """
    begins = sorted(slot.record.start_s for slot in readback.slots)
    return [
        replace(slot, gross_j=_by_the_power_after(slot, readback, begins), net_j=None)
        for slot in readback.slots
    ]


def agreement_with(readback: Readback, treated: ArmKey, baseline: ArmKey) -> Estimate | Withheld:
    """Share of new-token positions that equal the baseline's: the quality that a saving is shown beside."""
    mean = mean_agreement(*(tokens_of(readback.answers(key)) for key in (treated, baseline)))
    return Withheld("no prompt was answered by both") if mean is None else mean.interval


def likeness(header: RunHeader) -> tuple[str, ...]:
    """What has to be the same for two runs to be pooled: machine, suite, prompts, their form, weights."""
    host, asked = header.host, asked_of_run(header)
    return (
        *map(str, (host.chip, host.gpu_cores, host.memory_bytes)),
        *map(str, (host.os_build, host.power_source, host.mode)),
        header.suite.sha256,
        header.prompts.sha256,
        *(str(model.weight_sha256) for model in header.models.values()),
        *(["as published"] if header.overrides.as_published else []),
        str(asked.chats),
        *([header.run_id] if asked.generation is None else []),  # answers of unknown length
    )


def provenance(header: RunHeader) -> dict[str, Any]:
    """Where a run's numbers come from, as columns of a data set; what is not known is None."""
    git = header.git or Git()
    models = {key: f"{model.name}@{model.revision}" for key, model in header.models.items()}
    weights = {key: model.weight_sha256 for key, model in header.models.items()}
    facts = {
        "run": header.run_id,
        "started_utc": header.started_utc,
        "suite": header.suite.stem,
        "suite_sha256": header.suite.sha256,
        "baseline": header.baseline,
        "prompts_sha256": header.prompts.sha256,
        "asked": asked_of_run(header).model_dump_json(),
        "models": json.dumps(models),
        "weights_sha256": json.dumps(weights),
        **{name: getattr(header.host, name) for name in HOST_COLUMNS},
        "power_mode": header.host.mode,
        **{f"{name.replace('-', '_')}_version": header.packages.get(name) for name in packages()},
        "python_version": header.python,
        "git_commit": git.commit,
        "git_dirty": git.dirty,
    }
    return {name: storable(value) for name, value in facts.items()}


def _by_the_power_after(slot: SlotRead, readback: Readback, begins: Sequence[float]) -> float | None:
    """The power of one sample after a slot, times the slot's seconds; `begins` of all slots, ascending."""
    raw, ended_s = readback.sources[slot.record.session].lead, slot.record.end_s
    trace = raw.trace
    first = int(np.searchsorted(trace.start_s, ended_s))
    if first >= len(trace.start_s):
        return None
    later = next((begin_s for begin_s in begins if begin_s >= ended_s), np.inf)
    until_s = min(trace.start_s[first] + SAMPLE_S, later)
    last = max(first + 1, int(np.searchsorted(trace.end_s, until_s, side="right")))
    sample_s = float((trace.end_s - trace.start_s)[first:last].sum())
    power_w = float(total_j(trace, raw.info.rails)[first:last].sum()) / sample_s
    return power_w * slot.seconds_s if np.isfinite(power_w) else None
