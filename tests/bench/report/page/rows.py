"""Rows and summaries for tests, without a run."""

from __future__ import annotations

from dataclasses import MISSING, fields
from typing import Any

from bench.report.arm_row import ArmRow
from bench.report.summary import Summary

_WORDS = {
    "backend": "torch",
    "gate": "ungated",
    "kind": "measured",
    "boundary": "soc_cpu_gpu_ane",
    "grade_name": "metered",
    "grade_reasons": (),
    "grade": 2,
    "a_a": False,
}
_COUNTS = ("prompts", "routed_to_small", "repeats", "windows", "void_windows", "left_out_windows", "blocks")
_AMOUNTS = (
    *("seconds_per_repeat_s", "prompt_tokens_per_repeat"),
    *("generated_tokens_per_repeat", "forwards_per_repeat"),
)


def arm_row(**values: Any) -> ArmRow:
    """A row with None for whatever is not given."""
    needed = {f.name: None for f in fields(ArmRow) if f.default is MISSING}
    numbers = {**dict.fromkeys(_COUNTS, 0), **dict.fromkeys(_AMOUNTS, 1.0)}
    return ArmRow(**{**needed, **numbers, **_WORDS, **values})


def saving_row(**values: Any) -> ArmRow:
    """A gated arm that saves 31.2 %, measured in six blocks."""
    usual = {
        "gate": "norm_fraction",
        "verdict": "saves",
        "joules_saved_percent": 31.2,
        "saved_low_percent": 29.8,
        "saved_high_percent": 32.5,
        "noise_percent": 1.4,
        "token_match_percent": 71.0,
        "blocks": 6,
        "gross_per_repeat_j": 20.0,
        "bound_per_repeat_j": 0.1,
    }
    return arm_row(**{**usual, **values})


def summary_of(*rows: ArmRow) -> Summary:
    """A summary of these rows and nothing else."""
    return Summary(rows=list(rows), cautions=[], splits={})
