"""Runs of the echo backend, made as a user makes them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.bench.processes import bench
from tests.bench.suites import write_suite

SAID = "said.txt"
"""Beside `results`: what the run printed."""


def run_folder(out: Path) -> Path:
    """The run that stands in `out`."""
    return next(file.parent for file in out.glob("*/run.json"))


def run_suite(folder: Path, **changes: Any) -> Path:
    """Run the suite of `write_suite` with these changes to its end; the folder of the run."""
    write_suite(folder, **changes)
    done = bench("run", "suite.toml", cwd=folder)
    assert done.returncode == 0, done.stderr
    (folder / SAID).write_text(done.stdout, encoding="utf-8")
    return run_folder(folder / "results")
