"""What a fleet leaves on disk.

fleet.json     which suites on which machines: written whole before anything is asked of a machine
jobs.jsonl     a line for each job that has ended, and how
HOST/RUN/      the run folders, each whole
"""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from bench.errors import RunFailed, UserError
from bench.fleet.hosts import HostsFile
from bench.fleet.sent import SentSuite
from bench.show.files import write
from bench.typed import from_json, to_json

FLEET, JOBS = "fleet.json", "jobs.jsonl"
SCHEMA = 1


@dataclass(frozen=True, kw_only=True)
class FleetAsked:
    """Which suites on which machines."""

    name: str
    """Of the fleet, and of its folder here and there."""
    started_utc: str
    hosts: HostsFile
    suites: list[SentSuite]


@dataclass(frozen=True, kw_only=True)
class JobEnded:
    """How a job has ended; of several lines for one job the last holds."""

    host: str
    suite: str
    state: Literal["done", "failed"]
    run: str | None = None
    """Name of its folder."""
    why: str | None = None
    """It has failed."""


@dataclass(frozen=True)
class FleetFolder:
    """A fleet on disk."""

    path: Path
    asked: FleetAsked

    @classmethod
    def create(cls, out: Path, hosts: HostsFile, suites: Sequence[SentSuite]) -> FleetFolder:
        """A new folder below `out`.

        Raises:
            UserError: it can't be written.
        """
        now = datetime.now(UTC)
        name = f"fleet-{now:%Y%m%d-%H%M%S}-{secrets.token_hex(2)}"
        started = now.isoformat(timespec="seconds")
        asked = FleetAsked(name=name, started_utc=started, hosts=hosts, suites=list(suites))
        instead = "choose another folder with --out"
        try:
            (out / name).mkdir(parents=True)
        except OSError as error:
            raise UserError(f"can't write to {out} ({error.strerror})", fix=instead) from None
        write(
            out / name / FLEET,
            json.dumps({"schema": SCHEMA, **to_json(asked)}, indent=2, ensure_ascii=False) + "\n",
            instead=instead,
        )
        return cls(out / name, asked)

    @classmethod
    def read(cls, path: Path) -> FleetFolder:
        """A folder that is there.

        Raises:
            UserError: it is none, or it is damaged.
        """
        try:
            told = json.loads((path / FLEET).read_bytes())
            schema = told.get("schema")
        except (OSError, ValueError, AttributeError, RecursionError):
            raise UserError(
                f"{path} is not the folder of a fleet: it has no readable {FLEET}",
                fix="name the folder that bench fleet has made",
            ) from None
        if schema != SCHEMA:
            raise UserError(f"{path} has schema {schema}, this program reads {SCHEMA}", fix="upgrade it")
        try:
            return cls(path, from_json(FleetAsked, told))
        except ValueError as error:
            raise UserError(f"{path / FLEET} is damaged: {error}", fix="restore it from a copy") from None

    @property
    def ended(self) -> dict[tuple[str, str], JobEnded]:
        """How jobs have ended, by host and suite; a line that was cut by a crash says nothing.

        Raises:
            UserError: a line is damaged.
        """
        try:
            *lines, _cut = (self.path / JOBS).read_bytes().split(b"\n")
        except FileNotFoundError:
            return {}
        try:
            ended = [from_json(JobEnded, json.loads(line)) for line in lines]
        except ValueError as error:
            raise UserError(f"{self.path / JOBS} is damaged: {error}", fix="take that line out") from None
        return {(job.host, job.suite): job for job in ended}

    def append(self, job: JobEnded) -> None:
        """Note how a job has ended; on return it is on disk.

        Raises:
            RunFailed: it can't be written.
        """
        try:
            with (self.path / JOBS).open("ab") as out:
                out.write(json.dumps(asdict(job)).encode() + b"\n")
                out.flush()
                os.fsync(out.fileno())
        except OSError as error:
            raise RunFailed(f"can't write {self.path / JOBS} ({error.strerror})") from None

    def drop_cut_line(self) -> None:
        """Remove what a crash has left of a line, before others are appended."""
        file = self.path / JOBS
        if file.exists():
            data = file.read_bytes()
            if not data.endswith(b"\n"):
                os.truncate(file, data.rfind(b"\n") + 1)
