import sys
from pathlib import Path

import pytest

from energy.base import SourceUnavailable
from energy.powermetrics import PowermetricsSource, Program, command_line, powermetrics

STAND_IN = Program(name="fake", kind="simulated", command=("/opt/meter",), needs_root=False)


def program(folder: Path, body: str) -> Program:
    file = folder / "meter.py"
    file.write_text(body)
    return Program(name="fake", kind="simulated", command=(sys.executable, str(file)), needs_root=False)


def test_the_exact_command():
    command = command_line(STAND_IN, interval_ms=100, help_text="... ane_power ...")
    assert " ".join(command) == (
        "/opt/meter -f plist -b 0 -i 100 -n 864000 --handle-invalid-values "
        "-s cpu_power,gpu_power,ane_power,thermal"
    )
    assert "ane_power" not in command_line(STAND_IN, interval_ms=100, help_text="cpu_power")[-1]
    assert "ane_power" in command_line(STAND_IN, interval_ms=100, help_text="")[-1]


@pytest.mark.parametrize("interval_ms", [-1, 0, 5, 10**6])
def test_intervals_that_no_meter_keeps_are_refused(interval_ms: int):
    with pytest.raises(SourceUnavailable, match="interval_ms"):
        powermetrics(interval_ms=interval_ms)


def test_a_machine_without_powermetrics_is_told_what_to_use(tmp_path: Path):
    source = powermetrics(path=str(tmp_path / "powermetrics"))
    with pytest.raises(SourceUnavailable, match="--energy modelled"):
        source.check()
    (tmp_path / "run").mkdir()
    with pytest.raises(SourceUnavailable, match="does not exist"):
        source.start(tmp_path / "run")
    assert not list((tmp_path / "run").iterdir())


def test_a_meter_that_refuses_leaves_nothing_behind_and_its_reason_is_told(tmp_path: Path):
    source = PowermetricsSource(program(tmp_path, "raise SystemExit(3)"), interval_ms=100)
    (tmp_path / "run").mkdir()
    with pytest.raises(SourceUnavailable, match="exit code 3"):
        source.start(tmp_path / "run")
    assert not list((tmp_path / "run").iterdir())
