"""Kills at random moments, and what is left of the run: nothing lost, nothing twice, nothing still running.

A run with the simulated meter is started as a user starts one. At a stage that its lines or its files tell,
one of its processes gets a signal. What is left is resumed, and killed again, until it is whole.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from bench.report.readback import Readback, read_back
from bench.run import store
from bench.run.records import BlockRecord
from benchmarks.campaign.folders import SUITE

TARGETS = {
    "conductor": "bench.cli.entry",
    "worker": "bench.run.workers.worker",
    "sampler": "energy.lab.simulated",
    "load": "bench.run.workloads",
}
"""What a process of a run is known by, in its command."""
OF_SELF_TEST = ("self-test", "pulses")
STAGES = ("start", "loading", "warm-up", "self-test", "pulses", "idle", "latency", "window", "writing")
_SAID = {
    "loading": "loading",
    "warming up": "warm-up",
    "self-test of the meter\n": "self-test",
    "pulses": "pulses",
    "latency": "latency",
    "idle: ": "window",
    "idle ": "idle",
    "window ": "window",
}
"""How a line begins with which a stage begins."""
SIGNALS = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGSTOP)
BLOCKS, WINDOWS, PROMPTS = 2, 6, 2
KILLS_A_RUN = 10
EXIT_CODES = (0, 1, 130, -signal.SIGINT, -signal.SIGKILL)
"""Python ends by SIGINT itself, after the line, if Ctrl-C came while an import executed a string."""
OF_PYTHON = "Fatal Python error: init_import_site"
"""Python's own words where Ctrl-C came while it starts, before a line of any program."""
GONE_S = 2.0
"""After its conductor's end nothing of a run is there for longer."""
HUNG_S = 90.0
PATIENCE = "request_deadline_s = 5.0\nload_deadline_s = 25.0\ncool_down_limit_s = 2.0\n"
"""A stopped worker or sampler is waited for no longer than this."""


@dataclass
class Killed:
    """One run and what was done to it."""

    kills: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    """Target, stage and signal of those that were sent."""
    bad: list[str] = field(default_factory=list)
    """What must not be."""
    sessions: int = 0
    """It was begun, or resumed, so often."""


def one(work: Path, *, seed: int, kills: int = KILLS_A_RUN, moment_s: float = 0.4) -> Killed:
    """Make a run, killing so often; then resume until it is whole, and look at it."""
    rng = random.Random(seed)
    has_self_test = rng.random() < 0.3
    write_suite(work, has_self_test=has_self_test)
    stages = [stage for stage in STAGES if has_self_test or stage not in OF_SELF_TEST]
    done = Killed()
    kept = b""
    for number in range(2 * kills + 6):
        run = run_folder(work)
        if run is not None and (found := whole(run)) is not None:
            done.bad += looked_at(run, found)
            break
        session = Session(work, run, log=work / f"session-{number}.log")
        done.sessions += 1
        while done.kills.total() < kills:
            if not _kill_once(session, rng, done, stage=rng.choice(stages), moment_s=moment_s):
                break
        session.end(done.bad)
        kept = _still_there(work, kept, done.bad)
    else:
        done.bad.append(f"not whole after {number + 1} sessions: {session.last_words()}")
    return done


class Session:
    """A `bench run` in a session of its own, by which its descendants are known."""

    def __init__(self, work: Path, run: Path | None, *, log: Path) -> None:
        resumed = ["--resume", str(run)] if run else ["suite.toml"]
        if run and _has_only_void(run):
            resumed.append("--void-again")
        allowed = ["--allow-root"] if os.geteuid() == 0 else []
        command = [sys.executable, "-P", "-m", TARGETS["conductor"], "run", *resumed, *allowed]
        self.log, self.records = log, _records_of(run)
        self._work = work
        environment = {**os.environ, "COLUMNS": "200", "PYTHONUNBUFFERED": "1"}
        with log.open("wb") as out:
            self.process = subprocess.Popen(
                command, cwd=work, stdout=out, stderr=out, start_new_session=True, env=environment
            )

    @property
    def stage(self) -> str:
        """The stage that its last line tells."""
        text = self.log.read_text(encoding="utf-8", errors="replace")
        for line in reversed(text.splitlines(keepends=True)):
            for begin, stage in _SAID.items():
                if line.startswith(begin):
                    return stage
        return "start"

    def reaches(self, stage: str) -> bool:
        """Wait until it is at a stage, or past one that does not come again; whether it is still there."""
        size = self._size()
        while self.process.poll() is None:
            at = self.stage
            if self._size() > size if stage == "writing" else at == stage or _is_past(at, stage):
                return True
            time.sleep(0.001 if stage == "writing" else 0.01)
        return False

    def members(self, target: str = "") -> list[psutil.Process]:
        """Its processes that are alive, or those of one kind."""
        return members_of(self.process.pid, TARGETS.get(target, ""))

    def end(self, bad: list[str]) -> None:
        """Wait for its end and note what is wrong with it."""
        try:
            code = self.process.wait(HUNG_S)
        except subprocess.TimeoutExpired:
            bad.append(f"hung at {self.stage}: {self.last_words()}")
            self.process.kill()
            code = self.process.wait()
        self._until_alone(bad)
        text = self.log.read_text(encoding="utf-8", errors="replace")
        if "Traceback" in text and OF_PYTHON not in text:
            bad.append(f"traceback: {text[-1500:]}")
        # by the signal itself: before Python is there, or after the command has told how it ended
        is_outside = code in (-signal.SIGTERM, -signal.SIGHUP) and self.last_words()[:7] in ("", "bench: ")
        if code not in EXIT_CODES and not is_outside:
            bad.append(f"exit code {code}: {self.last_words()}")

    def last_words(self) -> str:
        """The last line that it printed."""
        lines = self.log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
        return lines[-1] if lines else ""

    def _until_alone(self, bad: list[str]) -> None:
        """Every descendant ends by itself; one that does not is an orphan, and is ended here."""
        ended_s = time.monotonic()
        while (left := self.members()) and time.monotonic() < ended_s + GONE_S:
            time.sleep(0.02)
        for process in left:
            with contextlib.suppress(psutil.Error):
                bad.append(f"orphan after {GONE_S:g} s: {' '.join(process.cmdline())} ({process.status()})")
                process.kill()

    def _size(self) -> int:
        self.records = self.records or _records_of(run_folder(self._work))
        return self.records.stat().st_size if self.records and self.records.exists() else 0


def members_of(session: int, mark: str) -> list[psutil.Process]:
    """Processes of a session that are alive and whose command has a word; all of it without one."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            if os.getsid(process.pid) != session or process.status() == psutil.STATUS_ZOMBIE:
                continue
            words = process.cmdline()
            if not mark or (mark in words and "-h" not in words):
                found.append(process)
    return found


def _is_past(at: str, stage: str) -> bool:
    """Whether a stage will not come any more; windows and idle come again and again."""
    return STAGES.index(at) > STAGES.index(stage) and stage not in ("idle", "pulses", "window")


def _kill_once(session: Session, rng: random.Random, done: Killed, *, stage: str, moment_s: float) -> bool:
    """Send one signal to one process at one stage; whether the session may get another one."""
    number = rng.choice(SIGNALS)
    target = rng.choice([name for name in TARGETS if name != "load" or stage in OF_SELF_TEST])
    late_s = rng.uniform(0, 0.003 if stage == "writing" else moment_s)
    if not session.reaches(stage):
        return False
    time.sleep(late_s)
    members = session.members(target) or session.members("conductor")
    if not members:
        return False
    if TARGETS[target] not in members[0].cmdline():
        target = "conductor"
    at = stage if stage == "writing" else session.stage
    with contextlib.suppress(psutil.NoSuchProcess):
        members[0].send_signal(number)
        done.kills[target, at, signal.Signals(number).name[3:]] += 1
    if target == "conductor" and number == signal.SIGSTOP:
        time.sleep(0.5)
        session.process.send_signal(rng.choice([signal.SIGCONT, signal.SIGKILL]))
    return target != "conductor"


def write_suite(work: Path, *, has_self_test: bool) -> None:
    """Suite and prompts of a run of a few seconds."""
    work.mkdir(parents=True, exist_ok=True)
    suite = SUITE.replace("self_test_s = 0.0", "self_test_s = 0.1") if has_self_test else SUITE
    (work / "suite.toml").write_text(suite + PATIENCE, encoding="utf-8")
    lines = [json.dumps({"id": name, "text": f"{name} words and some more"}) for name in ("one", "two")]
    (work / "prompts.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")


def run_folder(work: Path) -> Path | None:
    """The run that was made below a folder."""
    return next((file.parent for file in (work / "results").glob("[!.]*/run.json")), None)


def _records_of(run: Path | None) -> Path | None:
    return run / store.RECORDS if run else None


def _whole_lines(run: Path | None) -> bytes:
    file = _records_of(run)
    data = file.read_bytes() if file and file.exists() else b""
    return data[: data.rfind(b"\n") + 1]


def _still_there(work: Path, kept: bytes, bad: list[str]) -> bytes:
    """The records so far; what was there after the session before must be there as it was."""
    now = _whole_lines(run_folder(work))
    if not now.startswith(kept):
        bad.append(f"lost: of {len(kept)} bytes of records not all are there any more")
    return now


def _has_only_void(run: Path) -> bool:
    stored = _readable(run)
    return stored is not None and len(stored.finished_blocks) == BLOCKS and bool(stored.void_blocks)


def _readable(run: Path) -> store.StoredRun | None:
    """The run, a line that was cut left out as a resumption leaves it out."""
    return store.read(run) if (run / store.RECORDS).exists() else None


def whole(run: Path) -> Readback | None:
    """What counts of a run that has nothing left to do; None of any other."""
    stored = _readable(run)
    if stored is None or len(stored.finished_blocks) < BLOCKS or stored.void_blocks:
        return None
    return read_back(stored)


def looked_at(run: Path, whole: Readback) -> list[str]:
    """What is wrong with a run that says that it is whole."""
    lines = _whole_lines(run).splitlines()
    checks: dict[str, Callable[[], bool]] = {
        "a line stands twice": lambda: len(lines) == len(set(lines)),
        "a record is missing or twice": lambda: _rows(whole) == _undisturbed(),
        "a block is whole twice in one session": lambda: _are_once(whole.run.of(BlockRecord)),
        "a request is missing or twice": lambda: all(
            len(slot.answers) == slot.record.passes * PROMPTS for slot in whole.slots
        ),
        "a window is void": lambda: not whole.void,
    }
    return [what for what, holds in checks.items() if not holds()]


def _rows(whole: Readback) -> Counter[tuple[int, int]]:
    return Counter((slot.record.block, slot.record.position) for slot in whole.slots)


def _undisturbed() -> Counter[tuple[int, int]]:
    """Rows of a run that nobody has killed: one for each place in each block."""
    places = [(block, position) for block in range(1, BLOCKS + 1) for position in range(1, WINDOWS + 1)]
    return Counter(places)


def _are_once(blocks: list[BlockRecord]) -> bool:
    return len({(block.session, block.block) for block in blocks}) == len(blocks)
