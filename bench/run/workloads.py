"""Loads for the self-test of a meter. Each works until it is ended.

python -P -m bench.run.workloads cpu | gpu | memory
"""

from __future__ import annotations

import importlib.util
import os
import sys

from energy.selftest import Load, Name

_BUFFER_BYTES = 512 * 1024 * 1024
"""Far larger than any cache."""

_GPU_SIDE = 4096


def commands() -> dict[Name, Load]:
    """The loads that this machine can carry, as commands, by the self-test's names."""
    found: dict[Name, str] = {"cpu spin": "cpu", "memory stream": "memory"}
    if _has_gpu():
        found["gpu stream"] = "gpu"
    return {name: [sys.executable, "-P", "-m", "bench.run.workloads", load] for name, load in found.items()}


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


def stream_gpu() -> None:
    """Multiply matrices on the GPU, one product in flight."""
    import mlx.core as mx

    left = mx.random.normal((_GPU_SIDE, _GPU_SIDE))
    while True:
        mx.eval(left @ left)


def _has_gpu() -> bool:
    return (
        sys.platform == "darwin" and os.uname().machine == "arm64" and bool(importlib.util.find_spec("mlx"))
    )


if __name__ == "__main__":
    {"cpu": spin, "gpu": stream_gpu, "memory": stream_memory}[sys.argv[1]]()
