"""Which machine this is: the one place that asks Python for its platform, and macOS through its programs.

Everything else asks here, so a test that replaces `here` and `PROGRAMS` has a Mac.
"""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from typing import NamedTuple

PROGRAMS = {
    "caffeinate": "/usr/bin/caffeinate",
    "defaults": "/usr/bin/defaults",
    "ioreg": "/usr/sbin/ioreg",
    "mdutil": "/usr/bin/mdutil",
    "notifyutil": "/usr/bin/notifyutil",
    "pmset": "/usr/bin/pmset",
    "ps": "/bin/ps",
    "scutil": "/usr/sbin/scutil",
    "sw_vers": "/usr/bin/sw_vers",
    "sysctl": "/usr/sbin/sysctl",
    "system_profiler": "/usr/sbin/system_profiler",
    "tmutil": "/usr/bin/tmutil",
}
"""Programs of macOS by name; called by nothing but their absolute path."""


class Platform(NamedTuple):
    """What Python was built for."""

    system: str
    """`darwin`, `linux`, ..."""
    machine: str
    """`arm64` or `x86_64`: under Rosetta the second, whatever the chip is."""


def here() -> Platform:
    """What this Python was built for."""
    return Platform(sys.platform, platform.machine())


def is_mac() -> bool:
    """Whether this is macOS."""
    return here().system == "darwin"


def runs_on_apple_silicon() -> bool:
    """Whether this Python can reach the GPU of a Mac with Apple silicon; one for Intel can't."""
    return here() == ("darwin", "arm64")


def ask(program: str, *arguments: str) -> str | None:
    """What a program of macOS prints, stripped; None if it is missing, fails or hangs, or elsewhere.

    Args:
        program: a name of `PROGRAMS`.
        arguments: of the program.
    """
    return output([PROGRAMS[program], *arguments]) if is_mac() else None


def output(command: list[str], *, timeout_s: float = 10.0) -> str | None:
    """What a command prints, stripped; None if it is missing, fails or hangs.

    Bytes that are no text, as in a name that `ps` has cut inside a character, become replacement marks.
    """
    try:
        done = subprocess.run(
            command,
            capture_output=True,
            timeout=timeout_s,
            check=True,
            stdin=subprocess.DEVNULL,
            user=os.geteuid(),  # under sudo no child but the meter may take root back
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.decode(errors="replace").strip()
