"""Commands under a meter whose truth is known: figures, order of windows, ends."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from bench.errors import UserError
from bench.run.execution import BASELINE, COMMAND, COPY, ExecAsked, Execution, execute
from bench.run.meter import Meter
from bench.run.sources import ChosenMeter
from energy.cadence import LEAST_READINGS
from energy.lab.simulated import TRUTH, simulated
from energy.modelled import modelled
from tests.energy.lab.truth import read_truth

SPIN = "import time\nwhile time.process_time() < 1.5: pass"


def held(asked: ExecAsked, folder: Path, *, interval_ms: int = 100) -> Execution:
    meter = Meter(ChosenMeter(source=modelled(interval_ms=interval_ms), note="as asked for"))
    return execute(asked, meter, folder=folder, say=lambda _: None)


@dataclass
class Truly:
    execution: Execution
    joules: float


def under_the_lab(*argv: str, folder: Path) -> Truly:
    meter = Meter(ChosenMeter(source=simulated(), note="as asked for"))
    asked = ExecAsked(argv=argv, idle_s=1.5)
    execution = execute(asked, meter, folder=folder, say=lambda _: None)
    (window,) = execution.windows
    truth = read_truth(folder / TRUTH).joules_between(window.start_s, window.end_s)
    return Truly(execution, float(truth.sum()))


@pytest.mark.parametrize("argv", [("sleep", "2"), (sys.executable, "-c", SPIN)])
def test_the_truth_lies_within_the_bound(argv: tuple[str, ...], tmp_path: Path) -> None:
    found = under_the_lab(*argv, folder=tmp_path)
    joules = found.execution.windows[0].joules
    assert joules is not None
    assert joules.total_j is not None
    assert joules.bound_j is not None
    assert abs(joules.total_j - found.joules) <= joules.bound_j
    assert joules.grade == 0  # simulated
    assert found.execution.exit_code == 0


def test_modelled_joules_hold_the_cpu_time_of_every_process_of_the_tree(tmp_path: Path) -> None:
    spin = f"'{sys.executable}' -c 'import time\nwhile time.process_time() < 0.2: pass'"
    asked = ExecAsked(argv=("sh", "-c", f"{spin}; {spin}; {spin}; sleep 0.3"), idle_s=0)
    (window,) = held(asked, tmp_path, interval_ms=20).windows
    assert window.joules is not None
    assert window.joules.total_j is not None
    expected_j = 2.0 * (window.end_s - window.start_s) + 4.0 * window.runs[0].cpu_s
    assert window.joules.total_j == pytest.approx(expected_j, rel=0.02)
    assert window.joules.bound_j == pytest.approx(0, abs=0.01)


def test_short_runs_share_a_window_and_are_as_many_as_asked(tmp_path: Path) -> None:
    execution = held(ExecAsked(argv=("sleep", "0.1"), repeat=11, idle_s=0), tmp_path, interval_ms=20)
    assert sum(len(window.runs) for window in execution.windows) == 11
    least_s = LEAST_READINGS * execution.reading_s
    assert all(window.end_s - window.start_s >= least_s for window in execution.windows)


def test_beside_a_baseline_every_block_mirrors_its_order(tmp_path: Path) -> None:
    asked = ExecAsked(argv=("true",), baseline=("sleep", "0"), repeat=3, idle_s=0)
    execution = held(asked, tmp_path, interval_ms=10)
    blocks = {
        number: [window.arm for window in execution.windows if window.block == number] for number in (1, 2)
    }
    assert len(execution.windows) == sum(map(len, blocks.values()))
    for order in blocks.values():
        assert order == order[::-1]
        assert sorted(order) == sorted([BASELINE, COMMAND, COPY] * 2)
    assert blocks[1] != blocks[2]


def test_a_command_that_fails_is_measured_and_not_repeated(tmp_path: Path) -> None:
    asked = ExecAsked(argv=("sh", "-c", "sleep 0.3; exit 7"), repeat=4, idle_s=0)
    execution = held(asked, tmp_path, interval_ms=20)
    assert execution.exit_code == 7
    assert execution.ended_early == "sh ended with exit code 7"
    (window,) = execution.windows
    assert len(window.runs) == 1
    assert window.joules is not None
    assert window.joules.total_j is not None


def test_nothing_is_started_for_a_program_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no such program"):
        held(ExecAsked(argv=("true",), baseline=("no-such-program",)), tmp_path)
    with pytest.raises(UserError, match="--repeat 0"):
        held(ExecAsked(argv=("true",), repeat=0), tmp_path)
    assert not list(tmp_path.iterdir())
