"""Run a campaign and print what was counted; exit code 1 if anything went wrong.

python -m benchmarks.campaign folders --count 500
python -m benchmarks.campaign kills --seconds 600
"""

from __future__ import annotations

import argparse
import math
import random
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from functools import cache
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks.campaign import folders, full_disk, inputs, kills
from benchmarks.campaign.attempt import Outcome, peak_mib

KINDS = ("done", "refused", "failed", "traceback", "hang", "reached outside")
Tried = Iterator[tuple[str, str, Outcome]]
"""What was tried, what was damaged, and the outcome."""


def main() -> int:
    """Damage, try, count."""
    parser = argparse.ArgumentParser(prog="benchmarks.campaign")
    parser.add_argument("campaign", choices=["folders", "inputs", "kills", "disk"])
    parser.add_argument(
        "--count", type=int, default=500, help="of folders, of mutants of each input, of kills"
    )
    parser.add_argument("--seconds", type=float, default=math.inf, help="end after so long")
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    if asked.campaign == "kills":
        return _kills(asked.count, asked.seconds, asked.seed)
    until_s = time.monotonic() + asked.seconds
    counts: Counter[tuple[str, str]] = Counter()
    bad: Counter[str] = Counter()
    with tempfile.TemporaryDirectory(prefix="campaign-") as work:
        campaign = {"folders": _folders, "inputs": _inputs, "disk": _disk}[asked.campaign]
        for seed in range(asked.seed, asked.seed + asked.count):
            if time.monotonic() > until_s:
                break
            for name, damage, outcome in campaign(Path(work), seed):
                counts[name, outcome.kind] += 1
                if outcome.is_bad:
                    bad[f"{name}, {damage}: {outcome.kind}: {outcome.detail}"] += 1
    _show(counts, bad)
    return 1 if bad else 0


def _kills(count: int, seconds: float, seed: int) -> int:
    """Runs, each killed a few times, until there were so many kills or the time is over."""
    until_s = time.monotonic() + seconds
    counts: Counter[tuple[str, str, str]] = Counter()
    bad: Counter[str] = Counter()
    runs = 0
    # Ctrl-C ends it with what was counted so far
    with tempfile.TemporaryDirectory(prefix="campaign-") as work, suppress(KeyboardInterrupt):
        while counts.total() < count and time.monotonic() < until_s:
            scratch = Path(work) / str(seed + runs)
            done = kills.one(scratch, seed=seed + runs)
            counts += done.kills
            bad.update(f"seed {seed + runs}: {what}" for what in done.bad)
            for what in done.bad:
                print(f"seed {seed + runs}: {what}", flush=True)
            runs += 1
            shutil.rmtree(scratch)
    _show_kills(counts, runs)
    _show_bad(bad)
    return 1 if bad else 0


def _show_kills(counts: Counter[tuple[str, str, str]], runs: int) -> None:
    table = Table("", *kills.STAGES, "all")
    for target in kills.TARGETS:
        row = [sum(n for key, n in counts.items() if key[:2] == (target, stage)) for stage in kills.STAGES]
        table.add_row(target, *map(str, row), str(sum(row)))
    signals = Counter[str]()
    for (_, _, name), number in counts.items():
        signals[name] += number
    terminal = Console(width=120)
    terminal.print(table)
    told = ", ".join(f"{number} {name}" for name, number in signals.most_common())
    terminal.print(f"{counts.total()} kills ({told}) in {runs} runs")


def _folders(work: Path, seed: int) -> Tried:
    """One damaged run folder and one command."""
    good = _good(work)
    scratch = work / str(seed)
    command, damage, outcome = folders.one(good, scratch, seed=seed)
    yield command, f"seed {seed}, {damage}", outcome
    shutil.rmtree(scratch)


def _disk(work: Path, seed: int) -> Tried:
    """A run on a disk that is full after somewhere between a hundred bytes and two megabytes."""
    free = round(10 ** random.Random(seed).uniform(2.0, 6.3))
    kind, bad = full_disk.one(work / str(seed), seed=seed, bytes_free=free)
    yield "run", f"{free} bytes free", Outcome(kind)
    for what in bad:
        yield "resumed", what, Outcome("traceback", what)
    shutil.rmtree(work / str(seed))


@cache
def _good(work: Path) -> Path:
    return folders.make_run(work / "good")


def _inputs(work: Path, seed: int) -> Tried:
    """One damaged file of every kind."""
    for name, (read, honest) in inputs.readers().items():
        yield name, "damaged", inputs.one(read, honest, work / name, seed=seed)


def _show(counts: Counter[tuple[str, str]], bad: Counter[str]) -> None:
    terminal = Console(width=100)
    table = Table("", *KINDS)
    for name in sorted({name for name, _ in counts}):
        table.add_row(name, *(str(counts[name, kind]) for kind in KINDS))
    terminal.print(table)
    terminal.print(f"{sum(counts.values())} tried; most memory: {peak_mib():.0f} MiB")
    _show_bad(bad)


def _show_bad(bad: Counter[str]) -> None:
    terminal = Console(width=100)
    terminal.print(f"{bad.total()} went wrong")
    for text, count in bad.most_common():
        terminal.print(f"{count} x {text}", markup=False, highlight=False)


if __name__ == "__main__":
    sys.exit(main())
