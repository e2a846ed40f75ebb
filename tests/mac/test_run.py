"""What measures, on a fake Mac: the meter is powermetrics through sudo, and the machine stays awake."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from bench.run.display.plain import PlainDisplay
from energy import selftest
from tests.bench.processes import bench, of_type
from tests.bench.suites import write_suite
from tests.mac.fake import NO_RAILS, PASSWORD, ROOT, STAND_IN, WANTS_PASSWORD, FakeMac
from tests.mac.outputs import MACBOOK, MACOS_27
from tests.waiting import wait_for

Mac = Callable[..., FakeMac]
AUTO = {"source": "auto"}
SHORT = {"protocol__min_window_s": 1.4, "protocol__idle_s": 1.4, "gates": {"ungated": {}}}
ROOT_TOO = ["--allow-root"] if os.geteuid() == 0 else []


def ended(pid: str) -> bool:
    return not psutil.pid_exists(int(pid)) or psutil.Process(int(pid)).status() == psutil.STATUS_ZOMBIE


@pytest.mark.usefixtures("no_figures")
def test_a_run_is_measured_with_powermetrics_and_kept_awake(mac: Mac, tmp_path: Path) -> None:
    fake = mac(MACBOOK, powermetrics=STAND_IN)
    write_suite(tmp_path, energy=AUTO, **SHORT, protocol__a_a=False)
    done = bench("run", "suite.toml", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "powermetrics, the best meter of this machine" in done.stdout
    ((pid, *arguments),) = fake.awake
    assert arguments == ["-i", "-w", str(os.getpid())]
    assert ended(pid)
    (session,) = of_type(tmp_path / "results", "session")
    assert session["kept_awake"] == f"{fake.folder}/caffeinate -i -w {os.getpid()}"
    assert session["source"]["kind"] == "measured"
    assert session["source"]["details"]["chip"] == "Apple M3 Pro"
    assert session["power"] == {"source": "ac", "mode": "automatic", "charging": False}
    assert {slot["joules"]["boundary"] for slot in of_type(tmp_path / "results", "slot")} == {
        "soc_cpu_gpu_ane"
    }


@pytest.mark.parametrize("stage", ["load", "idle before", "window"])
def test_ctrl_c_at_any_step_leaves_no_process(
    mac: Mac, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stage: str
) -> None:
    """Told by what is shown: Ctrl-C comes then."""
    fake = mac(MACBOOK, powermetrics=f"echo $$ >> {tmp_path}/meters; {STAND_IN}")
    write_suite(tmp_path, energy=AUTO, **SHORT)

    def interrupt(self: PlainDisplay, what: str = "", **_: object) -> None:
        if what.startswith(stage):
            os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr(PlainDisplay, "stage", interrupt)
    monkeypatch.setattr(PlainDisplay, "window_opens", lambda self: interrupt(self, "window"))
    done = bench("run", "suite.toml", cwd=tmp_path)
    assert done.returncode == 130
    assert "interrupted" in done.stderr
    assert "Traceback" not in done.stderr
    assert ("--resume" in done.stderr) == (stage != "load")
    assert all(ended(pid) for pid, *_ in fake.awake)
    assert all(ended(pid) for pid in (tmp_path / "meters").read_text().split())


def test_a_run_that_is_killed_leaves_no_meter(tmp_path: Path) -> None:
    """`caffeinate -w` ends by itself too, on a Mac; the stub of it does not look."""
    fake = FakeMac.make(tmp_path / "mac", powermetrics=f"echo $$ >> {tmp_path}/meters; {STAND_IN}")
    command = [sys.executable, "-m", "tests.mac.fake", str(fake.folder), "meter", "watch", "--seconds", "60"]
    process = subprocess.Popen([*command, "--allow-root"], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    try:
        wait_for(lambda: fake.awake)
        process.kill()
        process.communicate()
        wait_for(lambda: all(ended(pid) for pid in (tmp_path / "meters").read_text().split()))
    finally:
        os.kill(int(fake.awake[0][0]), signal.SIGTERM)


def test_without_a_password_auto_says_what_to_type(mac: Mac, tmp_path: Path) -> None:
    mac(MACBOOK, sudo=WANTS_PASSWORD)
    write_suite(tmp_path, energy=AUTO, **SHORT)
    done = bench("run", "suite.toml", "--dry-run", cwd=tmp_path)
    assert "(to measure: sudo -v" in " ".join(done.stdout.split())


def test_a_password_that_is_wanted_is_told_and_nothing_hangs(mac: Mac, tmp_path: Path) -> None:
    mac(MACOS_27, sudo=WANTS_PASSWORD)
    write_suite(tmp_path, energy={"source": "powermetrics"}, **SHORT)
    done = bench("run", "suite.toml", cwd=tmp_path)
    assert done.returncode == 2
    assert PASSWORD in done.stderr
    assert "sudo -v" in done.stderr
    assert not (tmp_path / "results").exists()


@pytest.mark.parametrize("powermetrics", [NO_RAILS, "exit 1"])
def test_auto_goes_on_to_what_can_be_read(mac: Mac, tmp_path: Path, powermetrics: str) -> None:
    mac(MACBOOK, powermetrics=powermetrics)
    write_suite(tmp_path, energy=AUTO, **SHORT)
    done = bench("run", "suite.toml", "--dry-run", cwd=tmp_path)
    assert done.returncode == 0
    assert "MODELLED" in done.stdout


def test_auto_goes_on_to_ioreport_where_that_moves(
    mac: Mac, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mac(MACBOOK, sudo=WANTS_PASSWORD).library(monkeypatch, cpu_mj="9000 * t")
    write_suite(tmp_path, energy=AUTO, **SHORT)
    done = bench("run", "suite.toml", "--dry-run", cwd=tmp_path)
    assert "ioreport, the best meter of this machine" in done.stdout


def test_a_meter_is_watched_recorded_and_replayed(mac: Mac, tmp_path: Path) -> None:
    fake = mac(MACBOOK, powermetrics=STAND_IN)
    watched = bench("meter", "watch", "--seconds", "1", *ROOT_TOO, cwd=tmp_path)
    assert watched.returncode == 0, watched.stderr
    assert "powermetrics, the best meter of this machine" in watched.stdout
    recorded = bench("meter", "record", "kept", "--seconds", "1.5", *ROOT_TOO, cwd=tmp_path)
    replayed = bench("meter", "replay", "kept", cwd=tmp_path)
    rows = [line for line in recorded.stdout.splitlines() if line.startswith("│")]
    assert rows
    assert [line for line in replayed.stdout.splitlines() if line.startswith("│")] == rows
    assert len(fake.awake) == 2
    assert all(ended(pid) for pid, *_ in fake.awake)


def test_a_meter_test_tells_what_the_rails_did(
    mac: Mac, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(selftest, "SETTLE_S", 0.2)
    mac(MACBOOK, powermetrics=STAND_IN)
    done = bench("meter", "test", "--seconds", "1.3", *ROOT_TOO, cwd=tmp_path)
    assert "Traceback" not in done.stderr
    assert "cpu spin" in done.stdout
    assert "lag of the meter" in done.stdout
    assert "self-test" in done.stdout.splitlines()[-1]


def test_a_sleep_that_happened_all_the_same_voids_what_it_touched(mac: Mac, tmp_path: Path) -> None:
    """The clock that runs on in a sleep is set ahead of the harness clock for the second half of a window."""
    from bench.run import sources
    from bench.run.meter import Meter
    from energy.recording import Stamp

    mac(MACBOOK, powermetrics=STAND_IN)
    slept_s = 0.0
    now = Stamp.now
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Stamp, "now", lambda: (at := now())._replace(sleepless_s=at.sleepless_s + slept_s))
        meter = Meter(sources.choose("powermetrics", {}))
        meter.start(tmp_path / "kept")
        try:
            before = meter.idle(1.5)[2]
            start_s = time.perf_counter()
            time.sleep(0.7)
            slept_s = 60.0
            time.sleep(0.8)
            touched = meter.joules(start_s, time.perf_counter())
            after = meter.idle(1.5)[2]
        finally:
            meter.stop()
    assert before.total_j is not None
    assert touched.withheld == "machine slept: the clock stood still"
    assert after.total_j is not None


def test_several_runs_of_a_command_ask_sudo_once(mac: Mac, tmp_path: Path) -> None:
    """One meter, whose stream goes on from one run's folder to the next, whole in each."""
    from bench.run import sources
    from bench.run.meter import Meter
    from energy.replay import load

    calls = tmp_path / "calls"
    mac(MACBOOK, powermetrics=STAND_IN, sudo=f'echo x >> {calls}; shift; exec "$@"')
    watts = []
    with sources.Shared() as shared:
        for name in ("first", "second"):
            meter = Meter(shared.choose("powermetrics", {}))
            meter.start(tmp_path / name)
            start_s, end_s, joules = meter.idle(1.5)
            meter.stop()
            watts.append(joules.total_j and joules.total_j / (end_s - start_s))
            assert len(calls.read_text().split()) == 2  # one to see whether it may, one to measure
    for name in ("first", "second"):
        trace, info = load(tmp_path / name)
        assert info.name == "powermetrics"
        assert [fault.kind for fault in trace.faults if fault.kind != "lifetime block"] == []
    assert watts[1] == pytest.approx(2.0, rel=0.3)


def test_init_writes_a_suite_for_this_mac(mac: Mac, tmp_path: Path) -> None:
    mac(MACBOOK)
    done = bench("init", "new.toml", "--model", "echo", "--yes", "--no-pilot", *ROOT_TOO, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "for Apple M3 Pro, " in (tmp_path / "new.toml").read_text()
