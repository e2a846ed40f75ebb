"""Whether everything that is pinned has a wheel for Macs: what `make run` and `make test` install there.

    python -m benchmarks.mac_wheels

For every macOS and Python it walks from pyproject.toml through what each package requires there, with the
versions of constraints.txt, and asks pip for each; nothing is installed. pip itself would judge conditions
such as `sys_platform == 'darwin'` by the machine that it runs on, so the walk is done here.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterable, Iterator
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from rich.console import Console
from rich.table import Table

ROOT = Path(__file__).resolve().parents[1]
PLATFORMS = ("macosx_14_0_arm64", "macosx_26_0_arm64")
PYTHONS = ("3.11", "3.12", "3.13", "3.14")
EXTRAS = ("all", "test")
_MISSING = re.compile(r"No matching distribution found for ([A-Za-z0-9._-]+)")


class Target:
    """One macOS with one Python."""

    def __init__(self, platform: str, python: str, pins: dict[str, str]) -> None:
        self.platform, self.python, self._pins = platform, python, pins
        self.found: dict[str, str] = {}
        """Version by package."""
        self.missing: list[str] = []
        self._environment = {
            "sys_platform": "darwin",
            "platform_system": "Darwin",
            "platform_machine": "arm64",
            "os_name": "posix",
            "implementation_name": "cpython",
            "platform_python_implementation": "CPython",
            "python_version": python,
            "python_full_version": f"{python}.0",
        }

    def walk(self, requirements: Iterable[Requirement]) -> None:
        """Find everything that these require, and what that requires."""
        wanted = list(requirements)
        seen: set[tuple[str, tuple[str, ...]]] = set()
        known: dict[str, list[str]] = {}
        while wanted:
            names = {canonicalize_name(one.name) for one in wanted} - known.keys()
            known |= self._ask(sorted(names))
            extras = {(canonicalize_name(r.name), tuple(sorted(r.extras))) for r in wanted} - seen
            seen |= extras
            wanted = [
                below
                for name, asked in extras
                for below in self._holding(map(Requirement, known.get(name, ())), asked)
            ]

    def _holding(self, requirements: Iterable[Requirement], extras: Iterable[str]) -> Iterator[Requirement]:
        for one in requirements:
            environments = [self._environment | {"extra": extra} for extra in ("", *extras)]
            if one.marker is None or any(one.marker.evaluate(e) for e in environments):
                yield one

    def _ask(self, names: list[str]) -> dict[str, list[str]]:
        """What each of these requires; a package without a wheel is noted as missing and requires nothing."""
        none: dict[str, list[str]] = {}
        while names:
            pinned = [f"{name}=={self._pins[name]}" if name in self._pins else name for name in names]
            done = self._pip(pinned)
            if done.returncode == 0:
                report = [item["metadata"] for item in json.loads(done.stdout)["install"]]
                self.found |= {canonicalize_name(one["name"]): one["version"] for one in report}
                return none | {canonicalize_name(one["name"]): one.get("requires_dist", []) for one in report}
            lost = _MISSING.search(done.stderr)
            if lost is None:
                raise SystemExit(done.stderr)
            name = canonicalize_name(lost.group(1))
            self.missing.append(f"{name} {self._pins.get(name, '(not pinned)')}")
            none[name] = []
            names = [other for other in names if other != name]
        return none

    def _pip(self, pinned: list[str]) -> subprocess.CompletedProcess[str]:
        with tempfile.TemporaryDirectory() as nowhere:
            command = [
                *(sys.executable, "-m", "pip", "install", "--quiet", "--dry-run", "--ignore-installed"),
                *("--no-deps", "--only-binary=:all:", "--target", nowhere, "--report", "-"),
                *("--platform", self.platform, "--python-version", self.python, "--implementation", "cp"),
            ]
            return subprocess.run([*command, *pinned], capture_output=True, text=True, check=False)


def main() -> None:
    """Print a row per macOS and Python; exit code 1 if something has no wheel, or is not pinned."""
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    pins: dict[str, str] = {canonicalize_name(n): v for n, _, v in (line.partition("==") for line in lines)}
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    optional = project["optional-dependencies"]
    table = Table("macOS", "Python", "packages", "not pinned", "no wheel")
    fails = False
    for platform in PLATFORMS:
        for python in PYTHONS:
            target = Target(platform, python, pins)
            target.walk(_of_project([*project["dependencies"], *_extras(optional, EXTRAS)], target))
            loose = sorted(f"{name} {v}" for name, v in target.found.items() if name not in pins)
            fails |= bool(target.missing or loose)
            count = str(len(target.found))
            table.add_row(platform, python, count, ", ".join(loose) or "-", ", ".join(target.missing) or "-")
    Console(width=120).print(table)
    sys.exit(int(fails))


def _extras(optional: dict[str, list[str]], names: Iterable[str]) -> list[str]:
    """The requirements of some extras of this project, and of those that they name."""
    found = []
    for text in (text for name in names for text in optional[name]):
        one = Requirement(text)
        found += _extras(optional, one.extras) if one.name == "joulebench" else [text]
    return found


def _of_project(texts: Iterable[str], target: Target) -> list[Requirement]:
    return list(target._holding(map(Requirement, texts), ()))


if __name__ == "__main__":
    main()
