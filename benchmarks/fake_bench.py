"""A `bench` that runs nothing: it answers with copies of one honest run, and fails on demand."""

from __future__ import annotations

import hashlib
import json
import secrets
import shlex
import shutil
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Literal

from bench.run.readiness import SuiteHere
from bench.run.store import PROMPTS, RECORDS
from benchmarks.ssh_hosts import MadeHost

Fault = Literal["killed", "dropped", "full"]
FULL = "bench: can't write runs/records.jsonl (No space left on device); make room"
KEPT = ("run.json", PROMPTS, RECORDS, "power.raw", "power.raw.gz", "power.index")


class FakeBench:
    """Answers the commands of a machine.

    Args:
        host: whose home has the suites, and gets the runs.
        template: a whole run, of which copies are made.
        version: of the program.
        faults: what goes wrong in the first run, the second, and so on; nothing after that.
    """

    def __init__(
        self, host: MadeHost, template: Path, *, version: str = "0.1.0", faults: Sequence[Fault] = ()
    ) -> None:
        self._host, self._template, self._version = host, template, version
        self._faults = list(faults)
        self._lines = (template / RECORDS).read_text().splitlines(keepends=True)
        blocks = [number for number, line in enumerate(self._lines) if '"type": "block"' in line[:20]]
        self._cut = blocks[0] + 1

    async def __call__(self, process: Any) -> int | None:
        """Answer one command."""
        words = shlex.split(process.command)
        if "exec" not in words:
            return 1  # no earlier run goes on
        folder = self._host.home / words[1]
        arguments = words[words.index("exec") + 2 :]
        if arguments[0] == "doctor":
            files = [arguments[i + 1] for i, word in enumerate(arguments) if word == "--suite"]
            process.stdout.write(json.dumps({"suites": [asdict(self._told(folder, f)) for f in files]}))
            return 1  # no meter can be read
        if arguments[1] == "--resume":
            with (folder / arguments[2] / RECORDS).open("a") as out:
                out.writelines(self._lines[self._cut :])
            return 0
        return await self._run(process, folder, folder / arguments[1])

    def _told(self, folder: Path, file: str) -> SuiteHere:
        content = (folder / file).read_bytes()
        return SuiteHere(
            file=file,
            suite_sha256=hashlib.sha256(content).hexdigest(),
            prompts_sha256="0" * 64,
            weights_sha256={"full": None},
            versions={"joulebench": self._version},
        )

    async def _run(self, process: Any, folder: Path, suite: Path) -> int | None:
        fault = self._faults.pop(0) if self._faults else None
        run = folder / "runs" / f"20260101-000000-test-{secrets.token_hex(4)}"
        run.mkdir(parents=True)
        for file in self._template.iterdir():
            if file.name in KEPT:
                shutil.copyfile(file, run / file.name)
        text = suite.read_text()
        header = json.loads((run / "run.json").read_text())
        header["suite"] |= {"text": text, "sha256": hashlib.sha256(text.encode()).hexdigest()}
        (run / "run.json").write_text(json.dumps(header))
        for event in ({"event": "stage", "what": "idle"}, {"event": "slot_started", "slot": 1, "slots": 4}):
            process.stdout.write(json.dumps(event) + "\n")
        if fault is None:
            return 0
        (run / RECORDS).write_text("".join(self._lines[: self._cut]))
        if fault == "full":
            process.stderr.write(f"{FULL}\n")
            return 1
        if fault == "dropped":
            for connection in list(self._host.connections):
                connection.abort()
        return None
