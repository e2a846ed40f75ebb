"""Before a meter is started as root: is this the program that was meant, and may we?

Whoever can replace the file that root executes is root. The path must therefore be absolute, and neither
it nor a folder above it may be writable by everybody.
"""

from __future__ import annotations

import os
import stat
import subprocess
from pathlib import Path

from energy.base import SourceUnavailable

SUDO = "/usr/bin/sudo"
ENVIRONMENT = {"PATH": "/usr/bin:/bin:/usr/sbin:/sbin", "LC_ALL": "C"}
"""All that a meter gets to see of the environment."""

ASK_S = 10.0


def check_program(path: str) -> None:
    """Refuse a sampler that is not there, or that somebody else could have put there.

    Raises:
        SourceUnavailable: says what is wrong with which path, and what to do.
    """
    program = Path(path)
    if not program.is_absolute():
        raise SourceUnavailable(
            f"sampler path {path!r} is relative", fix="give the absolute path, /usr/bin/powermetrics"
        )
    if not program.is_file():
        raise SourceUnavailable(
            f"sampler {path} does not exist, as powermetrics comes with macOS",
            fix="elsewhere use --energy modelled, or --energy rapl on Linux",
        )
    if not os.access(program, os.X_OK):
        raise SourceUnavailable(f"sampler {path} can't be executed", fix=f"chmod +x {path}")
    for place in {program, *program.parents, program.resolve(), *program.resolve().parents}:
        _check_not_world_writable(place)


def _check_not_world_writable(place: Path) -> None:
    """A folder with the sticky bit is fine: in it only a file's owner can replace the file."""
    mode = place.stat().st_mode
    if mode & stat.S_IWOTH and not (stat.S_ISDIR(mode) and mode & stat.S_ISVTX):
        raise SourceUnavailable(
            f"{place} can be written to by everybody, and root would run what is there",
            fix=f"sudo chmod o-w {place}",
        )


def root_prefix(command: list[str]) -> list[str]:
    """What to put before a command to run it as root without ever being asked for a password.

    Whether sudo will do it is not asked here: `sudo -n -l` says yes as soon as any command at all is allowed
    without a password. Only the real start tells.

    Raises:
        SourceUnavailable: sudo is not there.
    """
    if os.getuid() == 0:
        return []
    if not Path(SUDO).exists():
        raise SourceUnavailable(f"{command[0]} needs root and there is no {SUDO}", fix="run this as root")
    return [SUDO, "-n"]


def why_it_ended(reason: str, noise: Path, command: list[str], *, interval_ms: int) -> SourceUnavailable:
    """The error for a meter that gave no reading, with the last line that it said itself.

    Args:
        reason: how it ended, as its reader saw it.
        noise: what it wrote to its standard error.
        command: how it was started, sudo and all.
        interval_ms: between the readings that were asked for.
    """
    lines = noise.read_text(errors="replace").split("\n") if noise.exists() else []
    said = next((line.strip() for line in reversed(lines) if line.strip()), "")
    if command[0] == SUDO and said.startswith("sudo:"):
        line = "bench doctor --sudoers" + ("" if interval_ms == 100 else f" --interval-ms {interval_ms}")
        return SourceUnavailable(
            f"{command[2]} needs root and sudo wants a password ({said})",
            fix=f"sudo -v (or allow this one command for good with the line of: {line})",
        )
    what = f"{reason}; its last words: {said}" if said else reason
    return SourceUnavailable(f"it gave no reading: {what}", fix=f"try it by hand: {' '.join(command)}")


def help_text(command: list[str]) -> str:
    """What the sampler says of itself; empty when it says nothing in time."""
    answer = _ask([*command, "-h"])
    return "" if answer is None else (answer.stdout + answer.stderr).decode(errors="replace")


def _ask(command: list[str]) -> subprocess.CompletedProcess[bytes] | None:
    try:
        return subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=ASK_S,
            env=ENVIRONMENT,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
