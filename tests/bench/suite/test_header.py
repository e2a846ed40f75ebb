"""`run.json`: what an older one lacks has a meaning."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest

from bench.suite.header import Host, RunHeader
from bench.typed import from_json, to_json
from tests.bench.stored import run_header

OLD = Path(__file__).parents[2] / "data" / "run-0.1.0" / "run.json"


def test_every_field_that_an_old_run_lacks_has_a_default() -> None:
    stored = json.loads(OLD.read_text(encoding="utf-8"))
    empty = (dataclasses.MISSING, dataclasses.MISSING)
    required = {f.name for f in dataclasses.fields(RunHeader) if (f.default, f.default_factory) == empty}
    assert required <= set(stored)
    assert from_json(RunHeader, {name: stored[name] for name in required}).looks == []


def test_what_is_written_is_what_is_read() -> None:
    header = run_header(looks=[5, 7], host=Host(chip="Apple M4", power_mode="high"))
    assert from_json(RunHeader, json.loads(json.dumps(to_json(header)))) == header


@pytest.mark.parametrize(
    ("stored", "mode"),
    [
        ({"power_mode": "high"}, "high"),
        ({"power_mode": "high", "low_power_mode": False}, "high"),
        ({"low_power_mode": True}, "low"),
        ({"low_power_mode": False}, "automatic"),
        ({}, None),
    ],
)
def test_the_power_mode_of_older_runs_is_told_by_their_low_power_mode(
    stored: dict[str, str | bool], mode: str | None
) -> None:
    assert from_json(Host, stored).mode == mode
