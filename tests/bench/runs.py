"""Runs of the echo backend, made as a user makes them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.bench.at_hand import QUICK, quick
from tests.bench.processes import bench
from tests.bench.suites import write_suite

SAID = "said.txt"
"""Beside `results`: what the run printed."""


def run_folder(out: Path) -> Path:
    """The run that stands in `out`."""
    return next(file.parent for file in out.glob("*/run.json"))


def run_suite(folder: Path, **changes: Any) -> Path:
    """Run the suite of `write_suite` with these changes to its end; the folder of the run.

    Without an energy source of its own it is quick, see `at_hand`.
    """
    is_quick = "energy" not in changes
    write_suite(folder, **((QUICK if is_quick else {}) | changes))
    done = (quick if is_quick else bench)("run", "suite.toml", cwd=folder)
    assert done.returncode == 0, done.stderr
    (folder / SAID).write_text(done.stdout, encoding="utf-8")
    return run_folder(folder / "results")
