"""A package of somebody else: a folder that is not of the project, and puts its entry points on the path."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from bench.cli.app import main
from tests.bench.processes import AS_ROOT, bench_process

PROJECT = Path(__file__).resolve().parents[2]
PRODUCT = ("bench", "backends", "energy", "analysis", "configs", "pyproject.toml")


class Outside:
    """A package that is being written."""

    def __init__(self, above: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys
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

    def run(self, suite: Path, *options: str) -> Path:
        """Run a suite to its end, as a user does: a process and its workers. The folder of the run."""
        before = set(self.cwd.glob("results/*"))
        done = bench_process("run", str(suite), *options, cwd=self.cwd, PYTHONPATH=str(self.folder))
        assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
        (folder,) = set(self.cwd.glob("results/*")) - before
        return folder

    def works(self, *arguments: str) -> str:
        """What a command prints that has to succeed."""
        code, out, error = self._typed(arguments)
        assert code == 0, f"{arguments}\n{out}\n{error}"
        return out

    def plugins(self, group: str) -> dict[str, dict[str, Any]]:
        """What `bench doctor --plugins` lists of this group, by name."""
        listed = json.loads(self.works("doctor", "--plugins", "--json"))
        return {plugin["name"]: plugin for plugin in listed if plugin["group"] == group}

    def refused(self, *arguments: str) -> str:
        """What a command says to a mistake of its user."""
        code, out, error = self._typed(arguments)
        assert code == 2, f"{arguments}\n{out}\n{error}"
        return " ".join(error.split())

    def _typed(self, arguments: Sequence[str]) -> tuple[int, str, str]:
        """In this process, which forgets the package's modules afterwards."""
        with pytest.MonkeyPatch.context() as patch:
            patch.syspath_prepend(str(self.folder))
            patch.chdir(self.cwd)
            patch.setenv("COLUMNS", "200")
            patch.setattr(sys, "argv", ["bench", *arguments, *(AS_ROOT if arguments[0] == "run" else ())])
            known = set(sys.modules)
            self._capsys.readouterr()
            with pytest.raises(SystemExit) as ended:
                main()
            for name in set(sys.modules) - known:
                if str(self.folder) in str(getattr(sys.modules[name], "__file__", "")):
                    del sys.modules[name]
        out, error = self._capsys.readouterr()
        return int(ended.value.code or 0), out, error


@pytest.fixture
def outside(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Iterator[Outside]:
    """An empty package; at the end no file of the project may have been touched."""
    before = _product()
    yield Outside(tmp_path, capsys)
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
