"""`bench doctor` on all sorts of Macs."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from energy.powermetrics import root_command
from tests.bench.processes import bench
from tests.mac.fake import NO_RAILS, WANTS_PASSWORD, FakeMac, allows
from tests.mac.outputs import BUSY, MACBOOK, MACOS_27, ROSETTA, SILENT, STUDIO, VIRTUAL

Mac = Callable[..., FakeMac]


def examined(cwd: Path) -> tuple[dict[str, Any], dict[str, dict[str, Any]]]:
    """The diagnosis, and its findings by what was looked at."""
    done = bench("doctor", "--json", cwd=cwd)
    said = json.loads(done.stdout)
    assert done.stderr == ""
    assert done.returncode == (0 if said["fit"] else 1)
    return said, {finding["what"]: finding for finding in said["findings"]}


def test_a_quiet_macbook_is_fit(mac: Mac, tmp_path: Path) -> None:
    mac(MACBOOK)
    said, found = examined(tmp_path)
    assert said["fit"]
    assert said["best"]["source"] == "powermetrics"
    assert found["machine"]["found"].startswith("Apple M3 Pro, 14 GPU cores, ")
    assert found["machine"]["found"].endswith("macOS 15.6 (24G84)")
    assert found["power source"]["found"] == "mains"
    assert found["power mode"]["found"] == "automatic"
    assert found["lid"]["found"].startswith("open")
    assert "the display goes dark after 10 min" in found["sleep"]["found"]
    assert "meter rapl" not in found
    assert {f["state"] for name, f in found.items() if not name.startswith(("backend", "meter", "load"))} == {
        "good"
    }


def test_a_busy_macbook_is_told_everything_that_disturbs(mac: Mac, tmp_path: Path) -> None:
    mac(BUSY)
    said, found = examined(tmp_path)
    assert said["fit"]
    assert found["Spotlight"]["found"] == "indexing, 107 % of a core"
    assert found["helpers of macOS"]["found"] == "mediaanalysisd 33 % of a core, XProtect 61 % of a core"
    assert found["lid"]["found"] == "closed"
    for name in ("power source", "power mode", "thermal state", "Spotlight", "Time Machine", "lid"):
        assert found[name]["state"] == "note", name
        assert found[name]["fix"], name


def test_a_studio_without_a_display(mac: Mac, tmp_path: Path) -> None:
    mac(STUDIO)
    said, found = examined(tmp_path)
    assert said["fit"]
    assert "GPU cores unknown" in found["machine"]["found"]
    assert found["power mode"]["found"] == "high"
    assert "the display stays on" in found["sleep"]["found"]
    assert {found[name]["state"] for name in ("lid", "display")} == {"unknown"}


def test_a_mac_whose_programs_say_nothing_is_unknown_and_no_error(mac: Mac, tmp_path: Path) -> None:
    mac(SILENT)
    _, found = examined(tmp_path)
    assert found["power source"]["found"] == "ups"
    assert found["Spotlight"]["state"] == found["helpers of macOS"]["state"] == "unknown"


def test_a_virtual_machine_is_not_fit(mac: Mac, tmp_path: Path) -> None:
    mac(VIRTUAL)
    said, found = examined(tmp_path)
    assert not said["fit"]
    assert said["best"]["grade"] == 0
    assert "a virtual machine" in found["machine"]["found"]


def test_a_python_for_intel_is_named(mac: Mac, tmp_path: Path) -> None:
    mac(ROSETTA, arch="x86_64")
    said, found = examined(tmp_path)
    assert not said["fit"]
    assert found["machine"]["state"] == "bad"
    assert "this Python is for Intel (Rosetta)" in found["machine"]["found"]
    assert "make clean" in found["machine"]["fix"]


@pytest.mark.parametrize("sudo", [WANTS_PASSWORD, allows("/usr/bin/true")])
def test_macos_27_without_a_password_has_no_meter(
    mac: Mac, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sudo: str
) -> None:
    """sudo allows nothing, or another command; IOReport's counter of the CPU stands still."""
    mac(MACOS_27, sudo=sudo).library(monkeypatch, cpu_mj="0")
    said, found = examined(tmp_path)
    assert not said["fit"]
    assert "sudo wants a password" in found["meter powermetrics"]["found"]
    assert found["meter powermetrics"]["fix"].startswith("sudo -v")
    assert "sudo -v" in said["best"]["better"]
    assert "counter moved 0 times" in found["meter ioreport"]["found"]


def test_the_line_for_sudoers_is_enough(mac: Mac, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOGNAME", "ana")
    fake = mac(MACBOOK)
    done = bench("doctor", "--sudoers", cwd=tmp_path)
    allowed = root_command(path=fake.powermetrics)
    assert done.stdout.replace("\\", "").endswith(f"NOPASSWD: {' '.join(allowed)}\n")
    fake.program("sudo", allows(*allowed))
    assert examined(tmp_path)[0]["fit"]


def test_the_line_for_sudoers_is_that_of_the_user_who_typed_sudo(
    mac: Mac, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mac(MACBOOK)
    import pwd

    nobody = pwd.getpwnam("nobody")
    monkeypatch.setenv("SUDO_UID", str(nobody.pw_uid))
    monkeypatch.setattr("os.geteuid", lambda: 501)
    assert bench("doctor", "--sudoers", cwd=tmp_path).stdout.startswith("nobody ALL=(root) NOPASSWD: ")
    monkeypatch.delenv("SUDO_UID")
    monkeypatch.setattr("os.getuid", lambda: 54321)  # of a directory that does not answer
    assert bench("doctor", "--sudoers", cwd=tmp_path).stdout.startswith("#54321 ALL=(root) NOPASSWD: ")


def test_a_meter_that_names_no_rail_is_not_offered(mac: Mac, tmp_path: Path) -> None:
    mac(MACBOOK, powermetrics=NO_RAILS)
    said, found = examined(tmp_path)
    assert not said["fit"]
    assert "cannot find the IO registry entry" in found["meter powermetrics"]["found"]
