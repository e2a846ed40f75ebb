"""Matrices of a transformers model in 16, 8 or 4 bits, through PyTorch's own weight-only kernels.

These are the kernels that torchao's weight-only quantisation calls, used directly because torchao has no
release for every machine that PyTorch has one for. Activations are cast to the type in which the kernels
are fast and back, so that the residual stream and the cache keep their type.

16  float16.
8   One scale per row, symmetric (`_weight_int8pack_mm`); on MPS its sides are multiples of 32.
4   A scale and a zero point per 64 weights of a row, in the packing of the device (`_weight_int4pack_mm`).
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from transformers.pytorch_utils import Conv1D

from backends.base import ModelError
from backends.cut import GROUP

TOGETHER = 32
"""Rows that the packings take at a time, and columns that MPS's 8-bit one does; filled up with zeros."""
INNER_TILES = 2
"""Of the 4-bit packing on MPS."""
LEVELS = 15


def rows_of(module: nn.Module) -> Tensor:
    """Weights of a matrix as (outputs, inputs); GPT-2's `Conv1D` keeps them the other way round."""
    weight: Any = module.weight
    return weight.T if isinstance(module, Conv1D) else weight  # type: ignore[no-any-return]


class FewBits(nn.Module):
    """A matrix (outputs, inputs) in few bits."""

    def __init__(self, weight: Tensor) -> None:
        super().__init__()
        self.outputs, self.inputs = weight.shape
        self.bias: Tensor | None = None
        self.computes_in = torch.bfloat16 if weight.device.type == "cpu" else torch.float16

    def forward(self, hidden: Tensor) -> Tensor:
        """`hidden` (..., inputs) times the matrix, plus the bias; (..., outputs)."""
        flat = hidden.reshape(-1, self.inputs).to(self.computes_in)
        product = self.product(flat)[:, : self.outputs].to(hidden.dtype)
        product = product.view(*hidden.shape[:-1], self.outputs)
        return product if self.bias is None else product + self.bias

    def product(self, flat: Tensor) -> Tensor:
        """`flat` (tokens, inputs) times the matrix; filled-up rows may follow."""
        raise NotImplementedError


class TorchHalf(FewBits):
    """float16, in which also PyTorch's matrix-vector product on the CPU is fast."""

    def __init__(self, weight: Tensor) -> None:
        super().__init__(weight)
        self.computes_in = torch.float16
        self.register_buffer("packed", weight.to(torch.float16).contiguous())

    def product(self, flat: Tensor) -> Tensor:
        """One linear layer in float16."""
        return functional.linear(flat, self.get_buffer("packed"))


class EightBits(FewBits):
    """A scale per row."""

    def __init__(self, weight: Tensor) -> None:
        super().__init__(weight)
        self._added_inputs = -self.inputs % TOGETHER
        filled = functional.pad(weight.float(), (0, self._added_inputs, 0, -self.outputs % TOGETHER))
        scales = filled.abs().amax(dim=1).clamp(min=1e-12) / 127
        packed = (filled / scales[:, None]).round().clamp(-127, 127).to(torch.int8)
        self.register_buffer("packed", packed.contiguous())
        self.register_buffer("scales", scales.to(self.computes_in))

    def product(self, flat: Tensor) -> Tensor:
        """PyTorch's kernel for int8 weights."""
        if self._added_inputs:
            flat = functional.pad(flat, (0, self._added_inputs))
        return torch.ops.aten._weight_int8pack_mm(  # type: ignore[no-any-return]
            flat.contiguous(), self.get_buffer("packed"), self.get_buffer("scales")
        )


class FourBits(FewBits):
    """A scale and a zero point per `GROUP` weights."""

    def __init__(self, weight: Tensor) -> None:
        super().__init__(weight)
        device = weight.device.type
        if device not in ("cpu", "mps"):
            raise ModelError(
                f"torch: weight_bits = 4 works on cpu and mps, not on {device}", fix="use 8 or 16"
            )
        if self.inputs % GROUP:
            raise ModelError(
                f"torch: weight_bits = 4 needs matrices with a multiple of {GROUP} inputs, but one has "
                f"{self.inputs}",
                fix="use 8 or 16",
            )
        filled = functional.pad(weight.float(), (0, 0, 0, -self.outputs % TOGETHER))
        levels, scales, zeros = _grouped(filled)
        self.register_buffer("packed", _packed(levels, device))
        pairs = torch.stack([scales, zeros], dim=-1).transpose(0, 1)
        self.register_buffer("scales", pairs.to(self.computes_in).contiguous())
        self._multiply = (
            torch.ops.aten._weight_int4pack_mm_for_cpu
            if device == "cpu"
            else torch.ops.aten._weight_int4pack_mm
        )

    def product(self, flat: Tensor) -> Tensor:
        """PyTorch's kernel for int4 weights."""
        return self._multiply(  # type: ignore[no-any-return]
            flat.contiguous(), self.get_buffer("packed"), GROUP, self.get_buffer("scales")
        )


def _grouped(weight: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Levels 0 to 15, scales and zero points, so that a weight is (level - 8) * scale + zero point.

    MLX's rule, so that both backends round to the same weights: the value of a group that is furthest
    from zero is met exactly, and so is zero itself.
    """
    rows, inputs = weight.shape
    groups = weight.view(rows, inputs // GROUP, GROUP)
    low, high = groups.amin(dim=-1), groups.amax(dim=-1)
    below = low.abs() > high.abs()
    edge = torch.where(below, low, high)
    scales = ((high - low) / LEVELS).clamp(min=1e-7) * torch.where(below, 1, -1)
    steps = (edge / scales).round()
    scales = torch.where(steps == 0, scales, edge / steps)
    start = torch.where(steps == 0, 0, edge)
    levels = ((groups - start[..., None]) / scales[..., None]).round().clamp(0, LEVELS)
    return levels.view(rows, inputs).to(torch.int32), scales, start + 8 * scales


def _packed(levels: Tensor, device: str) -> Tensor:
    if device == "cpu":
        return torch.ops.aten._convert_weight_to_int4pack_for_cpu(levels, INNER_TILES)  # type: ignore[no-any-return]
    pairs = (levels[:, ::2] << 4 | levels[:, 1::2]).to(torch.uint8)
    return torch.ops.aten._convert_weight_to_int4pack(pairs, INNER_TILES)  # type: ignore[no-any-return]
