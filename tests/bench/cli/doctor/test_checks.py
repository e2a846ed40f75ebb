"""What this machine can measure, and the line for sudoers."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from rich.console import Console

from backends.about import About
from backends.installing import pip
from bench.cli.doctor import checks as doctor
from bench.cli.doctor.checks import Diagnosis, around, reach, sudoers_line
from bench.cli.doctor.findings import CheckResult
from bench.cli.doctor.findings_table import show, verdict
from bench.cli.doctor.mac_state import MacState
from bench.suite import libraries
from energy import machine
from energy.base import SourceUnavailable
from tests.bench.processes import bench

GOOD = CheckResult(what="x", state="good", found="y")
EVERY = {
    *("machine", "power source", "power mode", "thermal state", "Spotlight", "Time Machine", "display"),
    *("load", "backend torch", "backend mlx", "backend llama_cpp", "embedded model", "disk"),
    *("helpers of macOS", "sleep", "lid", "App Nap"),
    *("meter powermetrics", "meter ioreport", "meter rapl"),
}


def test_every_finding_says_what_was_found_and_the_exit_code_whether_it_is_fit(tmp_path: Path) -> None:
    done = bench("doctor", "--json", cwd=tmp_path)
    said = json.loads(done.stdout)
    findings = {finding["what"]: finding for finding in said["findings"]}
    assert set(findings) == EVERY
    assert all(finding["found"] for finding in findings.values())
    assert done.returncode == (0 if said["fit"] else 1)
    assert said["fit"] == (said["best"]["grade"] > 0 and all(f["state"] != "bad" for f in findings.values()))
    assert said["best"]["better"]


def test_it_fits_80_columns_and_begins_with_the_answer_and_the_best_grade(
    capsys: pytest.CaptureFixture[str],
) -> None:
    show(doctor.examine(), Console(width=80))
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= 80
    assert lines[0].startswith(("fit to measure", "not fit to measure"))
    first = " ".join(lines[:6])
    assert "best grade here: " in first
    assert "grade 4" in first


def test_the_best_grade_follows_from_the_meters() -> None:
    none = reach([], is_mac=True)
    assert (none.grade, none.name) == (0, "modelled")
    assert "sudo -v" in none.better
    assert "sudo -v" not in reach([], is_mac=False).better
    one = reach(["ioreport"], is_mac=True)
    assert (one.grade, one.source) == (2, "ioreport")
    assert "grade 3" in one.better
    two = reach(["powermetrics", "ioreport"], is_mac=True)
    assert two.grade == 3
    assert 'cross_check = ["ioreport"]' in two.source
    assert "--wall" in two.better


def test_without_a_meter_or_with_a_bad_finding_it_is_not_fit() -> None:
    meter = reach(["rapl"], is_mac=False)
    assert Diagnosis(findings=[GOOD], best=meter).is_fit
    bad = Diagnosis(findings=[GOOD, CheckResult(what="disk", state="bad", found="full")], best=meter)
    assert not bad.is_fit
    assert verdict(bad)[0] == "not fit to measure: disk"
    modelled = Diagnosis(findings=[GOOD], best=reach([], is_mac=False))
    assert not modelled.is_fit
    assert "NOT a measurement" in verdict(modelled)[0]


def test_limits_are_named_in_the_verdict() -> None:
    note = CheckResult(what="power source", state="note", found="battery", fix="plug in the charger")
    diagnosis = Diagnosis(findings=[GOOD, note], best=reach(["ioreport"], is_mac=True))
    assert diagnosis.is_fit
    assert verdict(diagnosis)[0] == "fit to measure, but look at: power source"


def test_a_quiet_mac_is_good_and_a_busy_one_is_told_what_to_type() -> None:
    quiet = MacState(
        thermal="nominal",
        indexing=True,
        indexing_percent=0.4,
        helpers={"backupd": 0.1},
        backing_up=False,
        brightness=0.5,
        display_sleep_min=10,
        lid_closed=False,
        app_nap=True,
    )
    assert {finding.state for finding in around(quiet)} == {"good"}
    busy = MacState(thermal="heavy", indexing=True, indexing_percent=120.0, backing_up=True, brightness=0.0)
    found = {finding.what: finding for finding in around(busy)}
    assert found["thermal state"].state == "note"
    assert "sudo mdutil -a -i off" in (found["Spotlight"].fix or "")
    assert found["Time Machine"].fix == "tmutil stopbackup"
    assert found["display"].found == "built-in display dark"


def test_what_is_unknown_is_called_unknown() -> None:
    assert {(finding.state, finding.found) for finding in around(MacState())} == {("unknown", "unknown")}


@pytest.mark.parametrize(
    ("answer", "state", "words"),
    [(True, "good", "MPS works"), (False, "note", "no MPS"), (None, "unknown", "is unknown")],
)
def test_on_a_mac_a_backend_says_whether_it_reaches_the_gpu(
    answer: bool | None, state: str, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(machine, "here", lambda: machine.Platform("darwin", "arm64"))
    monkeypatch.setattr(doctor, "gpu_answers", lambda _: answer)
    finding = doctor._backend("torch", libraries.about("torch"))
    assert finding.state == state
    assert words in finding.found
    assert (finding.fix is not None) == (state == "note")


def test_a_backend_without_its_library_says_what_to_install() -> None:
    finding = doctor._backend("x", About(needs=("no_such_module",), install="some-backend[x]"))
    assert finding.state == "note"
    assert finding.found == "no_such_module not installed"
    assert finding.fix == pip("install", "some-backend[x]")


def test_a_meter_that_says_what_to_type_has_it_as_its_fix() -> None:
    finding = doctor._meter("ioreport", SourceUnavailable("zeus can't be used", fix="pip install x"))
    assert (finding.found, finding.fix) == ("zeus can't be used", "pip install x")
    assert doctor._meter("rapl", SourceUnavailable("no RAPL counter")).fix is None
    assert doctor._meter("rapl", None).state == "good"


def test_power_source_and_mode() -> None:
    assert doctor._power({"power_source": "battery"}).fix == "plug in the charger"
    assert doctor._power({"power_source": "ups"}).state == "note"
    assert doctor._power({"power_source": "ac"}).state == "good"
    assert "Automatic" in str(doctor._power_mode({"power_mode": "low"}).fix)
    assert doctor._power_mode({"power_mode": "high"}).found == "high"
    assert doctor._power_mode({"power_mode": None}).found == "unknown"


def test_a_cache_that_can_not_be_written_is_bad(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JOULEBENCH_CACHE", "/proc/nowhere")
    monkeypatch.setattr(doctor.os, "access", lambda *_: False)
    finding = doctor._disk()
    assert finding.state == "bad"
    assert finding.fix


def test_the_sudoers_line_allows_one_command_to_the_letter() -> None:
    command = ["/usr/bin/powermetrics", "-f", "plist", "-s", "cpu_power,gpu_power", "a=b:c"]
    assert sudoers_line("ana", command) == (
        r"ana ALL=(root) NOPASSWD: /usr/bin/powermetrics -f plist -s cpu_power\,gpu_power a\=b\:c"
    )


def test_sudoers_without_a_meter_is_a_users_mistake(tmp_path: Path) -> None:
    if Path("/usr/bin/powermetrics").exists():
        pytest.skip("this is a Mac")
    done = bench("doctor", "--sudoers", cwd=tmp_path)
    assert done.returncode == 2
    assert "/usr/bin/powermetrics does not exist" in done.stderr
