"""A package of somebody else: a folder that is not of the project, and puts its entry points on the path."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest

from tests.bench.at_hand import at_hand
from tests.bench.processes import AS_ROOT, Done, bench

PROJECT = Path(__file__).resolve().parents[2]
PRODUCT = ("bench", "backends", "energy", "analysis", "configs", "pyproject.toml")


class Outside:
    """A package that is being written."""

    def __init__(self, above: Path) -> None:
        self.folder = above / "somebody"
        self.folder.mkdir()
        self.cwd = above / "here"
        self.cwd.mkdir()

    def add(self, group: str, name: str, *, where: str, text: str) -> None:
        """A module and the entry point that makes it known, as an installer writes them."""
        (self.folder / f"{where.partition(':')[0]}.py").write_text(text, encoding="utf-8")
        metadata = self.folder / "somebody-1.0.dist-info"
        metadata.mkdir(exist_ok=True)
        (metadata / "METADATA").write_text("Name: somebody\nVersion: 1.0\n", encoding="utf-8")
        with (metadata / "entry_points.txt").open("a", encoding="utf-8") as file:
            file.write(f"[bench.{group}]\n{name} = {where}\n")

    @property
    def files(self) -> list[str]:
        """Everything that had to be written for it."""
        found = (file for file in self.folder.rglob("*") if file.is_file() and file.suffix != ".pyc")
        return sorted(file.relative_to(self.folder).as_posix() for file in found)

    def run(self, suite: Path, *, own_process: bool = False) -> Path:
        """Run a suite to its end, its worker in this process or in one of its own. The folder of the run."""
        before = set(self.cwd.glob("results/*"))
        with nullcontext() if own_process else at_hand():
            self.works("run", str(suite))
        (folder,) = set(self.cwd.glob("results/*")) - before
        return folder

    def works(self, *arguments: str) -> str:
        """What a command prints that has to succeed."""
        done = self.typed(*arguments)
        assert done.returncode == 0, f"{arguments}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def plugins(self, group: str) -> dict[str, dict[str, Any]]:
        """What `bench doctor --plugins` lists of this group, by name."""
        listed = json.loads(self.works("doctor", "--plugins", "--json"))
        return {plugin["name"]: plugin for plugin in listed if plugin["group"] == group}

    def refused(self, *arguments: str) -> str:
        """What a command says to a mistake of its user."""
        done = self.typed(*arguments)
        assert done.returncode == 2, f"{arguments}\n{done.stdout}\n{done.stderr}"
        return " ".join(done.stderr.split())

    def typed(self, *arguments: str) -> Done:
        """Run a command with the package installed."""
        allowed = AS_ROOT if arguments[0] in ("quality", "sweep", "isolate") else ()
        return bench(*arguments, *allowed, cwd=self.cwd, package=self.folder, COLUMNS="200")


@pytest.fixture
def outside(tmp_path: Path) -> Iterator[Outside]:
    """An empty package; at the end no file of the project may have been touched."""
    before = _product()
    yield Outside(tmp_path)
    assert PROJECT not in tmp_path.resolve().parents
    assert _product() == before


def _product() -> dict[Path, tuple[int, int]]:
    """Every product file with its size and the time of its last change."""
    files = (file for name in PRODUCT for file in [PROJECT / name, *(PROJECT / name).rglob("*")])
    return {
        file: (file.stat().st_size, file.stat().st_mtime_ns)
        for file in files
        if file.is_file() and "__pycache__" not in file.parts
    }
