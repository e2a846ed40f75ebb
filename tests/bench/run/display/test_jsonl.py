"""The lines that programs read."""

from __future__ import annotations

import json

import pytest

from bench.run.display.jsonl import JsonDisplay
from tests.bench.events import blocks, joules, slot_record, tell


def test_every_line_is_an_object_with_an_event(capsys: pytest.CaptureFixture[str]) -> None:
    tell(JsonDisplay())
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["event"] for line in lines[:5]] == ["stage", "note", "equal_work", "stage", "idle"]
    started = [line for line in lines if line["event"] == "slot_started"]
    assert [line["slot"] for line in started] == [1, 2, 3, 4]
    assert started[0]["left_s"] is None
    assert started[1]["left_s"] > 0
    assert started[0]["next"] == started[1]["arm"]
    done = next(line for line in lines if line["event"] == "slot_done")
    assert done["thermal"] == "Nominal"
    assert done["joules"]["kind"] == "simulated"


def test_what_was_not_measured_is_null(capsys: pytest.CaptureFixture[str]) -> None:
    display = JsonDisplay()
    display.idle_done(joules(None), seconds_s=3.0, thermal=None)
    display.slot_done(slot_record(blocks()[0][0], error="it died"), [], thermal=None)
    idle, slot = (json.loads(line) for line in capsys.readouterr().out.splitlines())
    assert idle["total_j"] is None
    assert idle["thermal"] is None
    assert slot["joules"] is None
