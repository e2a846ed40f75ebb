"""What MLX does for the harness without a loaded model; see `backends.about.Tools`."""

from __future__ import annotations

from pathlib import Path
from typing import NoReturn

import mlx.core as mx
from mlx.utils import tree_flatten
from mlx_lm.utils import _get_classes

from backends.about import BUSY_SIDE
from backends.tiny import start_tiny


def gpu_works() -> bool:
    """Whether Metal is there."""
    return mx.metal.is_available()


def keep_gpu_busy() -> NoReturn:
    """Multiply matrices on the GPU, one product in flight."""
    left = mx.random.normal((BUSY_SIDE, BUSY_SIDE))
    while True:
        mx.eval(left @ left)


def write_tiny(source: Path, out: Path) -> None:
    """Write the folder of a tiny model of random weights."""
    config = start_tiny(source, out)
    mx.random.seed(0)
    model_class, args_class = _get_classes(config)
    model = model_class(args_class.from_dict(config))
    mx.save_safetensors(str(out / "model.safetensors"), dict(tree_flatten(model.parameters())))
