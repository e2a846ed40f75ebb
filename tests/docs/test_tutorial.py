"""The tutorial's own files are written and its own commands are run, in the order of the page."""

from __future__ import annotations

import re
import shlex
import tomllib
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.bench.at_hand import at_hand
from tests.bench.processes import AS_ROOT, bench

PAGE = Path(__file__).parents[2] / "docs" / "tutorial.md"
FILE = re.compile(r"<!-- file: (?P<name>\S+) -->\n```\w+\n(?P<text>.*?)^```$", re.DOTALL | re.MULTILINE)
COMMANDS = re.compile(r"(?P<mac>\*On a Mac:\*\n\n)?(?P<lines>(?:^    \$ .+\n)+)", re.MULTILINE)

IN_OWN_PROCESSES = ("bench run shout.toml", "bench run parity.toml --energy steady")
"""What is of the package here has to be found by a worker, or reads beside one."""


@dataclass(frozen=True)
class Step:
    """A file to write, or a command to type."""

    at: int
    file: str | None = None
    text: str = ""
    on_a_mac: bool = False


def steps() -> list[Step]:
    page = PAGE.read_text(encoding="utf-8")
    files = [Step(m.start(), m["name"], m["text"]) for m in FILE.finditer(page)]
    commands = [
        Step(m.start() + i, None, line.strip().removeprefix("$ "), on_a_mac=m["mac"] is not None)
        for m in COMMANDS.finditer(page)
        for i, line in enumerate(m["lines"].splitlines())
    ]
    return sorted([*files, *commands], key=lambda step: step.at)


def install(project: Path) -> Path:
    """What `pip install --editable` does for a project of single modules: metadata on the path."""
    facts = tomllib.loads((project / "pyproject.toml").read_text())["project"]
    metadata = project / f"{facts['name'].replace('-', '_')}-{facts['version']}.dist-info"
    metadata.mkdir(exist_ok=True)
    (metadata / "METADATA").write_text(f"Name: {facts['name']}\nVersion: {facts['version']}\n")
    groups = [
        "\n".join([f"[{group}]", *(f"{name} = {where}" for name, where in points.items())])
        for group, points in facts["entry-points"].items()
    ]
    (metadata / "entry_points.txt").write_text("\n".join(groups) + "\n")
    return project


def _with_the_last_run(text: str, results: Path) -> str:
    """What one types for `results/RUN`: the newest run folder."""
    return text.replace("results/RUN", str(max(results.iterdir()))) if "results/RUN" in text else text


@pytest.mark.usefixtures("no_figures")
def test_every_file_is_written_and_every_command_runs(tmp_path: Path) -> None:
    ran: list[str] = []
    package: Path | None = None
    for step in steps():
        if step.file is not None:
            (tmp_path / step.file).parent.mkdir(exist_ok=True)
            (tmp_path / step.file).write_text(step.text, encoding="utf-8")
        elif step.text.startswith("pip install --editable "):
            package = install(tmp_path / step.text.split()[-1])
        elif not step.on_a_mac:
            program, command, *arguments = shlex.split(_with_the_last_run(step.text, tmp_path / "results"))
            assert program == "bench"
            allowed = AS_ROOT if command == "init" else ()
            with at_hand() if command == "run" and step.text not in IN_OWN_PROCESSES else nullcontext():
                done = bench(command, *arguments, *allowed, cwd=tmp_path, package=package)
            expected = (0, 1) if command == "doctor" else (0,)  # 1: this machine has no meter
            assert done.returncode in expected, f"{step.text}\n{done.stdout}\n{done.stderr}"
            ran.append(step.text)
    assert "bench run gate.toml" in ran
    assert "bench run parity.toml --energy steady" in ran
    kinds = {path.name.split("-")[2] for path in (tmp_path / "results").iterdir()}
    assert {"gate", "parity", "shout"} <= kinds


@pytest.mark.parametrize("step", [s for s in steps() if s.on_a_mac], ids=lambda step: step.text)
def test_commands_for_a_mac_exist_with_these_options(step: Step, tmp_path: Path) -> None:
    words = shlex.split(step.text.removeprefix("sudo "))
    path = [word for word in words[1:3] if word.isalpha() and word not in ("results",)]
    path = path if words[1] in ("meter", "models") else path[:1]
    done = bench(*path, "--help", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    for option in (word for word in words if word.startswith("--")):
        assert option in done.stdout
