"""The append-only run folder.

    run.json        what was asked for and where: written whole before the folder gets its name
    prompts.jsonl   the prompts that it runs, so that the folder needs no other file
    records.jsonl   one line per record; a record counts once its line, newline included, is on disk

Nothing is ever changed or deleted, but for a new run in which nothing was measured. A line that was cut
by a crash was never returned to anybody as written, so a resumed run drops it.
"""

from __future__ import annotations

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

from bench.errors import UserError
from bench.run.records import SCHEMA, BlockRecord, Record, SessionRecord, record_from_json
from bench.suite import prompt_forms
from bench.suite.header import RunHeader
from bench.suite.prompt_forms import Prompt
from bench.typed import from_json

R = TypeVar("R", bound=Record)
PROMPTS = "prompts.jsonl"


@dataclass(frozen=True, kw_only=True)
class StoredRun:
    """A run folder as read back."""

    folder: Path
    header: RunHeader
    """run.json."""
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
    def sessions(self) -> int:
        """How often the run was started."""
        return max((record.session for record in self.of(SessionRecord)), default=0)

    @cached_property
    def prompts(self) -> tuple[Prompt, ...]:
        """The prompts that it runs; empty for a run of a version that did not keep them.

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
        if [prompt.id for prompt in prompts] != self.header.prompts.ids:
            raise UserError(f"{file} holds other prompts than run.json says", fix="restore it from a copy")
        return prompts

    def session_folder(self, session: int) -> Path:
        """Where the raw stream of a session lies."""
        return self.folder if session == 1 else self.folder / f"session-{session}"


class Store:
    """Writes records into one run folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
        self._descriptor = os.open(folder / "records.jsonl", flags, 0o644)

    def append(self, records: Iterable[Record]) -> None:
        """Write records; on return they are on disk."""
        lines = [json.dumps(r.to_json(), ensure_ascii=False, allow_nan=False) + "\n" for r in records]
        data = "".join(lines).encode("utf-8", errors="backslashreplace")
        while data:
            data = data[os.write(self._descriptor, data) :]
        os.fsync(self._descriptor)

    def close(self) -> None:
        """Close the file."""
        os.close(self._descriptor)


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
            fix=(f"choose another folder with --out, or go on with that run: bench run --resume {inside}"),
        )
    now = datetime.now(UTC)
    run_id = f"{now:%Y%m%d-%H%M%S}-{header.suite.name}-{secrets.token_hex(2)}"
    started = now.isoformat(timespec="seconds")
    made = tuple(folder for folder in (out, *out.parents) if not folder.exists())
    staging = out / f".{run_id}"
    try:
        staging.mkdir(parents=True)
        document = {"schema": SCHEMA, **asdict(replace(header, run_id=run_id, started_utc=started))}
        (staging / "run.json").write_text(
            json.dumps(document, indent=2, ensure_ascii=False) + "\n", encoding="utf-8"
        )
        if prompts:
            (staging / PROMPTS).write_text(prompt_forms.write(prompts), encoding="utf-8")
        staging.rename(out / run_id)
    except OSError as error:
        NewRun(staging, made).discard()
        raise UserError(
            f"can't write to {out} ({error.strerror})", fix="choose another folder with --out"
        ) from None
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
    return StoredRun(folder=folder, header=header, records=_read_records(folder / "records.jsonl"))


def read_header(folder: Path) -> RunHeader:
    """The run.json of a run folder.

    Raises:
        UserError: not a run folder, written by a newer program, or damaged.
    """
    try:
        stored = json.loads((folder / "run.json").read_bytes())
    except (OSError, ValueError):
        raise UserError(
            f"{folder} is not a run folder: it has no readable run.json", fix="list runs with: bench runs"
        ) from None
    schema = stored.get("schema", 0) if isinstance(stored, dict) else 0
    if schema > SCHEMA:
        raise UserError(f"{folder} has schema {schema}, this program reads {SCHEMA}", fix="upgrade it")
    try:
        return from_json(RunHeader, stored)
    except ValueError as error:
        raise UserError(f"{folder / 'run.json'} is damaged: {error}", fix="restore it from a copy") from None


def _read_records(file: Path) -> list[Record]:
    if not file.exists():
        return []
    *lines, _cut = file.read_bytes().split(b"\n")
    return [_read_record(line, file=file, number=number) for number, line in enumerate(lines, start=1)]


def _read_record(line: bytes, *, file: Path, number: int) -> Record:
    try:
        stored = json.loads(line)
        if not isinstance(stored, dict):
            raise ValueError("no record")
        return record_from_json(stored)
    except ValueError as error:
        raise UserError(f"{file}, line {number}, is damaged: {error}", fix="restore it from a copy") from None


def drop_cut_line(folder: Path) -> None:
    """Before a run is resumed: remove the bytes after the last newline."""
    file = folder / "records.jsonl"
    if file.exists():
        data = file.read_bytes()
        if not data.endswith(b"\n"):
            os.truncate(file, data.rfind(b"\n") + 1)
