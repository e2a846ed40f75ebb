"""The append-only run folder.

    run.json        what was asked for and where: written whole before the folder gets its name
    prompts.jsonl   the prompts that it runs, so that the folder needs no other file
    records.jsonl   one line per record, closed by a checksum; it counts once its newline is on disk

Nothing is ever changed or deleted, but for a new run in which nothing was measured. A line that was cut
by a crash was never returned to anybody as written, so a resumed run drops it.
"""

from __future__ import annotations

import fcntl
import json
import os
import secrets
import shutil
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar
from zlib import crc32

from bench import typed
from bench.errors import RunFailed, UserError
from bench.run import door
from bench.run.power import Power
from bench.run.records import (
    SCHEMA,
    BlockRecord,
    Record,
    SessionRecord,
    SizedRecord,
    VoidSlot,
    record_from_json,
)
from bench.suite import prompt_forms
from bench.suite.header import RunHeader
from bench.suite.prompt_forms import Prompt

R = TypeVar("R", bound=Record)
PROMPTS, RECORDS = "prompts.jsonl", "records.jsonl"

_CHECKSUM = b', "crc32": "'
"""What stands between a record and the checksum of the bytes before it."""


@dataclass(frozen=True, kw_only=True)
class StoredRun:
    """A run folder as read back."""

    folder: Path
    header: RunHeader
    """run.json; where the minutes were too few for all prompts, its ids are those of a repeat."""
    records: list[Record]

    def of(self, kind: type[R]) -> list[R]:
        """Records of one class, in the order they were written."""
        return self._by_class.get(kind, [])

    @cached_property
    def _by_class(self) -> dict[type[Record], list[Any]]:
        by_class: dict[type[Record], list[Any]] = {}
        for record in self.records:
            by_class.setdefault(type(record), []).append(record)
        return by_class

    @property
    def finished_blocks(self) -> dict[int, int]:
        """Block number -> session in which it was completed."""
        return {record.block: record.session for record in self.of(BlockRecord)}

    @property
    def void_blocks(self) -> frozenset[int]:
        """Whole blocks with a slot that counts for nothing, because its worker was lost or refused."""
        whole = self.finished_blocks
        return frozenset(v.block for v in self.of(VoidSlot) if whole.get(v.block) == v.session)

    @property
    def power_by_session(self) -> dict[int, Power | None]:
        """The power supply at the start of each session; None where it was not looked at."""
        return {record.session: record.power for record in self.of(SessionRecord)}

    @property
    def sessions(self) -> int:
        """How often the run was started."""
        return max((record.session for record in self.of(SessionRecord)), default=0)

    @cached_property
    def prompts(self) -> tuple[Prompt, ...]:
        """The whole set of prompts; empty for a run of a version that did not keep them.

        Raises:
            UserError: their file is damaged.
        """
        file = self.folder / PROMPTS
        if not file.is_file():
            return ()
        try:
            text = file.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError):
            raise UserError(f"can't read {file}", fix="restore it from a copy") from None
        prompts = prompt_forms.read(text, file=file)
        ids = self.header.prompts.ids
        if [prompt.id for prompt in prompts[: len(ids)]] != ids:
            raise UserError(f"{file} holds other prompts than run.json says", fix="restore it from a copy")
        return prompts

    def session_folder(self, session: int) -> Path:
        """Where the raw stream of a session lies."""
        return self.folder if session == 1 else self.folder / f"session-{session}"


class Store:
    """Writes records into one run folder, of which this process is the sole writer."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
        self._descriptor = os.open(folder / RECORDS, flags, 0o644)

    def append(self, records: Iterable[Record]) -> None:
        """Write records; on return they are on disk.

        Raises:
            RunFailed: they can't be written; none of them is there.
        """
        data = b"".join(line_of(record) for record in records)
        whole_bytes = os.fstat(self._descriptor).st_size
        try:
            while data:
                data = data[os.write(self._descriptor, data) :]
            _flush(self._descriptor)
        except OSError as error:
            os.ftruncate(self._descriptor, whole_bytes)  # no half of a line stands before a later one
            raise RunFailed(f"can't write {self.folder / RECORDS} ({error.strerror})") from None

    def close(self) -> None:
        """Close the file."""
        os.close(self._descriptor)


def line_of(record: Record) -> bytes:
    """The line that is stored: a JSON object whose last key is the CRC-32 of the bytes before that key."""
    text = json.dumps(record.to_json(), ensure_ascii=False, allow_nan=False)
    content = text.encode("utf-8", errors="backslashreplace")[:-1]
    return content + _CHECKSUM + b'%08x"}\n' % crc32(content)


def _flush(descriptor: int) -> None:
    """Put a file on the disk. On a Mac `fsync` gets it as far as the drive, which may keep it in memory."""
    if hasattr(fcntl, "F_FULLFSYNC"):
        with suppress(OSError):  # a file system without it, such as a network's
            fcntl.fcntl(descriptor, fcntl.F_FULLFSYNC)
            return
    os.fsync(descriptor)


@dataclass(frozen=True)
class NewRun:
    """A run folder that this process has just made, and what it made to hold it."""

    folder: Path
    made: tuple[Path, ...]
    """Folders above `folder` that were not there before, innermost first."""

    def discard(self) -> None:
        """Remove the run folder, and of the folders above it those that were made for it and are empty."""
        shutil.rmtree(self.folder, ignore_errors=True)
        _remove_empty(self.made)


def create(out: Path, *, header: RunHeader, prompts: Sequence[Prompt] = ()) -> NewRun:
    """A new run folder under `out`, visible only once its run.json and its prompts are whole.

    Raises:
        UserError: `out` can't be written, or lies in a run folder.
    """
    inside = next((f for f in (out, *out.absolute().parents) if os.path.exists(f / "run.json")), None)
    if inside is not None:
        raise UserError(
            f"{out} lies in the run folder {inside}",
            fix=f"choose another folder with --out, or go on with that run: bench run --resume {inside}",
        )
    now = datetime.now(UTC)
    run_id = f"{now:%Y%m%d-%H%M%S}-{header.suite.name}-{secrets.token_hex(2)}"
    header = replace(header, run_id=run_id, started_utc=now.isoformat(timespec="seconds"))
    made = tuple(folder for folder in (out, *out.parents) if not folder.exists())
    staging = out / f".{run_id}"
    try:
        staging.mkdir(parents=True)
        text = json.dumps({"schema": SCHEMA, **asdict(header)}, indent=2, ensure_ascii=False)
        (staging / "run.json").write_text(f"{text}\n", encoding="utf-8")
        if prompts:
            (staging / PROMPTS).write_text(prompt_forms.write(prompts), encoding="utf-8")
        staging.rename(out / run_id)
    except OSError as error:
        NewRun(staging, made).discard()
        cause = error.strerror
        raise UserError(f"can't write to {out} ({cause})", fix="choose another folder with --out") from None
    return NewRun(out / run_id, made)


def _remove_empty(folders: Iterable[Path]) -> None:
    for folder in folders:
        with suppress(OSError):  # somebody else has put something in
            folder.rmdir()


def read(folder: Path) -> StoredRun:
    """Read a run folder; a last line that was cut by a crash is not a record.

    Raises:
        UserError: not a run folder, written by a newer program, or damaged.
    """
    header = read_header(folder)
    records = _read_records(folder / RECORDS)
    most = next((record.prompts for record in reversed(records) if isinstance(record, SizedRecord)), None)
    prompts = replace(header.prompts, ids=header.prompts.ids[:most])
    return StoredRun(folder=folder, header=replace(header, prompts=prompts), records=records)


def read_header(folder: Path) -> RunHeader:
    """The run.json of a run folder.

    Raises:
        UserError: not a run folder, one that holds what no run folder holds, written by a newer program, or
            damaged.
    """
    try:
        door.enter(folder)
        stored = typed.loads((folder / "run.json").read_bytes())
    except (OSError, ValueError):
        raise UserError(
            f"{folder} is not a run folder: it has no readable run.json", fix="list runs with: bench runs"
        ) from None
    schema = stored.get("schema", 0) if isinstance(stored, dict) else 0
    if isinstance(schema, int) and schema > SCHEMA:
        raise UserError(f"{folder} has schema {schema}, this program reads {SCHEMA}", fix="upgrade it")
    try:
        return typed.from_json(RunHeader, stored)
    except ValueError as error:
        raise UserError(f"{folder / 'run.json'} is damaged: {error}", fix="restore it from a copy") from None


def _read_records(file: Path) -> list[Record]:
    if not file.exists():
        return []
    *lines, _cut = file.read_bytes().split(b"\n")
    return [read_record(line, file=file, number=number) for number, line in enumerate(lines, start=1)]


def read_record(line: bytes, *, file: Path, number: int) -> Record:
    """As `record_of`; a damaged one is a `UserError` that says which line of what file."""
    try:
        return record_of(line)
    except ValueError as error:
        raise UserError(
            f"{file}, line {number}, is damaged: {error}",
            fix=f"restore it from a copy, or set it aside: bench runs repair {file.parent}",
        ) from None


def record_of(line: bytes) -> Record:
    """The record of a line, its newline left out. A line of an older version has no checksum.

    Raises:
        ValueError: it is damaged; the message says how.
    """
    stored = typed.loads(line)
    if not isinstance(stored, dict):
        raise ValueError("it is no record")
    content, key, _ = line.rpartition(_CHECKSUM)
    if "crc32" in stored and (not key or stored["crc32"] != f"{crc32(content):08x}"):
        raise ValueError("its checksum is that of other content")
    return record_from_json(stored)


def drop_cut_line(folder: Path) -> None:
    """Before a run is resumed: remove the bytes after the last newline."""
    file = folder / RECORDS
    if file.exists():
        data = file.read_bytes()
        if not data.endswith(b"\n"):
            os.truncate(file, data.rfind(b"\n") + 1)


def ending(kind: type[BaseException] | None, error: BaseException | None) -> tuple[str, str]:
    """Kind and detail of the event with which a session ends; arguments as of `__exit__`."""
    if kind is None:
        return "finished", "every block that was begun is whole"
    if issubclass(kind, KeyboardInterrupt):
        return "interrupted", "Ctrl-C; blocks that were not whole are run again on resumption"
    return "failed", str(error)
