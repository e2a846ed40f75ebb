"""`make` looks before it makes anything: which Python fits, and in one line why none does."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.mac.fake import ROOT

FIND = ROOT / ".setup" / "find-python"
OLD = "echo '/usr/bin/python3 is Python 3.9'"
INTEL = "echo '/usr/local/bin/python3.13 is for Intel, which Rosetta translates'"
FITS = ":"


def looked(folder: Path, *, macos: str = "15.6", python: str = "", **pythons: str) -> tuple[int, str, str]:
    """Exit code, standard output and error on a Mac with these Pythons; each does what its stub says."""
    stubs = {
        "uname": "echo Darwin",
        "sw_vers": f"echo {macos}",
        "sysctl": "echo 1",
        **{name.replace("_", "."): body for name, body in pythons.items()},
    }
    for name, body in stubs.items():
        (folder / name).write_text(f"#!/bin/sh\n{body}\n")
        (folder / name).chmod(0o755)
    done = subprocess.run(
        ["/bin/sh", str(FIND)],
        env={"PATH": str(folder), "PYTHON": python},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "\n" not in done.stderr.strip()
    return done.returncode, done.stdout.strip(), done.stderr.strip()


def test_the_first_that_fits_is_taken(tmp_path: Path) -> None:
    found = looked(tmp_path, python3=OLD, python3_12=FITS, python3_14=FITS)
    assert found == (0, f"{tmp_path}/python3.12", "")


def test_a_newer_one_without_ioreport_comes_last(tmp_path: Path) -> None:
    assert looked(tmp_path, python3_14=FITS)[1].endswith("python3.14")
    assert looked(tmp_path, python3_14=FITS, python3=FITS)[1].endswith("python3")


@pytest.mark.skipif(
    any(Path(folder, "python3").exists() for folder in ("/opt/homebrew/bin", "/usr/local/bin")),
    reason="there is another Python where it looks",
)
def test_where_none_fits_it_says_what_there_is_and_what_to_type(tmp_path: Path) -> None:
    code, _, said = looked(tmp_path, python3=OLD, python3_13=INTEL)
    assert code == 1
    assert "python3.13 is for Intel, which Rosetta translates, /usr/bin/python3 is Python 3.9" in said
    assert "brew install python@3.13" in said


def test_an_old_macos_is_told_first(tmp_path: Path) -> None:
    code, _, said = looked(tmp_path, macos="13.7", python3=FITS)
    assert (code, "macOS 13.7 is too old" in said) == (1, True)


def test_a_python_that_was_asked_for_is_taken_or_refused(tmp_path: Path) -> None:
    (tmp_path / "mine").write_text(f"#!/bin/sh\n{OLD}\n")
    (tmp_path / "mine").chmod(0o755)
    code, _, said = looked(tmp_path, python=f"{tmp_path}/mine", python3=FITS)
    assert code == 1
    assert "is Python 3.9, and Python 3.11 to 3.14 is needed" in said


def test_this_python_fits_and_sudo_make_is_refused(tmp_path: Path) -> None:
    environment = {**os.environ, "PYTHON": sys.executable}
    found = subprocess.run([FIND], env=environment, capture_output=True, text=True, check=True).stdout.strip()
    assert found == sys.executable
    refused = subprocess.run(
        ["make", "run"],
        cwd=ROOT,
        env={**environment, "SUDO_UID": "501"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert refused.returncode == 2
    assert "type it without sudo" in refused.stderr
