"""What is asked of MLX's own arrays, on its default device."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import mlx.core as mx

from backends.probing import Matrices


class MlxProbes:
    """Of a model's matrices (outputs, inputs)."""

    def __init__(self, weights: list[Any]) -> None:
        self._weights = weights

    def stream(self, size_bytes: int) -> Callable[[int], None]:
        """Sum a float32 buffer."""
        buffer = mx.ones((size_bytes // 4,))
        mx.eval(buffer)
        return lambda times: mx.eval([mx.sum(buffer) for _ in range(times)])

    def matrices(self) -> Matrices:
        """The matrices of the loaded model."""
        pairs = [(weight, mx.ones((1, weight.shape[1]), dtype=weight.dtype)) for weight in self._weights]
        masks = {m.shape[0]: (mx.arange(m.shape[0]) % 2).astype(m.dtype) for m, _ in pairs}
        mx.eval(pairs, masks)

        def products(masked: bool) -> None:
            results = [v @ m.T * masks[m.shape[0]] if masked else v @ m.T for m, v in pairs]
            mx.eval(results)

        return Matrices(
            products,
            read_bytes=sum(weight.nbytes for weight in self._weights),
            flops=2 * sum(weight.size for weight in self._weights),
        )
