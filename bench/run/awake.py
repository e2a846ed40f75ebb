"""A Mac that nobody types on falls asleep; while a meter runs it is kept awake, by `caffeinate` of macOS.

`caffeinate -w` ends with the process that it waits for, so a run that is killed leaves none. What nothing
keeps off, such as a lid that is closed, is found in the meter's stream: clocks part in a sleep, and what it
touched is void.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from energy import machine

_keepers: list[subprocess.Popen[bytes]] = []
"""Of this process, while they run."""


@contextmanager
def kept() -> Iterator[None]:
    """Idle sleep is kept off; elsewhere than on a Mac nothing is done. The display may go dark."""
    program = machine.PROGRAMS["caffeinate"]
    if not (machine.is_mac() and Path(program).exists()):
        yield
        return
    keeper = subprocess.Popen(
        [program, "-i", "-w", str(os.getpid())],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        process_group=0,  # Ctrl-C in the terminal reaches the harness alone
        user=os.geteuid(),
    )
    _keepers.append(keeper)
    owner = os.getpid()
    try:
        yield
    finally:
        if os.getpid() == owner:  # a forked child drops this frame
            _keepers.remove(keeper)
            keeper.terminate()
            keeper.wait()


def kept_by() -> str | None:
    """The command that keeps this machine awake now; None if none does."""
    running = [keeper for keeper in _keepers if keeper.poll() is None]
    return " ".join(map(str, running[0].args)) if running else None  # type: ignore[arg-type]
