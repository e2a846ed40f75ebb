"""Run a campaign and print what was counted; exit code 1 if anything went wrong.

python -m benchmarks.campaign folders --count 500
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from collections import Counter
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks.campaign import folders
from benchmarks.campaign.attempt import peak_mib

KINDS = ("done", "refused", "failed", "traceback", "hang", "reached outside")


def main() -> int:
    """Damage, try, count."""
    parser = argparse.ArgumentParser(prog="benchmarks.campaign")
    parser.add_argument("campaign", choices=["folders"])
    parser.add_argument("--count", type=int, default=500)
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    counts: Counter[tuple[str, str]] = Counter()
    bad: list[str] = []
    with tempfile.TemporaryDirectory(prefix="campaign-") as work:
        good = folders.make_run(Path(work) / "good")
        for seed in range(asked.seed, asked.seed + asked.count):
            scratch = Path(work) / str(seed)
            command, damage, outcome = folders.one(good, scratch, seed=seed)
            counts[command, outcome.kind] += 1
            if outcome.is_bad:
                bad.append(f"seed {seed}, {command}, {damage}: {outcome.kind}: {outcome.detail}")
            shutil.rmtree(scratch)
    _show(counts, bad)
    return 1 if bad else 0


def _show(counts: Counter[tuple[str, str]], bad: list[str]) -> None:
    terminal = Console(width=100)
    table = Table("command", *KINDS)
    for command in sorted({command for command, _ in counts}):
        table.add_row(command, *(str(counts[command, kind]) for kind in KINDS))
    terminal.print(table)
    terminal.print(f"most memory: {peak_mib():.0f} MiB")
    for text in bad:
        terminal.print(text, markup=False, highlight=False)


if __name__ == "__main__":
    sys.exit(main())
