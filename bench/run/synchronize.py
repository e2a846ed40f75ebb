"""Waiting for what a device was asked to do, at the edges of a window.

A GPU works on after the call that asked for it has returned. Libraries that are loaded already are found by
themselves; none is imported for it.
"""

from __future__ import annotations

import sys
from typing import Any


def synchronize() -> None:
    """Wait for torch's devices and MLX's streams, where a program uses them."""
    modules = sys.modules
    torch = modules.get("torch")
    if torch is not None:
        _wait_for_torch(torch)
    mlx = modules.get("mlx.core")
    if mlx is not None:
        mlx.synchronize()


def _wait_for_torch(torch: Any) -> None:
    cuda, mps = getattr(torch, "cuda", None), getattr(torch, "mps", None)
    if cuda is None or mps is None:
        return  # it is being imported
    if cuda.is_initialized():
        cuda.synchronize()
    if torch.backends.mps.is_available():
        mps.synchronize()
