"""A damaged records file, mended: what can't be read is set aside, and what rests on it is run again."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

from analysis.words import counted
from bench.errors import UserError
from bench.run import store
from bench.run.records import BlockRecord, EventRecord, Record, SessionRecord
from bench.run.store import RECORDS, record_of
from bench.run.writer import sole_writer
from bench.show import files


@dataclass(frozen=True, kw_only=True)
class Repaired:
    """What was done to a run folder."""

    damaged: tuple[int, ...]
    """Numbers of the lines that were set aside, from 1."""
    reopened: tuple[int, ...]
    """Blocks that were whole and are not any more; a resumed run measures them again."""
    original: Path | None
    """The file as it was; None if nothing was damaged."""


def repair(folder: Path) -> Repaired:
    """Set the damaged lines of a run's records aside; the file as it was stays beside the new one.

    A session writes the slots of a block before it marks the block as whole. So a block that was marked
    after a damaged line, the first such of its session, may lack a slot, and is not taken as whole.

    Raises:
        UserError: not a run folder, somebody writes it, or nothing of it can be read.
    """
    store.read_header(folder)
    file = folder / RECORDS
    with sole_writer(folder):
        data = file.read_bytes() if file.is_file() else b""
        *lines, _cut = data.split(b"\n")
        records = [_record(line) for line in lines]
        damaged = tuple(number for number, record in enumerate(records, start=1) if record is None)
        if not damaged:
            return Repaired(damaged=(), reopened=(), original=None)
        if len(damaged) == len(lines):
            raise UserError(f"no line of {file} can be read", fix="restore it from a copy")
        reopened = _reopened(records)
        kept = [
            line
            for line, record in zip(lines, records, strict=True)
            if record is not None and not (isinstance(record, BlockRecord) and record in reopened)
        ]
        event = _event(damaged, reopened, session=max(1, _sessions(records)))
        original = _set_aside(folder, data)
        files.write(file, b"".join(line + b"\n" for line in kept) + store.line_of(event))
    return Repaired(damaged=damaged, reopened=tuple(sorted(r.block for r in reopened)), original=original)


def _record(line: bytes) -> Record | None:
    try:
        return record_of(line)
    except ValueError:
        return None


def _reopened(records: list[Record | None]) -> list[BlockRecord]:
    """Blocks that may lack a slot; all of a session whose own record is gone."""
    told = {record.session for record in records if isinstance(record, SessionRecord)}
    reopened = []
    lost = False
    for record in records:
        lost = lost or record is None
        if isinstance(record, BlockRecord):
            if lost or record.session not in told:
                reopened.append(record)
            lost = False
    return reopened


def _sessions(records: list[Record | None]) -> int:
    return sum(isinstance(record, SessionRecord) for record in records)


def _event(damaged: tuple[int, ...], reopened: list[BlockRecord], *, session: int) -> EventRecord:
    again = f"; to be run again: {counted(len(reopened), 'block')}" if reopened else ""
    detail = f"{counted(len(damaged), 'damaged line')} of the records set aside{again}"
    return EventRecord(session=session, kind="repaired", detail=detail, at_s=time.perf_counter())


def _set_aside(folder: Path, data: bytes) -> Path:
    """Keep the file as it was, under a name that is free."""
    number = 1
    while (place := folder / f"{RECORDS}.damaged-{number}").exists():
        number += 1
    return files.write(place, data)
