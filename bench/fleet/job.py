"""One suite on one machine: from looking what is there to a run folder that is here and whole."""

from __future__ import annotations

import asyncio
import json
import math
import shlex
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from bench.errors import UserError
from bench.fleet.hosts import FleetHost
from bench.fleet.reach import HostDropped, HostFailed, Reached, reached
from bench.fleet.sent import SentSuite
from bench.report.readback import read_back
from bench.run import store
from bench.run.records import EventRecord
from bench.run.writer import LOCK
from bench.show.safe_text import one_line
from energy.base import EnergyError

MOST_KILLED = 3
"""A run that is killed so often is not begun again."""
WAITS_S = (1.0, 5.0, 15.0, 30.0)
"""Between two tries to reach a machine that has dropped out; the last one again and again."""
STILL_RUNS_S = 5.0
"""How often it is looked whether an earlier run has ended by itself."""
RUNS = "runs"
_ENDINGS = ("finished", "interrupted", "failed")

State = Literal["waiting", "running", "done", "failed"]


@dataclass
class JobSeen:
    """How a job stands; what is not known is None."""

    host: str
    suite: str
    state: State = "waiting"
    stage: str = ""
    """What goes on, or why it has failed."""
    slot: int | None = None
    slots: int | None = None
    left_s: float | None = None
    joules_per_token: float | None = None
    """Of the last window."""
    run: Path | None = None
    """Where the run is, once it is here."""


Tell = Callable[[JobSeen], None]


@dataclass(frozen=True, kw_only=True)
class JobAsked:
    """All that a job needs."""

    name: str
    """Of the machine."""
    host: FleetHost
    known_hosts: Path
    patience_s: float
    suite: SentSuite
    folder: str
    """There: with the suite, its prompts and its runs."""
    to: Path
    """Here: the folder of the machine, for run folders."""
    waits_s: tuple[float, ...] = WAITS_S
    seen: JobSeen = field(kw_only=True)
    tell: Tell


async def do_job(asked: JobAsked) -> Path:
    """Run a suite on a machine, going on with whatever of it is there; returns its run folder here.

    Raises:
        HostFailed: it can't be done; the message says why.
    """
    dropped_s: float | None = None
    tries = 0
    while True:
        try:
            async with reached(asked.name, asked.host, asked.known_hosts) as there:
                dropped_s, tries = None, 0
                return await _on(there, asked)
        except HostDropped as error:
            now_s = time.monotonic()
            dropped_s = now_s if dropped_s is None else dropped_s
            if now_s - dropped_s >= asked.patience_s:
                raise HostFailed(
                    error.what, fix="go on once it is back: bench fleet --resume FLEET"
                ) from None
            _say(asked, stage=f"{error.what}: tried again")
            await asyncio.sleep(asked.waits_s[min(tries, len(asked.waits_s) - 1)])
            tries += 1


async def _on(there: Reached, asked: JobAsked) -> Path:
    """The same on a machine that is reached."""
    for _ in range(MOST_KILLED):
        runs = await there.names(f"{asked.folder}/{RUNS}")
        what = [asked.suite.file, "--out", RUNS]
        if runs:
            await _until_it_is_left_alone(there, asked, runs[-1])
            folder = await _fetch(there, asked, runs[-1])
            if folder is not None:
                return folder
            what = ["--resume", f"{RUNS}/{runs[-1]}"]
        options = ["--json", *(["--allow-root"] if asked.host.allow_root else [])]
        code, said = await there.bench(
            "run", *what, *options, folder=asked.folder, on_line=lambda line: _take(line, asked)
        )
        if code:
            raise HostFailed(said or f"bench run ended with {code} there")
        if code == 0:
            runs = await there.names(f"{asked.folder}/{RUNS}")
            folder = await _fetch(there, asked, runs[-1]) if runs else None
            if folder is None:
                raise HostFailed("bench run has ended there, but its run is not whole")
            return folder
        _say(asked, stage="it was killed there: gone on with")
    raise HostFailed(f"its run was killed there {MOST_KILLED} times")


async def _until_it_is_left_alone(there: Reached, asked: JobAsked, run: str) -> None:
    """Wait for a run that goes on although nobody listened to it any more."""
    lock = shlex.quote(f"{asked.folder}/{RUNS}/{run}/{LOCK}")
    while True:
        code, _ = await there.shell(
            f'ps -p "$(cat {lock})" -o args= 2>/dev/null | grep -q bench', lambda _: None
        )
        if code != 0:
            return
        _say(asked, stage="still runs there, from before")
        await asyncio.sleep(STILL_RUNS_S)


async def _fetch(there: Reached, asked: JobAsked, run: str) -> Path | None:
    """Bring a run folder here, look at all of it, and put it in its place; None if the run has not ended."""
    _say(asked, stage="fetching")
    staging, place = asked.to / f".{run}", asked.to / run
    shutil.rmtree(staging, ignore_errors=True)
    staging.mkdir(parents=True)
    try:
        await there.fetch(f"{asked.folder}/{RUNS}/{run}", staging)
        if not await asyncio.to_thread(_is_whole, staging, asked.suite):
            return None
        shutil.rmtree(place, ignore_errors=True)
        staging.rename(place)
    finally:
        shutil.rmtree(staging, ignore_errors=True)
    return place


def _is_whole(folder: Path, suite: SentSuite) -> bool:
    """Whether a run that was fetched has ended as it should.

    Raises:
        HostFailed: it is damaged, or of another suite.
    """
    try:
        stored = store.read(folder)
        if stored.header.suite.sha256 != suite.sha256:
            raise HostFailed(f"it has run another suite than {suite.label}")
        endings = [event.kind for event in stored.of(EventRecord) if event.kind in _ENDINGS]
        if endings[-1:] != ["finished"]:
            return False
        read_back(stored)
    except (UserError, EnergyError) as error:
        raise HostFailed(f"what it sent is damaged: {error.what}") from None
    return True


def _take(line: str, asked: JobAsked) -> None:
    """What a line of `bench run --json` says; lines of anything else say nothing."""
    try:
        told = json.loads(line)
        event = told["event"]
    except (ValueError, LookupError, TypeError):
        return
    seen = asked.seen
    if event == "stage":
        _say(asked, stage=one_line(told.get("what", "")))
    elif event == "slot_started":
        seen.slot, seen.slots = _number(told, "slot", int), _number(told, "slots", int)
        seen.left_s = _number(told, "left_s", float)
        _say(asked, stage=one_line(told.get("arm", "")))
    elif event == "slot_done":
        joules = told.get("joules")
        total_j = _number(joules, "total_j", float) if isinstance(joules, dict) else None
        tokens = _number(told, "new_tokens", int)
        seen.joules_per_token = total_j / tokens if total_j is not None and tokens else None
        _say(asked)


def _number(told: dict[str, Any], name: str, kind: type) -> Any:
    value = told.get(name)
    is_number = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    return kind(value) if is_number else None


def _say(asked: JobAsked, *, stage: str | None = None) -> None:
    if stage is not None:
        asked.seen.stage = stage
    asked.tell(asked.seen)
