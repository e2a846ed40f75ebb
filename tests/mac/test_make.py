"""`make run` of a new user on a Mac, with stubs for what it calls: set up once, or told in a line why not."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.mac.fake import ROOT

PYTHON = f"""echo "$*" >> calls
case "$1 $2" in
"-m venv")
  mkdir -p .venv/bin && cp "$0" .venv/bin/python
  [ ! -e no-venv ] || exit 1
  cp "$0" .venv/bin/pip
  printf '#!/bin/sh\\necho "bench $*"\\n' > .venv/bin/bench && chmod +x .venv/bin/bench ;;
"-m pip")
  [ ! -e offline ] || {{ echo 'ERROR: no network'; exit 1; }} ;;
.setup/install*)
  exec {sys.executable} -c 'import runpy, sys
sys.executable = sys.argv.pop(1)
sys.argv.pop(0)
runpy.run_path(sys.argv[0], run_name="__main__")' "$0" "$@" ;;
"- "*)
  [ ! -e gone ] || exit 1 ;;
esac
"""
"""A Python that fits, and that of the environment which it makes."""


class NewUser:
    """In a fresh checkout."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.venv = folder / ".venv"
        for name in ("Makefile", "pyproject.toml", "constraints.txt"):
            shutil.copy(ROOT / name, folder)
        shutil.copytree(ROOT / ".setup", folder / ".setup")
        (folder / "stubs").mkdir()
        stubs = {"uname": "echo Darwin", "sw_vers": "echo 15.6", "sysctl": "echo 1", "python3.13": PYTHON}
        for name, body in stubs.items():
            self.stub(name, body)

    def stub(self, name: str, body: str) -> None:
        """Put a program onto the path."""
        file = self.folder / "stubs" / name
        file.write_text(f"#!/bin/sh\n{body}\n")
        file.chmod(0o755)

    def make(self, *arguments: str) -> tuple[int, str, list[str]]:
        """Exit code, standard output, and the lines that scripts wrote to standard error."""
        done = subprocess.run(
            ["make", "run", *arguments],
            cwd=self.folder,
            env={"PATH": f"{self.folder}/stubs:/usr/bin:/bin"},
            capture_output=True,
            text=True,
            check=False,
        )
        said = done.stderr.splitlines()
        return done.returncode, done.stdout, [line for line in said if not line.startswith("make: ***")]

    def installed(self) -> list[str]:
        """What pip was asked for, first word of each."""
        calls = (self.folder / "calls").read_text().splitlines()
        return [call.rpartition("constraints.txt ")[2] for call in calls if call.startswith("-m pip")]


@pytest.fixture
def user(tmp_path: Path) -> NewUser:
    return NewUser(tmp_path)


def test_it_is_set_up_once_and_then_runs(user: NewUser) -> None:
    code, said, errors = user.make()
    assert (code, errors) == (0, [])
    assert f"making .venv with {user.folder}/stubs/python3.13" in said
    assert said.splitlines()[-1].startswith("bench run")
    extras = ["torch", "mlx", "llama-cpp", "data"]
    assert user.installed()[0] == "pip"
    assert user.installed()[1].startswith("torch==")
    assert user.installed()[2:] == [f"--editable .[{extra}]" for extra in extras]
    (user.folder / "calls").unlink()
    code, said, errors = user.make()
    assert (code, errors) == (0, [])
    assert not (user.folder / "calls").exists()


def test_without_a_network_one_line_says_what_failed_and_it_goes_on_later(user: NewUser) -> None:
    (user.folder / "offline").touch()
    code, said, errors = user.make()
    assert code == 2
    assert errors == [
        "ERROR: no network",
        f"make: {said.splitlines()[-1].strip()} could not be installed "
        "(above); what is there stays, type again: make run",
    ]
    (user.folder / "offline").unlink()
    assert user.make()[0] == 0


@pytest.mark.parametrize("left", [[], ["python"]])
def test_no_half_made_environment_is_built_upon(left: list[str], user: NewUser) -> None:
    """One that could not be made is gone; one that was killed on the way is made whole."""
    (user.folder / "no-venv").touch()
    assert user.make()[0] == 2
    assert not user.venv.exists()
    (user.folder / "no-venv").unlink()
    for name in left:
        (user.venv / "bin").mkdir(parents=True)
        shutil.copy(user.folder / "stubs" / "python3.13", user.venv / "bin" / name)
    assert user.make()[0] == 0
    assert (user.venv / "bin" / "pip").exists()


def test_an_environment_whose_python_is_gone_is_told_in_a_line(user: NewUser) -> None:
    """After an upgrade of Homebrew, say."""
    assert user.make()[0] == 0
    (user.folder / "gone").touch()
    os.utime(user.venv / ".installed", (0, 0))  # as before a change of pyproject.toml
    code, _, (error,) = user.make()
    assert code == 2
    assert ".venv/bin/python can't be run" in error
    assert error.endswith("; type: make clean, then make run")


@pytest.mark.parametrize(
    ("stub", "body", "said"),
    [
        ("sw_vers", "echo 13.7", "macOS 13.7 is too old"),
        ("python3.13", "echo it is Python 3.9", "it is Python 3.9, and Python 3.11 to 3.14 is needed"),
    ],
)
def test_what_can_not_work_is_said_in_a_line_and_leaves_nothing(
    stub: str, body: str, said: str, user: NewUser
) -> None:
    user.stub(stub, body)
    code, _, (error,) = user.make("PYTHON=python3.13")
    assert code == 2
    assert said in error
    assert not user.venv.exists()


def test_a_mac_with_intel_gets_what_has_wheels_for_it(user: NewUser) -> None:
    user.stub("sysctl", "echo 'unknown oid' >&2; exit 1")
    assert user.make()[0] == 0
    assert user.installed() == ["pip", "--editable .[llama-cpp]", "--editable .[data]"]
