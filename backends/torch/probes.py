"""What is asked of PyTorch's own arrays, on the device that the model runs on."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import torch
from safetensors.torch import load_file

from backends.base import Matrices
from backends.matrices import bytes_and_flops, matrix_names


class TorchProbes:
    """On one device. Fetching a number waits for everything that was queued before it."""

    def __init__(self, device: torch.device) -> None:
        self._device = device

    def stream(self, size_bytes: int) -> Callable[[int], None]:
        """Sum a float32 buffer."""
        buffer = torch.ones(size_bytes // 4, device=self._device)

        def read(times: int) -> None:
            for _ in range(times):
                total = buffer.sum()
            float(total)

        return read

    def matrices(self, folder: Path, *, dtype: str) -> Matrices:
        """The model's own matrices, from its files."""
        weights = {
            name: w for file in sorted(folder.glob("*.safetensors")) for name, w in load_file(file).items()
        }
        names = matrix_names({name: tuple(w.shape) for name, w in weights.items()})
        kind = getattr(torch, dtype)
        pairs = []
        for name in names:
            matrix = weights[name].to(self._device, kind).contiguous()
            pairs.append((matrix, torch.ones(1, matrix.shape[1], device=self._device, dtype=kind)))
        masks = {m.shape[0]: torch.arange(m.shape[0], device=self._device) % 2 for m, _ in pairs}

        def products(masked: bool) -> None:
            with torch.inference_mode():
                for matrix, vector in pairs:
                    result = torch.nn.functional.linear(vector, matrix)
                    if masked:
                        result = result * masks[result.shape[1]]
                float(result[0, 0])

        return Matrices(products, *bytes_and_flops([(m.numel(), m.nbytes) for m, _ in pairs]))
