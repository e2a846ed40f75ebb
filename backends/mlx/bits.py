"""Matrices of an mlx-lm model in 16, 8 or 4 bits.

8 and 4 bits are MLX's own affine quantisation (`nn.QuantizedLinear`): a scale and a bias for every 64
weights of a row. 16 bits is float16 with the activations cast to it and back, so that the residual stream and
the cache keep their type.
"""

from __future__ import annotations

from typing import Any

import mlx.core as mx
from mlx import nn


class MlxHalf(nn.Module):  # type: ignore[misc]
    """A matrix in float16."""

    def __init__(self, linear: Any) -> None:
        super().__init__()
        self.weight = linear.weight.astype(mx.float16)
        if "bias" in linear:
            self.bias = linear.bias

    def __call__(self, hidden: Any) -> Any:
        """`hidden` (..., inputs) times the matrix, plus the bias."""
        product = (hidden.astype(mx.float16) @ self.weight.T).astype(hidden.dtype)
        return product + self.bias if "bias" in self else product


class TiedHead(nn.Module):  # type: ignore[misc]
    """An embedding table that looks rows up as loaded and is an output head in few bits."""

    def __init__(self, embedding: Any, head: Any) -> None:
        super().__init__()
        self.embedding = embedding
        self.head = head

    def __call__(self, ids: Any) -> Any:
        """Rows of the table."""
        return self.embedding(ids)

    def as_linear(self, hidden: Any) -> Any:
        """Logits."""
        return self.head(hidden)
