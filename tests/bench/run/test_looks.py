"""Looks at a run: declared, spent, paid for; and a run that ends when it is settled."""

from __future__ import annotations

from pathlib import Path

import pytest

from analysis.looks import level_of, looks_of
from bench.errors import UserError
from bench.report.readback import read_back
from bench.report.summary import summarise
from bench.report.verdicts import verdicts_of
from bench.run import start, store
from bench.run.display.plain import Display
from bench.run.records import EventRecord
from bench.suite.suite_file import load_suite
from tests.bench.at_hand import QUICK, at_hand
from tests.bench.suites import write_suite

SEVEN = {**QUICK, "protocol__blocks": 7}


def run(file: Path, out: Path, settled_after: int) -> Path:
    """A run in this process whose verdicts are said to be settled after so many blocks."""

    def ask(folder: Path) -> tuple[dict[str, str], bool]:
        found, _ = verdicts_of(folder)
        return found, len(store.read(folder).finished_blocks) >= settled_after

    prepared, header = start.prepared(str(file), energy=None, backends=None, blocks=None)
    header = start.until("settled", prepared, header)
    with at_hand():
        meter, display = start.choose_meter(header), Display()
        return start.run_or_resume(
            prepared, header, meter, out=out, resume_from=None, display=display, ask=ask
        )


def test_a_run_until_settled_ends_at_a_look_and_its_intervals_pay_for_all_of_them(tmp_path: Path) -> None:
    folder = run(write_suite(tmp_path, protocol__looks=[5, 6, 7], **SEVEN), tmp_path / "results", 6)
    stored = store.read(folder)
    assert [event.kind for event in stored.of(EventRecord)] == ["look", "settled", "finished"]
    assert len(stored.finished_blocks) == 6
    assert stored.header.looks == [5, 6, 7]
    readback = read_back(stored)
    assert {slot.level for slot in readback.slots} == {level_of((5, 6, 7))}
    (said,) = [caution for caution in summarise(readback).cautions if caution.code == "looks"]
    assert said.value == 3
    assert "after 5, 6 and 7 blocks, of which 2 are spent" in said.words
    assert list(verdicts_of(folder)[0]) == ["echo length"]
    with pytest.raises(UserError, match="nothing to resume"):
        start.prepared_again(folder)
    more, _ = start.prepared_again(folder, blocks=9)
    assert len(more.blocks) == 9


def test_ends_of_sessions_are_looks_and_fewer_than_five_blocks_are_none() -> None:
    assert looks_of([5], dict.fromkeys(range(1, 6), 1)) == (5,)
    assert looks_of([5], {**dict.fromkeys(range(1, 6), 1), 6: 2, 7: 2}) == (5, 7)
    assert looks_of([], {1: 1, 2: 1, 3: 2, 4: 2, 5: 2}) == (5,)


@pytest.mark.parametrize("looks", [[5, 6], [3, 7], [7, 5], [5, 5, 7]])
def test_looks_that_are_no_plan_are_refused(tmp_path: Path, looks: list[int]) -> None:
    with pytest.raises(UserError, match="end at blocks = 7"):
        load_suite(write_suite(tmp_path, protocol__looks=looks, **SEVEN))


def test_until_settled_needs_declared_looks(tmp_path: Path) -> None:
    prepared, header = start.prepared(str(write_suite(tmp_path)), energy=None, backends=None, blocks=None)
    with pytest.raises(UserError, match="declares no looks"):
        start.until("settled", prepared, header)
    with pytest.raises(UserError, match="can't wait for that"):
        start.until("noon", prepared, header)
