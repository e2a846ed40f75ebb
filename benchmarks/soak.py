"""Do memory and descriptors of a long run stay what they are? Hours of windows and readings in minutes.

    python -m benchmarks.soak --seconds 360

A run with the echo backend and the simulated meter, whose windows are a tenth of a second and whose readings
come every ten milliseconds: a minute has as many readings as ten usual ones, and as many windows as hours.
What grows with readings is what the conductor keeps of each: its columns, from which joules are attributed.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from pathlib import Path

import numpy as np
import psutil
from rich.console import Console
from rich.table import Table

from bench.run import store
from bench.run.records import SlotRecord
from benchmarks.campaign import kills
from benchmarks.campaign.folders import SUITE

BLOCK_S = 2.5
"""About what six windows of the suite take, with the idle measurement after them."""
USUAL_WINDOW_S, USUAL_READING_S = 60.0, 0.1
INTERVAL_MS = 10
EVERY_S = 1.0
SHARES, LEAST_LOOKS = (0.25, 0.5, 0.75, 0.95), 20
Seen = dict[str, list[tuple[float, float, int]]]
"""By process: seconds since the start, resident MiB, open descriptors."""


def main() -> int:
    """Run, look every second, print; exit code 1 if descriptors have grown."""
    parser = argparse.ArgumentParser(prog="benchmarks.soak")
    parser.add_argument("--seconds", type=float, default=360.0, help="how long the run is to take, about")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="soak-") as scratch:
        work = Path(scratch)
        kills.write_suite(work, has_self_test=False)
        (work / "suite.toml").write_text(_suite(max(4, round(asked.seconds / BLOCK_S))), encoding="utf-8")
        seen = watched(work)
        folder = kills.run_folder(work)
        assert folder is not None
        windows = len(store.read(folder).of(SlotRecord))
        lines = (folder / "power.index").read_bytes().count(b"received")
    return show(seen, windows=windows, readings=lines)


def _suite(blocks: int) -> str:
    changes = {
        "blocks = 2": f"blocks = {blocks}",
        "min_window_s = 0.3": "min_window_s = 0.1",
        "interval_ms = 20": f"interval_ms = {INTERVAL_MS}",
        "cool_down_s = 0.0": "cool_down_s = 0.0\ncool_down_limit_s = 0.5",
    }
    suite = SUITE
    for old, new in changes.items():
        suite = suite.replace(old, new)
    return suite


def watched(work: Path) -> Seen:
    """Run the suite of a folder to its end, looking at its processes meanwhile."""
    allowed = ["--allow-root"] if os.geteuid() == 0 else []
    command = [sys.executable, "-P", "-m", "bench.cli.entry", "run", "suite.toml", "--quiet", *allowed]
    seen: Seen = defaultdict(list)
    began_s = time.monotonic()
    with subprocess.Popen(command, cwd=work, stdout=subprocess.DEVNULL, start_new_session=True) as process:
        while process.poll() is None:
            members = {name: kills.members_of(process.pid, mark) for name, mark in kills.TARGETS.items()}
            for name, found in members.items():
                for member in found if members["sampler"] else []:  # after it a report is made
                    _look(member, time.monotonic() - began_s, seen[name])
            time.sleep(EVERY_S)
    if process.returncode:
        raise SystemExit(f"the run ended with exit code {process.returncode}")
    return seen


def _look(process: psutil.Process, at_s: float, into: list[tuple[float, float, int]]) -> None:
    try:
        into.append((at_s, process.memory_info().rss / 2**20, process.num_fds()))
    except psutil.Error:
        return


def show(seen: Seen, *, windows: int, readings: int) -> int:
    """The table: what is usual about a quarter, a half, three quarters of the run, and near its end."""
    table = Table("", "", *(f"{share:.0%}" for share in SHARES), "growth")
    has_grown = False
    for name, looks in seen.items():
        if len(looks) < LEAST_LOOKS:
            continue
        columns = np.array(looks)
        at = (columns[:, 0] - columns[0, 0]) / (columns[-1, 0] - columns[0, 0])
        for what, column in (("MiB", 1), ("descriptors", 2)):
            values = [float(np.median(columns[np.abs(at - share) < 0.05, column])) for share in SHARES]
            growth = values[-1] - values[0]
            table.add_row(name, what, *(f"{value:.0f}" for value in values), f"{growth:+.1f}")
            has_grown = has_grown or (what == "descriptors" and growth > 0)
    terminal = Console(width=110)
    terminal.print(table)
    terminal.print(
        f"{windows} windows, as in {windows * USUAL_WINDOW_S / 3600:.1f} hours; "
        f"{readings} readings, as in {readings * USUAL_READING_S / 3600:.1f} hours"
    )
    return int(has_grown)


if __name__ == "__main__":
    sys.exit(main())
