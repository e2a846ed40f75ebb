"""Stored runs made from a real one: more blocks, another machine, another answer."""

from __future__ import annotations

import copy
import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from bench.suite.header import EnergyAsked, Overrides, PromptsUsed, RunHeader, SuiteFile
from tests.bench.suites import changed

Record = dict[str, Any]


def stored_copy(
    run: Path, into: Path, *, blocks: int = 1, edit: Callable[[Record], Record] | None = None, **header: Any
) -> Path:
    """A copy of a run of one block.

    Args:
        run: the run.
        into: folder of the copy; its name becomes the name of the run.
        blocks: repeat the block so often, with windows of slightly different lengths.
        edit: changes one record.
        header: changes of `run.json`; `__` stands for the dot of a nested key.
    """
    shutil.copytree(run, into)
    changes = {key.replace("__", "."): value for key, value in header.items()}
    stored = changed(json.loads((into / "run.json").read_text()), {"run_id": into.name, **changes})
    (into / "run.json").write_text(json.dumps(stored))
    lines = (into / "records.jsonl").read_text().splitlines()
    records = [new for line in lines for new in _repeated(unsealed(line), blocks)]
    edited = map(edit, records) if edit else records
    (into / "records.jsonl").write_text("".join(json.dumps(record) + "\n" for record in edited))
    return into


def run_header(**changes: Any) -> RunHeader:
    """run.json of a run that never was; `changes` are fields of it."""
    header = RunHeader(
        suite=SuiteFile(name="suite", path="suite.toml", sha256="", text=""),
        overrides=Overrides(),
        energy=EnergyAsked(source="simulated"),
        backends=["torch"],
        baseline="ungated",
        threshold=0.02,
        gates=["ungated", "gate"],
        prompts=PromptsUsed(file="prompts.jsonl", sha256="", ids=[]),
    )
    return replace(header, **changes)


def _repeated(record: Record, blocks: int) -> list[Record]:
    if "block" not in record:
        return [record]
    copies = [{**copy.deepcopy(record), "block": number} for number in range(1, blocks + 1)]
    if record["type"] == "slot":
        for number, one in enumerate(copies):
            length_s = one["end_s"] - one["start_s"]
            one["end_s"] -= 0.03 * length_s * ((number * 3 + record["position"]) % 5)
    return copies


def unsealed(line: str) -> Record:
    """A stored record without its checksum, so that it can be changed."""
    record: Record = json.loads(line)
    record.pop("crc32", None)
    return record
