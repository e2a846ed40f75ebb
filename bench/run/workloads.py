"""Loads for the self-test of a meter. Each works until it is ended.

The GPU is loaded by a backend; the others are

    python -P -m bench.lifeline 0 bench.run.workloads cpu | memory

Whoever starts one gives it a pipe as its standard input: the load ends when that is closed.
"""

from __future__ import annotations

import sys

from bench import lifeline
from bench.suite import libraries
from energy import machine
from energy.selftest import Command, Name

_BUFFER_BYTES = 512 * 1024 * 1024
"""Far larger than any cache."""


def commands(kind: str) -> dict[Name, Command]:
    """The loads that this machine can carry, as commands, by the self-test's names.

    A source that is not of the `kind` measured is a stand-in, which sees CPU time alone: its GPU has no load.
    """
    own: dict[Name, str] = {"cpu spin": "cpu", "memory stream": "memory"}
    by_name: dict[Name, Command] = {
        name: lifeline.command(0, "bench.run.workloads", load) for name, load in own.items()
    }
    has_gpu = kind == "measured" and machine.runs_on_apple_silicon()
    if has_gpu and (backend := libraries.gpu_backend()):
        by_name["gpu stream"] = libraries.command(backend, "keep_gpu_busy")
    return by_name


def spin() -> None:
    """Keep one core busy."""
    while True:
        pass


def stream_memory() -> None:
    """Copy one large buffer into another."""
    import numpy as np

    source = np.ones(_BUFFER_BYTES // 8)
    target = np.empty_like(source)
    while True:
        np.copyto(target, source)


if __name__ == "__main__":
    {"cpu": spin, "memory": stream_memory}[sys.argv[1]]()
