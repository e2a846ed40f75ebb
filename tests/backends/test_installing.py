"""What is said to be typed works as typed: environments that are activated, that are not, without pip."""

from __future__ import annotations

import shutil
import sys
from importlib import util
from pathlib import Path

import pytest

from backends.installing import pip


@pytest.fixture
def python(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The Python of an environment below the folder that the user is in; nothing is on the path."""
    python = tmp_path / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    for program in (python, python.with_name("pip")):
        program.touch(mode=0o755)
    monkeypatch.setattr(sys, "executable", str(python))
    monkeypatch.setattr(util, "find_spec", lambda name: name)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    return python


def test_pip_is_called_by_the_python_of_this_environment(
    python: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert pip("install", "some-library[x]") == ".venv/bin/python -m pip install 'some-library[x]'"
    monkeypatch.setenv("PATH", str(python.parent))
    assert pip("install", "--upgrade", "one", "other") == "pip install --upgrade one other"


def test_from_elsewhere_its_whole_path_is_given(
    python: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "other").mkdir()
    monkeypatch.chdir(tmp_path / "other")
    assert pip("install", "one") == f"{python} -m pip install one"
    monkeypatch.setattr(sys, "executable", "/a b/python")
    assert pip("install", "one") == "'/a b/python' -m pip install one"


@pytest.mark.usefixtures("python")
def test_an_environment_without_pip_gets_it_first_or_is_left_to_uv(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(util, "find_spec", lambda _: None)
    python = ".venv/bin/python"
    assert pip("install", "one") == f"{python} -m ensurepip && {python} -m pip install one"
    (tmp_path / "uv").touch(mode=0o755)
    assert shutil.which("uv")
    assert pip("install", "one") == f"uv pip install one --python {python}"
