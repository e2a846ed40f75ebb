"""What is asked of PyTorch's own arrays, on the device that the model runs on."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from backends.probing import Matrices


class TorchProbes:
    """Of a model's matrices (outputs, inputs). Fetching a number waits for all that was queued before it."""

    def __init__(self, weights: list[Tensor]) -> None:
        self._weights = weights
        self._device = weights[0].device

    def stream(self, size_bytes: int) -> Callable[[int], None]:
        """Sum a float32 buffer."""
        buffer = torch.ones(size_bytes // 4, device=self._device)

        def read(times: int) -> None:
            for _ in range(times):
                total = buffer.sum()
            float(total)

        return read

    def matrices(self) -> Matrices:
        """The matrices of the loaded model."""
        pairs = [(weight, weight.new_ones(1, weight.shape[1])) for weight in self._weights]
        masks = {m.shape[0]: torch.arange(m.shape[0], device=self._device) % 2 for m, _ in pairs}

        @torch.inference_mode()
        def products(masked: bool) -> None:
            for matrix, vector in pairs:
                result = torch.nn.functional.linear(vector, matrix)
                if masked:
                    result = result * masks[result.shape[1]]
            float(result[0, 0])

        return Matrices(
            products,
            read_bytes=sum(weight.nbytes for weight in self._weights),
            flops=2 * sum(weight.numel() for weight in self._weights),
        )
