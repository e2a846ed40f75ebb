"""The inputs of every product rounded to fewer bits of mantissa, as a device with such products has them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.nn import Parameter, functional
from torch.overrides import TorchFunctionMode

FLOAT32_BITS = 23
"""Explicit bits of mantissa of a float32; TF32 and float16 have 10, bfloat16 has 7."""
PRODUCTS = frozenset(
    (
        *(functional.linear, functional.scaled_dot_product_attention, functional.conv1d),
        *(torch.matmul, torch.mm, torch.bmm, torch.addmm, torch.baddbmm, torch.einsum),
        *(Tensor.matmul, Tensor.__matmul__, Tensor.mm, Tensor.bmm),
    )
)


class RoundedProducts(TorchFunctionMode):
    """As long as this lasts, so many bits of mantissa go into every product; sums keep float32.

    Weights are rounded once and kept: as much memory again as the model has.
    """

    def __init__(self, bits: int) -> None:
        super().__init__()
        self._bits = bits
        self._weights: dict[Parameter, Any] = {}

    def __torch_function__(
        self, function: Callable[..., Any], _: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        """Round what a product gets."""
        if function in PRODUCTS:
            args = tuple(map(self._rounded, args))
        return function(*args, **(kwargs or {}))

    def _rounded(self, value: Any) -> Any:
        if not isinstance(value, Parameter):
            return rounded(value, self._bits)
        if value not in self._weights:
            self._weights[value] = rounded(value, self._bits)
        return self._weights[value]


def rounded(value: Any, bits: int) -> Any:
    """A float32 tensor with so many bits of mantissa, to nearest, ties away from zero; all else as it is."""
    if bits == FLOAT32_BITS or not isinstance(value, Tensor) or value.dtype != torch.float32:
        return value
    step = 1 << (FLOAT32_BITS - bits)
    return ((value.contiguous().view(torch.int32) + step // 2) & -step).view(torch.float32)
