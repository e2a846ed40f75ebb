"""What this machine can measure, and the line for sudoers."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bench import doctor
from bench.doctor import Finding, is_fit, sudoers_line
from tests.bench.processes import bench


def test_every_finding_that_is_not_good_says_why(tmp_path: Path) -> None:
    done = bench("doctor", "--json", cwd=tmp_path)
    findings = {finding["what"]: finding for finding in json.loads(done.stdout)}
    assert {"machine", "power", "load", "backend torch", "backend mlx", "joules", "disk"} <= set(findings)
    assert {"meter powermetrics", "meter ioreport", "meter rapl"} <= set(findings)
    assert all(finding["found"] for finding in findings.values())
    assert done.returncode == (0 if all(f["state"] != "bad" for f in findings.values()) else 1)


def test_a_cache_that_can_not_be_written_is_bad(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JOULEBENCH_CACHE", "/proc/nowhere")
    monkeypatch.setattr(doctor.os, "access", lambda *_: False)
    finding = doctor._disk()
    assert finding.state == "bad"
    assert finding.fix
    assert not is_fit([finding, Finding(what="x", state="good", found="y")])


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
