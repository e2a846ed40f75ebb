"""A run with a meter that is slower than its suite was written for."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.run import store
from bench.run.records import IdleRecord, SessionRecord, SlotRecord
from energy.cadence import LEAST_READINGS
from tests.bench.processes import bench
from tests.bench.suites import write_suite

pytestmark = pytest.mark.usefixtures("no_figures")
SLOW = {"source": "simulated", "interval_ms": 110}
"""A reading comes every 114 to 143 ms."""


def test_a_slow_meter_gets_windows_and_idle_that_it_can_tell_and_the_run_says_so(tmp_path: Path) -> None:
    """The suite asks for windows of 0.4 s and idle of 0.3 s: two readings, and no joules."""
    write_suite(tmp_path, gates={"ungated": {}}, protocol__a_a=False, energy=SLOW)
    plan = bench("run", "suite.toml", "--dry-run", cwd=tmp_path)
    assert "assumed: a reading every 143 ms: windows lengthened to 1.8 s, idle to " in plan.stdout
    done = bench("run", "suite.toml", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    (file,) = (tmp_path / "results").glob("*/run.json")
    run = store.read(file.parent)
    (session,) = run.of(SessionRecord)
    assert session.reading_s is not None
    assert session.reading_s > 0.1
    for name in ("min_window_s", "idle_s"):
        assert session.stretched[name] >= LEAST_READINGS * session.reading_s
    assert f"windows lengthened to {session.stretched['min_window_s']:g} s" in done.stdout
    for record in (*run.of(SlotRecord), *run.of(IdleRecord)):
        assert record.joules.readings >= LEAST_READINGS
        assert record.joules.total_j is not None
