"""Look into, or replace, the attention of a transformers model for the length of a `with` block.

transformers lets every layer call an attention function by name. Outside of the block the model runs the
library's own, so requests that don't need this pay nothing for it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import ALL_MASK_ATTENTION_FUNCTIONS, sdpa_mask
from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS

from backends.cut import Cut
from backends.kv_policies import attend_per_query, kept_by_head, looks_at_attention

NAME = "joulebench"
Attend = Callable[..., tuple[Tensor, None]]


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


@contextmanager
def per_query(model: Any, arrays: TorchArrays, cut: Cut) -> Iterator[None]:
    """Let every query see only what `cut` keeps of the positions before it, if it does not keep all."""
    if cut.kv_keep == 1:
        yield
        return

    def attend(
        _: Any, query: Tensor, key: Tensor, value: Tensor, __: Any, *, scaling: float, **___: Any
    ) -> tuple[Tensor, None]:
        out = attend_per_query(arrays, cut, query, key, value, scaling)
        return out.to(query.dtype).transpose(1, 2), None

    with _attention(model, attend):
        yield


@contextmanager
def choosing(model: Any, arrays: TorchArrays, cut: Cut) -> Iterator[dict[int, Tensor]]:
    """Attend as ever, and note by layer which positions `cut` keeps, (key-value heads, kept).

    Notes nothing if these don't depend on the attention.
    """
    if not looks_at_attention(cut):
        yield {}
        return
    kept: dict[int, Tensor] = {}

    def attend(
        module: Any, query: Tensor, key: Tensor, value: Tensor, mask: Any, *, scaling: float, **options: Any
    ) -> tuple[Tensor, None]:
        kept[module.layer_idx] = kept_by_head(arrays, cut, query, key, scaling)
        return sdpa_attention_forward(  # type: ignore[no-any-return]
            module, query, key, value, mask, scaling=scaling, **options
        )

    with _attention(model, attend):
        yield kept


@contextmanager
def _attention(model: Any, attend: Attend) -> Iterator[None]:
    ALL_ATTENTION_FUNCTIONS.register(NAME, attend)
    ALL_MASK_ATTENTION_FUNCTIONS.register(NAME, sdpa_mask)
    former = model.config._attn_implementation
    model.config._attn_implementation = NAME
    try:
        yield
    finally:
        model.config._attn_implementation = former
