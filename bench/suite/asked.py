"""What a suite asks for, in words: whether a run did the work of a claim's own suite is read from it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

from bench.errors import UserError
from bench.suite.config import Gate, Suite, find_suite, load_suite, parse_suite
from bench.suite.prompts import load_prompts

Asked = dict[str, str]
"""By name: `prompts`, `answers`, `gate LABEL` for every gate, `model KEY` for every model."""


@cache  # every claim of a suite asks, for every run
def asked_by_suite(name: str) -> Asked:
    """What a suite of the program asks for.

    Raises:
        UserError: no such suite, or its prompts can't be read.
    """
    file = find_suite(name)
    suite, text = load_suite(file)
    prompts = load_prompts(suite.prompts.file, beside=file.parent, limit=suite.prompts.limit)
    return {"prompts": _prompts(len(prompts.prompts), prompts.sha256), **_by_text(text)}


def asked_of_run(header: Mapping[str, Any]) -> Asked:
    """The same of a stored run; only its prompts where the suite is none that this version can read."""
    prompts = header["prompts"]
    return {"prompts": _prompts(len(prompts["ids"]), prompts["sha256"]), **_by_text(header["suite"]["text"])}


@lru_cache(maxsize=64)  # thousands of collected runs are of a few suites
def _by_text(text: str) -> Asked:
    try:
        suite = parse_suite(text, file=Path("stored suite"))
    except UserError:
        return {}
    return {
        "answers": _answers(suite),
        **{f"gate {label}": _gate(gate) for label, gate in suite.gates.items()},
        **{f"model {key}": str(model) for key, model in suite.models.items()},
    }


def _prompts(count: int, sha256: str) -> str:
    return f"the first {count} of set {sha256[:12]}"


def _answers(suite: Suite) -> str:
    most = suite.generation.max_new_tokens
    return f"{most} new tokens" if suite.generation.ignore_eos else f"up to {most} new tokens"


def _gate(gate: Gate) -> str:
    options = [f"{key} {json.dumps(value)}" for key, value in sorted(gate.options.items())]
    return ", ".join([gate.plugin, *options])
