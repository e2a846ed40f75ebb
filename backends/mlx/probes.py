"""What is asked of MLX's own arrays, on its default device."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import mlx.core as mx

from backends.base import Matrices
from backends.matrices import bytes_and_flops, matrix_names


class MlxProbes:
    """On the default device of MLX."""

    def stream(self, size_bytes: int) -> Callable[[int], None]:
        """Sum a float32 buffer."""
        buffer = mx.ones((size_bytes // 4,))
        mx.eval(buffer)
        return lambda times: mx.eval([mx.sum(buffer) for _ in range(times)])

    def matrices(self, folder: Path, *, dtype: str) -> Matrices:
        """The model's own matrices, from its files."""
        weights: dict[str, Any] = {}
        for file in sorted(folder.glob("*.safetensors")):
            loaded: Any = mx.load(str(file))
            weights |= loaded
        kind = getattr(mx, dtype)
        names = matrix_names({name: tuple(w.shape) for name, w in weights.items()})
        pairs = [(weights[n].astype(kind), mx.ones((1, weights[n].shape[1]), dtype=kind)) for n in names]
        masks = {m.shape[0]: (mx.arange(m.shape[0]) % 2).astype(kind) for m, _ in pairs}
        mx.eval(pairs, masks)

        def products(masked: bool) -> None:
            results = [v @ m.T * masks[m.shape[0]] if masked else v @ m.T for m, v in pairs]
            mx.eval(results)

        return Matrices(products, *bytes_and_flops([(m.size, m.nbytes) for m, _ in pairs]))
