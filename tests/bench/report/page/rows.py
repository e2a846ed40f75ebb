"""Rows and summaries for tests, without a run."""

from __future__ import annotations

from dataclasses import MISSING, fields
from typing import Any

from bench.report.readback import Idle
from bench.report.summary import ArmRow, Summary

_WORDS = {
    "backend": "torch",
    "gate": "ungated",
    "energy_kind": "measured",
    "boundary": "soc_cpu_gpu_ane",
    "grade_name": "metered",
    "grade_reasons": (),
    "grade": 2,
    "a_a": False,
}
_COUNTS = ("prompts", "routed_to_small", "passes", "slots", "void_slots", "left_out_slots", "blocks")
_AMOUNTS = ("seconds", "prompt_tokens", "new_tokens", "forwards")


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
        "noise_floor_percent": 1.4,
        "agreement_percent": 71.0,
        "blocks": 6,
        "joules_gross": 20.0,
        "joules_bound": 0.1,
    }
    return arm_row(**{**usual, **values})


def summary_of(*rows: ArmRow) -> Summary:
    """A summary of these rows and nothing else."""
    return Summary(rows=list(rows), cautions=[], idle=Idle([]), splits={})
