"""Damaged records are set aside, counted and run again; nothing that could be read is lost."""

from __future__ import annotations

import random
import shutil
from pathlib import Path

import pytest

from bench.errors import UserError
from bench.report.cautions import Caution
from bench.report.story import Story
from bench.run import store
from bench.run.records import EventRecord
from bench.run.repair import repair
from tests.bench.processes import bench


@pytest.fixture
def run(echo_run: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(echo_run, tmp_path / echo_run.name))


def lines_of(run: Path) -> list[bytes]:
    return (run / "records.jsonl").read_bytes().splitlines(keepends=True)


def damage(run: Path, number: int, content: bytes) -> None:
    lines = lines_of(run)
    lines[number - 1] = content
    (run / "records.jsonl").write_bytes(b"".join(lines))


def first_line(run: Path, kind: bytes) -> int:
    return next(
        n for n, line in enumerate(lines_of(run), start=1) if line.startswith(b'{"type": "%s"' % kind)
    )


DAMAGED = [b"\xff\xfe{}\n", b"\n", b"\0" * 300 + b"\n", b"[1]\n", b"[" * 5000 + b"\n"]


@pytest.mark.parametrize("content", DAMAGED)
def test_a_damaged_line_is_set_aside_and_its_block_runs_again(run: Path, content: bytes) -> None:
    before = lines_of(run)
    number = first_line(run, b"slot")
    damage(run, number, content)
    damaged = (run / "records.jsonl").read_bytes()
    with pytest.raises(UserError, match=rf"line {number}, is damaged.*bench runs repair"):
        store.read(run)
    done = repair(run)
    assert done.damaged == (number,)
    assert done.original is not None
    assert done.original.read_bytes() == damaged
    stored = store.read(run)
    [event] = [e for e in stored.of(EventRecord) if e.kind == "repaired"]
    assert "1 damaged line of the records set aside" in event.detail
    assert done.reopened == (1,)
    assert 1 not in stored.finished_blocks
    kept = lines_of(run)
    lost = [line for line in before if line not in kept]
    assert len(lost) == 2  # the line, and the mark of its block
    assert repair(run).damaged == ()


def test_the_command_says_what_it_did_and_the_run_goes_on(run: Path, tmp_path: Path) -> None:
    damage(run, first_line(run, b"slot"), b"nothing\n")
    for command in ("report", "run"):
        option = ["--resume"] if command == "run" else []
        done = bench(command, *option, str(run), cwd=tmp_path)
        assert (done.returncode, "bench runs repair" in done.stderr) == (2, True)
    done = bench("runs", "repair", str(run), cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "1 damaged line set aside" in done.stdout
    done = bench("run", "--resume", str(run), "-q", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    story = Story.of(run)
    assert 1 in store.read(run).finished_blocks
    words = [c.words for c in _cautions(story)]
    assert any("damaged line of the records set aside" in text for text in words)
    again = bench("runs", "repair", str(run), cwd=tmp_path)
    assert "nothing was changed" in again.stdout


def _cautions(story: Story) -> list[Caution]:
    return list(story.summary.cautions)


def test_records_of_which_nothing_can_be_read_are_left_as_they_are(run: Path) -> None:
    (run / "records.jsonl").write_bytes(b"\0\n\0\n")
    with pytest.raises(UserError, match="no line of"):
        repair(run)
    assert (run / "records.jsonl").read_bytes() == b"\0\n\0\n"


@pytest.mark.parametrize("seed", range(8))
def test_any_byte_may_change(run: Path, seed: int) -> None:
    """What is read afterwards is what was written, and a block that lost anything is not whole."""
    rng = random.Random(seed)
    written = store.read(run).records
    file = run / "records.jsonl"
    data = bytearray(file.read_bytes())
    for _ in range(3):
        data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    file.write_bytes(bytes(data))
    done = repair(run)
    stored = store.read(run)
    read = [record for record in stored.records if getattr(record, "kind", "") != "repaired"]
    assert all(record in written for record in read)
    lost = len(written) - len(read)
    assert (lost > 0) == bool(done.damaged)
