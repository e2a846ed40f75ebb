"""A transformers model with parts left out. What differs is made anew, everything else is shared."""

from __future__ import annotations

import copy
from collections.abc import Iterable
from itertools import chain
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from transformers.pytorch_utils import Conv1D

from backends.anatomy import Anatomy
from backends.cut import Cut
from backends.shape import LayerShape, Shape
from backends.torch_bits import elements_of, few_bits, is_matrix, quantise, rows_of
from backends.units import kept_units, unit_norms


def make_cut(model: Any, anatomy: Anatomy, cut: Cut) -> Any:
    """A second model that leaves out what `cut` says and shares all other weights with `model`."""
    made = _sharing_copy(model)
    layers = layers_of(made)
    for number, layer in enumerate(layers):
        if number in cut.drop_blocks:
            layers[number] = NoBlock()
            continue
        if number in cut.drop_attention:
            _leave_out(layer, anatomy.attention, NoAttention(), norm=anatomy.attention_norm)
        if number in cut.drop_mlp:
            _leave_out(layer, anatomy.mlp, NoMlp(), norm=anatomy.mlp_norm)
        else:
            _slice_mlp(getattr(layer, anatomy.mlp), anatomy, cut, number)
        if cut.weight_bits is not None:
            quantise(layer, cut.weight_bits)
    if cut.weight_bits is not None:
        made.lm_head = few_bits(made.lm_head, cut.weight_bits)
    return made


def layers_of(model: Any) -> Any:
    """The list of decoder layers."""
    decoder = model.base_model
    return decoder.layers if hasattr(decoder, "layers") else decoder.h


class NoBlock(nn.Module):
    """A whole layer left out."""

    def forward(self, hidden: Tensor, *_: Any, **__: Any) -> Tensor:
        """The input."""
        return hidden


class NoAttention(nn.Module):
    """Attention left out; it leaves the cache alone."""

    def forward(self, hidden_states: Tensor, *_: Any, **__: Any) -> tuple[Tensor, None]:
        """Nothing to add to the residual stream, and no attention weights."""
        return torch.zeros_like(hidden_states), None


class NoMlp(nn.Module):
    """An MLP left out."""

    def forward(self, hidden: Tensor) -> Tensor:
        """Nothing to add to the residual stream."""
        return torch.zeros_like(hidden)


def count_shape(
    model: Any, anatomy: Anatomy, *, heads: tuple[int, int, int], cache_dtype: torch.dtype
) -> Shape:
    """Count what a forward of `model` reads and multiplies."""
    tables = [module for module in model.base_model.children() if isinstance(module, nn.Embedding)]
    norms = [
        module
        for module in model.base_model.children()
        if not isinstance(module, nn.Embedding | nn.ModuleList) and any(True for _ in module.parameters())
    ]
    return Shape(
        layers=tuple(_layer_shape(layer, anatomy) for layer in layers_of(model)),
        head_weights=_weights(model.lm_head),
        head_bytes=_bytes([model.lm_head, *norms]),
        row_bytes=sum(table.embedding_dim * table.weight.element_size() for table in tables),
        heads=heads[0],
        kv_heads=heads[1],
        head_dim=heads[2],
        number_bytes=cache_dtype.itemsize,
    )


def _sharing_copy(model: Any) -> Any:
    """New modules around the same tensors."""
    shared = chain(model.parameters(), model.buffers(), [model.config])
    return copy.deepcopy(model, {id(thing): thing for thing in shared})


def _leave_out(layer: Any, name: str, nothing: nn.Module, *, norm: str | None) -> None:
    """Replace a module by `nothing`, and the norm that only it reads."""
    setattr(layer, name, nothing)
    if norm is not None:
        setattr(layer, norm, nn.Identity())


def _slice_mlp(mlp: Any, anatomy: Anatomy, cut: Cut, number: int) -> None:
    """Keep some units: rows of the matrices going in, columns of the one going out, copied."""
    ins = [getattr(mlp, name) for name in anatomy.mlp_ins]
    out = getattr(mlp, anatomy.mlp_out)

    def norms() -> NDArray[np.float64]:
        return unit_norms([_numbers(matrix) for matrix in ins], _numbers(out))

    units = rows_of(out).shape[1]
    if cut.kept_units(units) == units:
        return
    kept = kept_units(cut, number, units, norms)
    index = kept if isinstance(kept, slice) else torch.from_numpy(kept).to(out.weight.device)
    for name, matrix in zip(anatomy.mlp_ins, ins, strict=True):
        bias = None if matrix.bias is None else matrix.bias[index]
        setattr(mlp, name, _like(matrix, rows_of(matrix)[index], bias))
    setattr(mlp, anatomy.mlp_out, _like(out, rows_of(out)[:, index], out.bias))


def _like(module: Any, rows: Tensor, bias: Tensor | None) -> Any:
    """A matrix of the same class with other weights, contiguous and a copy of its own."""
    stored = rows.T if isinstance(module, Conv1D) else rows
    made = copy.copy(module)
    made._parameters = {}
    made.weight = nn.Parameter(
        stored.detach().clone(memory_format=torch.contiguous_format), requires_grad=False
    )
    made.bias = None if bias is None else nn.Parameter(bias.detach().clone(), requires_grad=False)
    if isinstance(made, Conv1D):
        made.nx, made.nf = stored.shape
    else:
        made.out_features, made.in_features = stored.shape
    return made


def _numbers(module: nn.Module) -> NDArray[np.float64]:
    return rows_of(module).detach().cpu().double().numpy()


def _layer_shape(layer: Any, anatomy: Anatomy) -> LayerShape:
    attention = getattr(layer, anatomy.attention, NoAttention())
    mlp = getattr(layer, anatomy.mlp, NoMlp())
    out = getattr(mlp, anatomy.mlp_out, None)
    return LayerShape(
        attention_weights=_weights(attention),
        attention_bytes=_bytes([attention]),
        mlp_weights=_weights(mlp),
        mlp_bytes=_bytes([mlp]),
        mlp_units=0 if out is None else elements_of(out)[1],
        norm_bytes=_bytes([layer]) - _bytes([attention, mlp]),
    )


def _weights(module: nn.Module) -> int:
    return sum(outputs * inputs for outputs, inputs in map(elements_of, filter(is_matrix, module.modules())))


def _bytes(modules: Iterable[nn.Module]) -> int:
    tensors = chain.from_iterable(chain(module.parameters(), module.buffers()) for module in modules)
    return sum(tensor.numel() * tensor.element_size() for tensor in tensors)
