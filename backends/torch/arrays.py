"""PyTorch's arrays, as `backends.kv_policies` asks for them."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor


class TorchArrays:
    """PyTorch on one device, for `kv_policies`."""

    library = torch

    def __init__(self, device: torch.device) -> None:
        self._device = device

    def numbers(self, values: list[int]) -> Tensor:
        """Integers as an array."""
        return torch.tensor(values, device=self._device)

    def float32(self, array: Tensor) -> Tensor:
        """The array in float32."""
        return array.float()

    def numpy(self, array: Tensor) -> NDArray[np.float32]:
        """The array in float32, fetched."""
        return array.float().cpu().numpy()

    def widened(self, array: Tensor, length: int) -> Tensor:
        """The array with zeros after its last axis, up to this length."""
        return torch.nn.functional.pad(array, (0, length - array.shape[-1]))

    def taken(self, array: Tensor, index: Tensor) -> Tensor:
        """Elements `index` of the last axis; the other axes of `index` broadcast."""
        return torch.take_along_dim(array, index, -1)
