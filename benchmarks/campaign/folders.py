"""Run folders that somebody sends, damaged in every way, through all commands that read one."""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from benchmarks.campaign import mutants
from benchmarks.campaign.attempt import Outcome, attempt

SUITE = """
name = "sent"
backends = ["echo"]
models.full = { name = "echo" }
models.small = { name = "echo", layers = 2 }
prompts.file = "prompts.jsonl"
generation.max_new_tokens = 4
backend_options.echo.cpu_s_per_token = 0.002
gates.ungated = {}
gates.length = { tokens = 12 }
energy = { source = "simulated", interval_ms = 20 }
[protocol]
blocks = 2
min_window_s = 0.3
self_test_s = 0.0
idle_s = 0.2
cool_down_s = 0.0
warm_up_s = 0.1
"""
COMMANDS: dict[str, list[str]] = {
    "report": ["report", "RUN"],
    "compare": ["compare", "RUN", "GOOD"],
    "collect": ["collect", "RESULTS", "--out", "all.parquet"],
    "export": ["export", "RUN", "--out", "tables"],
    "runs": ["runs", "--out", "RESULTS"],
    "plot": ["plot", "RUN", "power"],
    "reproduce": ["reproduce", "--run", "RUN"],
}


def run_as_a_user(folder: Path) -> None:
    """`bench run suite.toml` in a folder, as a process of its own."""
    command = [sys.executable, "-m", "bench.cli.entry", "run", "suite.toml", "--quiet"]
    if os.geteuid() == 0:
        command.append("--allow-root")
    subprocess.run(command, cwd=folder, check=True, stdout=subprocess.DEVNULL)


def make_run(folder: Path, *, run_in: Callable[[Path], object] = run_as_a_user) -> Path:
    """An honest run of two blocks with a simulated meter; `run_in` runs the suite of a folder."""
    folder.mkdir(parents=True)
    (folder / "suite.toml").write_text(SUITE, encoding="utf-8")
    lines = [json.dumps({"id": name, "text": f"{name} words and some more"}) for name in ("one", "two")]
    (folder / "prompts.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    run_in(folder)
    [run] = (file.parent for file in (folder / "results").glob("*/run.json"))
    shutil.rmtree(run / "report", ignore_errors=True)
    return run


def one(good: Path, scratch: Path, *, seed: int) -> tuple[str, str, Outcome]:
    """Damage a copy of a run by this seed and try a command on it: the command, the damage, the outcome."""
    rng = random.Random(seed)
    outside = scratch / "outside"
    outside.mkdir(parents=True)
    (outside / "secret.csv").write_text("secret\n", encoding="utf-8")
    run = Path(shutil.copytree(good, scratch / "results" / good.name))
    damage = _damage(run, outside, rng)
    name = rng.choice(list(COMMANDS))
    named = {"RUN": str(run), "GOOD": str(good), "RESULTS": str(run.parent)}
    arguments = [named.get(word, word) for word in COMMANDS[name]]
    return name, damage, attempt(arguments, cwd=scratch, outside=outside)


def _damage(run: Path, outside: Path, rng: random.Random) -> str:
    files = sorted(file for file in run.rglob("*") if file.is_file())
    file = rng.choice([*files, *[run / "records.jsonl", run / "run.json"] * 3])
    kind = rng.choice(("bytes", "bytes", "content", "content", "content", "gone", "special", "lines"))
    if kind == "content" and file.suffix in (".json", ".jsonl", ".index"):
        _change_content(file, rng)
    elif kind == "lines" and file.suffix in (".jsonl", ".index"):
        lines = file.read_bytes().splitlines(keepends=True)
        rng.shuffle(lines)
        file.write_bytes(b"".join(lines[: rng.randint(0, len(lines))]))
    elif kind == "gone":
        file.unlink()
    elif kind == "special":
        _make_special(rng.choice([file, run / "isolate.csv", run / "sweep.csv"]), outside, rng)
    else:
        file.write_bytes(mutants.bytes_of(file.read_bytes(), rng))
    return f"{kind} of {file.relative_to(run)}"


def _change_content(file: Path, rng: random.Random) -> None:
    if file.suffix == ".json":
        file.write_bytes(mutants.json_bytes(mutants.document_of(json.loads(file.read_bytes()), rng)))
        return
    lines = file.read_bytes().splitlines(keepends=True)
    for _ in range(rng.randint(1, 3)):
        at = rng.randrange(len(lines))
        try:
            changed = mutants.document_of(json.loads(lines[at]), rng)
        except ValueError:
            continue
        is_record = file.name == "records.jsonl"
        lines[at] = mutants.sealed(changed) if is_record else mutants.json_bytes(changed) + b"\n"
    file.write_bytes(b"".join(lines))


def _make_special(file: Path, outside: Path, rng: random.Random) -> None:
    file.unlink(missing_ok=True)
    match rng.randrange(4):
        case 0:
            file.symlink_to(outside / "secret.csv")
        case 1:
            os.mkfifo(file)
        case 2:
            file.symlink_to("/dev/zero")
        case _:
            file.mkdir()
