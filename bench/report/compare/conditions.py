"""What has to be the same on both sides before two figures may be divided, and what may differ.

Method, rule 15: chip bin, operating system, power mode, boundary, grade, prompts and token counts. Without
them a ratio would be of two machines or two amounts of work. Everything else that differs, such as a
version of a library, is what a comparison is made for; it is named beside the ratio.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from bench.report.arm_row import ArmRow
from bench.report.story import Story
from bench.run.records import ArmKey, SessionRecord
from bench.suite.header import Host

Facts = dict[str, str | None]
"""By name, in words; None where the run does not say."""


def machine(host: Host) -> Facts:
    """Chip bin, memory, operating system and power mode of a run."""
    return {
        "chip": _said(host.chip),
        "GPU cores": _said(host.gpu_cores),
        "CPU cores": _said(host.cpu_cores),
        "memory": _said(host.memory_bytes, lambda size: f"{size / 2**30:.1f} GiB"),
        "OS version": _said(host.os_version, lambda version: f"{host.system} {version}"),
        "OS build": _said(host.os_build),
        "power source": _said(host.power_source),
        "power mode": _said(host.mode),
    }


def joules(story: Story, row: ArmRow) -> Facts:
    """What an arm's joules are: kind, source, boundary and grade."""
    return {
        "energy kind": row.kind,
        "energy source": _source(story, kind=row.kind),
        "boundary": row.boundary,
        "grade": None if row.grade is None else f"{row.grade} {row.grade_name}",
    }


def work(story: Story, key: ArmKey, row: ArmRow) -> Facts:
    """The work of one pass: which prompts, and how many tokens."""
    return {
        "prompt hash": story.readback.run.header.prompts.sha256[:12],
        "prompts per repeat": str(row.prompts),
        "batch": _said(row.batch),
        "prompt tokens per repeat": f"{row.prompt_tokens_per_repeat:.6g}",
        "cached tokens per repeat": f"{row.cached_tokens_per_repeat:.6g}",
        "generated tokens per repeat": f"{row.generated_tokens_per_repeat:.6g}",
    }


def subject(story: Story, key: ArmKey) -> Facts:
    """What may well be compared: backend, gate, suite, models, versions."""
    header = story.readback.run.header
    models = {
        f"model {name}": " ".join(str(value)[:12] for value in vars(model).values() if value is not None)
        for name, model in header.models.items()
    }
    return {
        "backend": key[0],
        "gate": key[1],
        "machine model": header.host.hw_model,
        "suite": f"{header.suite.name} {header.suite.sha256[:12]}",
        **models,
        **header.packages,
        "python": header.python,
        "environment": ", ".join(f"{name}={value}" for name, value in header.environment.items()),
        "git commit": _said(header.git and header.git.commit, lambda commit: commit[:12]),
    }


def _said(value: Any, word: Callable[[Any], str] = str) -> str | None:
    return None if value is None else word(value)


def _source(story: Story, *, kind: str) -> str | None:
    """Name of the source; of modelled joules with the numbers of the model, which make the figures."""
    sessions = story.readback.run.of(SessionRecord)
    if not sessions:
        return None
    name = sessions[0].source.name
    settings = sorted(sessions[0].source.details.items()) if kind == "modelled" else []
    numbers = [f"{key} {value}" for key, value in settings if _is_number(value)]
    return f"{name} with {', '.join(numbers)}" if numbers else name


def _is_number(text: Any) -> bool:
    try:
        float(text)
    except (TypeError, ValueError):
        return False
    return True
