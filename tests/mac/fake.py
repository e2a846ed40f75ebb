"""A Mac that is none: stubs for its programs, the stand-in as its powermetrics, and one seam replaced.

`FakeMac.install` works in this process. For processes of their own,
`python -m tests.mac.fake FOLDER ARGS…` is `bench ARGS…` on the Mac whose stubs are in that folder.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from bench.cli.doctor import bundle_meter
from energy import ioreport, machine, preflight
from energy import powermetrics as meter
from energy.lab.documents import SHAPES, Told, document
from tests.mac.outputs import MACBOOK, Said

ROOT = Path(__file__).resolve().parents[2]
STAND_IN = f'cd {ROOT} && exec {sys.executable} -P -m energy.lab.simulated "$@" --watch-descendants-of $PPID'
"""The simulated meter; it sees the work of whoever started it."""
READS = """[ "$1" = -h ] && exec echo cpu_power gpu_power ane_power thermal
while cat "$(dirname "$0")/document" && printf '\\0'; do sleep 0.1; done"""
"""A meter whose every reading is the same: enough for whoever wants to see one, and cheap."""
GRANTS = 'shift; exec "$@"'
PASSWORD = "sudo: a password is required"
WANTS_PASSWORD = f"echo '{PASSWORD}' >&2; exit 1"
NO_RAILS = """[ "$1" = -h ] && exit
echo 'ERROR: cannot find the IO registry entry for IODeviceTree:/arm-io/pmgr' >&2
exit 1"""


LIBRARY = """
import time
class Energy:
    def __init__(self, t):
        self.cpu_total_mj, self.gpu_mj, self.ane_mj, self.dram_mj = int({cpu_mj}), int(5000 * t), 0, 7
class AppleEnergyMonitor:
    def get_cumulative_energy(self):
        return Energy(time.perf_counter())
"""


def allows(*command: str) -> str:
    """A sudo that allows one command to the letter and, like the real one, says yes to `-l` of any."""
    return f'shift; [ "$1" = -l ] && exit 0; [ "$*" = "{" ".join(command)}" ] && exec "$@"; {WANTS_PASSWORD}'


@dataclass
class FakeMac:
    """The folder of its programs."""

    folder: Path

    @classmethod
    def make(
        cls,
        folder: Path,
        said: Said = MACBOOK,
        *,
        arch: str = "arm64",
        sudo: str = GRANTS,
        powermetrics: str = READS,
    ) -> FakeMac:
        """Write the stubs.

        Args:
            folder: new; neither it nor a folder above may be writable by everybody.
            said: what its programs print.
            arch: for which its Python was built.
            sudo: what /usr/bin/sudo does, in sh.
            powermetrics: what /usr/bin/powermetrics does, in sh.
        """
        folder.mkdir(parents=True)
        mac = cls(folder)
        for number, ((program, *arguments), text) in enumerate(said.items()):
            answer = folder / f"said-{number}"
            answer.write_bytes(text if isinstance(text, bytes) else text.encode())
            with (folder / program).open("a") as stub:
                stub.write(f'[ "$*" = "{" ".join(arguments)}" ] && exec cat {answer}\n')
        for program in {name for name, *_ in said}:
            mac.program(program, (folder / program).read_text() + "exit 1")
        mac.program("sudo", sudo)
        mac.program("powermetrics", powermetrics)
        told = Told(elapsed_ns=100_000_000, label_s=1.7e9, energies_mj={"cpu": 90, "gpu": 30, "ane": 0})
        (folder / "document").write_bytes(document(told, SHAPES["m1"]))
        mac.program("caffeinate", f'echo "$$ $*" >> {folder}/awake; exec sleep 600')
        (folder / "arch").write_text(arch)
        return mac

    def program(self, name: str, body: str) -> None:
        """Put a program in place of another."""
        file = self.folder / name
        file.write_text(f"#!/bin/sh\n{body}\n")
        file.chmod(0o755)

    def library(self, patch: pytest.MonkeyPatch, *, cpu_mj: str) -> None:
        """Install a zeus-apple-silicon whose counter of the CPU is this, in Python, at `t` seconds."""
        home = self.folder / "library"
        home.mkdir()
        (home / "zeus_apple_silicon.py").write_text(LIBRARY.format(cpu_mj=cpu_mj))
        patch.syspath_prepend(str(home))
        patch.setenv("PYTHONPATH", str(home))
        patch.setitem(sys.modules, "zeus_apple_silicon", None)  # so that what is imported here is forgotten
        del sys.modules["zeus_apple_silicon"]
        patch.setattr(ioreport, "library_version", lambda: "1.1.0")

    @property
    def powermetrics(self) -> str:
        """Path of the meter."""
        return str(self.folder / "powermetrics")

    @property
    def awake(self) -> list[list[str]]:
        """Process id and arguments of every caffeinate so far."""
        file = self.folder / "awake"
        return [line.split() for line in file.read_text().splitlines()] if file.exists() else []

    def install(self, put: Callable[[object, str, object], None], *, as_user: bool = True) -> None:
        """Make this process believe that it runs there.

        Args:
            put: `setattr`, or one that is taken back.
            as_user: also that it is no root, as a container's only user often is.
        """
        arch = (self.folder / "arch").read_text()
        put(machine, "here", lambda: machine.Platform("darwin", arch))
        put(machine, "PROGRAMS", {name: str(self.folder / name) for name in machine.PROGRAMS})
        put(preflight, "SUDO", str(self.folder / "sudo"))
        put(bundle_meter, "POWERMETRICS", self.powermetrics)
        put(ioreport, "WATCH_S", 0.3)
        put(meter, "FIRST_DOCUMENT_S", 60.0)
        for made in (meter.powermetrics, meter.root_command):
            put(made, "__kwdefaults__", {**(made.__kwdefaults__ or {}), "path": self.powermetrics})
        if as_user:
            put(preflight.os, "getuid", lambda: 501)


def _main() -> None:
    folder, *arguments = sys.argv[1:]
    FakeMac(Path(folder)).install(setattr, as_user=json.loads(os.environ.get("FAKE_USER", "true")))
    sys.argv = ["bench", *arguments]
    from bench.cli.entry import main

    main()


if __name__ == "__main__":
    _main()
