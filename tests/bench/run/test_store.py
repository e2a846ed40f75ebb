"""The run folder: what is returned as written is there, once, whatever happens after."""

from __future__ import annotations

import errno
import json
import os
from pathlib import Path

import pytest

from bench.errors import RunFailed, UserError
from bench.run import store
from bench.run.records import BlockRecord, EventRecord
from tests.bench.stored import run_header


def event(detail: str) -> EventRecord:
    return EventRecord(session=1, kind="test", detail=detail, at_s=1.0)


def make_run(out: Path) -> Path:
    return store.create(out, header=run_header(baseline="asked for")).folder


def append(folder: Path, *records: EventRecord | BlockRecord) -> None:
    opened = store.Store(folder)
    opened.append(records)
    opened.close()


def test_a_new_folder_is_whole_and_leaves_no_staging(tmp_path: Path) -> None:
    folder = make_run(tmp_path / "deep" / "out")
    assert [path.name for path in folder.parent.iterdir()] == [folder.name]
    assert store.read(folder).header.baseline == "asked for"
    assert store.read(folder).records == []


def test_records_come_back_in_order(tmp_path: Path) -> None:
    folder = make_run(tmp_path)
    append(folder, event("one"), event("zwei ✓ \u202e\x00"))
    append(folder, BlockRecord(session=2, block=3))
    run = store.read(folder)
    assert [e.detail for e in run.of(EventRecord)] == ["one", "zwei ✓ \u202e\x00"]
    assert run.finished_blocks == {3: 2}


def test_a_line_that_was_cut_is_not_a_record_and_is_dropped_before_going_on(tmp_path: Path) -> None:
    folder = make_run(tmp_path)
    append(folder, event("kept"))
    with (folder / "records.jsonl").open("ab") as file:
        file.write(b'{"type": "event", "schem')
    assert len(store.read(folder).records) == 1
    store.drop_cut_line(folder)
    append(folder, event("after"))
    assert [e.detail for e in store.read(folder).of(EventRecord)] == ["kept", "after"]


def test_a_damaged_line_in_the_middle_is_an_error(tmp_path: Path) -> None:
    folder = make_run(tmp_path)
    append(folder, event("kept"))
    file = folder / "records.jsonl"
    file.write_bytes(b"{garbage\n" + file.read_bytes())
    with pytest.raises(UserError, match="damaged"):
        store.read(folder)


def test_not_measured_is_null_and_nan_is_refused(tmp_path: Path) -> None:
    folder = make_run(tmp_path)
    opened = store.Store(folder)
    with pytest.raises(ValueError, match="not JSON compliant"):
        opened.append([EventRecord(session=1, kind="k", detail="d", at_s=float("nan"))])
    opened.close()
    assert store.read(folder).records == []


def test_a_run_of_a_newer_program_is_refused(tmp_path: Path) -> None:
    folder = make_run(tmp_path)
    header = json.loads((folder / "run.json").read_text())
    (folder / "run.json").write_text(json.dumps({**header, "schema": 99}))
    with pytest.raises(UserError, match="schema 99"):
        store.read(folder)


def test_a_folder_that_is_no_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="not a run folder"):
        store.read(tmp_path)


def test_an_out_that_is_a_file_is_refused_and_nothing_is_left(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    with pytest.raises(UserError, match="--out"):
        make_run(tmp_path / "file" / "out")
    assert [p.name for p in tmp_path.iterdir()] == ["file"]


def test_discarding_removes_only_what_was_made_for_the_run(tmp_path: Path) -> None:
    theirs = tmp_path / "theirs"
    theirs.mkdir()
    first = store.create(theirs / "deep" / "results", header=run_header())
    second = store.create(theirs / "deep" / "results", header=run_header())
    first.discard()
    assert second.folder.is_dir()
    second.discard()
    assert (theirs / "deep" / "results").is_dir()  # the first run made it, and it was not empty then
    third = store.create(theirs / "new" / "results", header=run_header())
    third.discard()
    assert sorted(path.name for path in theirs.iterdir()) == ["deep"]


@pytest.mark.parametrize("below", [".", "report", "a/b"])
def test_a_run_is_not_made_inside_another_one(tmp_path: Path, below: str) -> None:
    old = make_run(tmp_path)
    append(old, event("measured"))
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(UserError, match=r"lies in the run folder .*bench run --resume"):
        make_run(old / below)
    assert sorted(tmp_path.rglob("*")) == before


def test_a_record_whose_content_has_changed_is_damaged(tmp_path: Path) -> None:
    folder = make_run(tmp_path)
    append(folder, event("kept"))
    file = folder / "records.jsonl"
    file.write_text(file.read_text().replace("kept", "made"))
    with pytest.raises(UserError, match=r"line 1, is damaged: its checksum .*bench runs repair"):
        store.read(folder)


def test_a_record_of_a_version_without_checksums_is_read(tmp_path: Path) -> None:
    folder = make_run(tmp_path)
    line = json.dumps(event("old").to_json())
    (folder / "records.jsonl").write_text(line + "\n")
    assert [e.detail for e in store.read(folder).of(EventRecord)] == ["old"]


def test_what_cannot_be_written_whole_is_not_there_at_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = make_run(tmp_path)
    append(folder, event("kept"))
    whole = os.write
    written: list[int] = []

    def full(descriptor: int, data: bytes) -> int:
        if written:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        written.append(whole(descriptor, data[:10]))
        return written[-1]

    opened = store.Store(folder)
    monkeypatch.setattr(os, "write", full)
    with pytest.raises(RunFailed, match="No space left"):
        opened.append([event("lost")])
    monkeypatch.undo()
    opened.append([event("after")])
    opened.close()
    assert [e.detail for e in store.read(folder).of(EventRecord)] == ["kept", "after"]
