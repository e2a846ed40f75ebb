"""Suites for tests: the echo backend, tiny windows, energy modelled from CPU time."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

from tests.waiting import TIMEOUT_S

BASE: dict[str, Any] = {
    "name": "test",
    "seed": 1,
    "backends": ["echo"],
    "models": {"full": {"name": "echo"}, "small": {"name": "echo", "layers": 2}},
    "backend_options": {"echo": {"cpu_s_per_token": 0.002}},
    "prompts": {"file": "prompts.jsonl"},
    "generation": {"max_new_tokens": 4},
    "gates": {"ungated": {}, "length": {"tokens": 12}},
    "protocol": {
        "blocks": 1,
        "min_window_s": 0.3,
        "self_test_s": 0.0,
        "idle_s": 0.2,
        "cool_down_s": 0.0,
        "cool_down_limit_s": 5.0,
        "warm_up_s": 0.1,
        "request_deadline_s": 20.0,
        "load_deadline_s": TIMEOUT_S,
    },
    "energy": {"source": "modelled", "interval_ms": 10},
}
PROMPTS = [{"id": "short", "text": "two words"}, {"id": "long", "text": "rather more than two words"}]


def changed(base: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    """A deep copy of `base` with dotted keys set; None removes one."""
    result = copy.deepcopy(base)
    for dotted, value in changes.items():
        *path, last = dotted.split(".")
        table = result
        for key in path:
            table = table.setdefault(key, {})
        if value is None:
            del table[last]
        else:
            table[last] = value
    return result


def write_suite(folder: Path, **changes: Any) -> Path:
    """Write the suite and its prompts; keys of `changes` use `__` for the dot."""
    folder.mkdir(parents=True, exist_ok=True)
    prompts = changes.pop("prompt_lines", [json.dumps(p) for p in PROMPTS])
    (folder / "prompts.jsonl").write_text("\n".join(prompts) + "\n", encoding="utf-8")
    suite = changed(BASE, {key.replace("__", "."): value for key, value in changes.items()})
    file = folder / "suite.toml"
    file.write_text(to_toml(suite), encoding="utf-8")
    return file


def to_toml(table: dict[str, Any]) -> str:
    """TOML of nested tables: every value below the top is written inline."""
    return "".join(f"{json.dumps(key)} = {_value(value)}\n" for key, value in table.items())


def _value(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(k)} = {_value(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(_value(v) for v in value) + "]"
    return json.dumps(value)
