"""What the shell offers when Tab is pressed: suites, models, plugins and run folders.

A shell waits for the answer, so nothing here imports a library; where nothing is offered, the shell
completes file names by itself.
"""

from __future__ import annotations

from pathlib import Path

from backends.cut_keys import STRENGTHS, added_keys
from bench.suite.bundled import configs_folder, suite_names


def suites(incomplete: str) -> list[str]:
    """Suites by name, and TOML files of the folder that is being typed."""
    files = [file for file in _files(incomplete, "*.toml") if Path(file).name != "pyproject.toml"]
    return _beginning(incomplete, [*suite_names(), *files])


def runnable(incomplete: str) -> list[str]:
    """Models, GGUF files and suites."""
    return [*models(incomplete), *_beginning(incomplete, _files(incomplete, "*.gguf")), *suites(incomplete)]


def models(incomplete: str) -> list[str]:
    """Models of the catalogue."""
    import tomllib

    with (configs_folder() / "models.toml").open("rb") as file:
        return _beginning(incomplete, list(tomllib.load(file)))


def prompts(incomplete: str) -> list[str]:
    """Prompt sets by name, and JSONL files."""
    named = [file.stem for file in (configs_folder() / "prompts").glob("*.jsonl")]
    return _beginning(incomplete, [*sorted(named), *_files(incomplete, "*.jsonl")])


def backends(incomplete: str) -> list[str]:
    """Backends that are installed."""
    return _plugins(incomplete, "backends")


def energy(incomplete: str) -> list[str]:
    """Energy sources that are installed, and `auto`."""
    return _beginning(incomplete, ["auto", *_plugins("", "energy")])


def questions(incomplete: str) -> list[str]:
    """What `bench init` can write a suite for."""
    return _beginning(incomplete, ["cost", "gate", "backend", "cut"])


def figures(incomplete: str) -> list[str]:
    """Figures of a run, and `list`."""
    from bench.report.figures.names import names

    return _beginning(incomplete, ["list", *names()])


def cuts(incomplete: str) -> list[str]:
    """Keys of a cut."""
    return _beginning(incomplete, [f"{key}=" for key in (*STRENGTHS, *added_keys())])


def runs(incomplete: str) -> list[str]:
    """Run folders under `results` or under what is being typed, newest first."""
    typed = Path(incomplete)
    above = typed if incomplete.endswith("/") else typed.parent
    folders = {file.parent for below in (above, Path("results")) for file in below.glob("*/run.json")}
    return _beginning(incomplete, [str(folder) for folder in sorted(folders, reverse=True)])


def _plugins(incomplete: str, group: str) -> list[str]:
    from importlib.metadata import entry_points  # a tenth of what `bench --help` takes

    known = {point.name for point in entry_points(group=f"bench.{group}")}
    return _beginning(incomplete, sorted(known))


def _files(incomplete: str, pattern: str) -> list[str]:
    typed = Path(incomplete)
    above = typed if incomplete.endswith("/") else typed.parent
    return sorted(str(file) for file in above.glob(pattern))


def _beginning(incomplete: str, offered: list[str]) -> list[str]:
    return [name for name in offered if name.startswith(incomplete)]
