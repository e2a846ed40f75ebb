"""The power supply as it was read around every slot: what left it changed is left out, and said."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bench.report.cautions import cautions
from bench.report.export.collect import collect
from bench.report.page.overturn import not_found
from bench.report.readback import Readback, read_back
from bench.report.story import Story
from bench.run import store
from bench.studies.claims.evidence import read_evidence
from tests.bench.stored import stored_copy

AC = {"source": "ac", "mode": "automatic", "charging": False}
LOOKED_FOR = "a change of the power source or mode"
CHANGES = {
    "source battery, was ac": {"source": "battery", "mode": "automatic", "charging": False},
    "mode low, was automatic": {"source": "ac", "mode": "low", "charging": False},
}


def powered(
    at: Callable[[dict[str, Any]], dict[str, Any] | None],
) -> Callable[[dict[str, Any]], dict[str, Any]]:
    """Puts a power supply into every record that has one."""
    return lambda record: {**record, "power": at(record)} if record["type"] in ("session", "slot") else record


def in_block_2(now: dict[str, Any]) -> Callable[[dict[str, Any]], dict[str, Any]]:
    return powered(lambda record: now if record.get("block") == 2 else AC)


@pytest.mark.parametrize("how", CHANGES)
def test_a_slot_in_which_it_changed_leaves_the_statistics_in_a_report_and_a_data_set(
    how: str, echo_run: Path, tmp_path: Path
) -> None:
    folder = stored_copy(echo_run, tmp_path / "changed", blocks=6, edit=in_block_2(CHANGES[how]))
    story = Story.of(folder)
    excluded = {(slot.block, slot.excluded) for slot in story.readback.slots if slot.excluded}
    assert excluded == {(2, f"power changed: {how}")}
    (gated,) = [row for row in story.summary.rows if row.gate != story.readback.baseline]
    assert f"left out: 1 block (power changed: {how})" in str(gated.reason)
    said = f"Left out of every comparison: the blocks of 6 windows (power changed: {how})."
    assert said in [sentence.text for sentence in story.answer.sentences]
    assert LOOKED_FOR not in not_found(story)
    (evidence,) = read_evidence(collect([tmp_path], tmp_path / "runs.parquet").file)
    counted, alone = (
        sorted((slot.block, slot.arm, slot.excluded or "") for slot in slots)
        for slots in (evidence.slots, story.slots)
    )
    assert counted == alone


@pytest.mark.parametrize("now", [AC, {**AC, "charging": True}, {"source": None, "mode": None}, None])
def test_what_is_full_or_unknown_is_no_change(
    now: dict[str, Any] | None, echo_run: Path, tmp_path: Path
) -> None:
    story = Story.of(stored_copy(echo_run, tmp_path / "same", blocks=2, edit=in_block_2(now)))
    assert not any(slot.excluded for slot in story.readback.slots)
    assert LOOKED_FOR in not_found(story)


def test_a_machine_that_does_not_say_is_not_said_to_have_kept_its_power(
    echo_run: Path, tmp_path: Path
) -> None:
    folder = stored_copy(echo_run, tmp_path / "old", edit=powered(lambda _: None))
    assert LOOKED_FOR not in not_found(Story.of(folder))


def at_the_wall(readback: Readback) -> Readback:
    sources = {}
    for number, own in readback.sources.items():
        info = replace(own.lead.info, name="wall", boundary="wall")
        sources[number] = replace(own, lead=replace(own.lead, info=info))
    return replace(readback, sources=sources)


def test_a_battery_that_charges_is_named_beside_a_wall_meter_only(echo_run: Path, tmp_path: Path) -> None:
    charging = powered(lambda _: {**AC, "charging": True})
    chip = read_back(store.read(stored_copy(echo_run, tmp_path / "charging", edit=charging)))
    said = {
        name: {caution.code: caution.value for caution in cautions(one, [], judged={}, rows=[])}
        for name, one in {"chip": chip, "wall": at_the_wall(chip)}.items()
    }
    assert "battery charging" not in said["chip"]
    assert said["wall"]["battery charging"] == len(chip.slots)
