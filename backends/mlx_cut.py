"""An mlx-lm model with parts left out. What differs is made anew, everything else is shared."""

from __future__ import annotations

import copy
from typing import Any

import mlx.core as mx
import numpy as np
from mlx import nn
from mlx.utils import tree_flatten
from numpy.typing import NDArray

from backends.anatomy import Anatomy
from backends.cut import Cut
from backends.mlx_bits import TiedHead, elements_of, few_bits, is_matrix
from backends.shape import LayerShape, Shape
from backends.units import kept_units, unit_norms

EMBEDDING_NAMES = ("embed_tokens", "embed_in", "wte")
POSITION_NAMES = ("wpe",)
HEAD_NAMES = ("lm_head", "embed_out")


def make_cut(model: Any, anatomy: Anatomy, cut: Cut, *, shared: Any) -> Any:
    """A second model that leaves out what `cut` says and shares all other weights with `model`.

    Args:
        model: The loaded model.
        anatomy: Where its layers keep what.
        cut: What to leave out.
        shared: A module of the model that the second one shall hold too, not a copy of it.
    """
    made = _sharing_copy(model, shared)
    layers = made.layers
    for number, layer in enumerate(layers):
        if number in cut.drop_blocks:
            layers[number] = NoBlock(layer)
            continue
        if number in cut.drop_attention:
            _leave_out(layer, anatomy.attention, NoAttention(), norm=anatomy.attention_norm)
        if number in cut.drop_mlp:
            _leave_out(layer, anatomy.mlp, NoMlp(), norm=anatomy.mlp_norm)
        else:
            _slice_mlp(layer[anatomy.mlp], anatomy, cut, number)
        if cut.weight_bits is not None:
            _quantise(layer, cut.weight_bits)
    if cut.weight_bits is not None:
        _quantise_head(made, cut.weight_bits)
    mx.eval(made.parameters())
    return made


class NoBlock(nn.Module):  # type: ignore[misc]
    """A whole layer left out."""

    def __init__(self, block: Any) -> None:
        super().__init__()
        # Models with sliding windows choose the mask of a layer by this.
        self.use_sliding = getattr(block, "use_sliding", False)

    def __call__(self, hidden: Any, _: Any = None, cache: Any = None) -> Any:
        """The input."""
        if cache is not None:
            cache.offset += hidden.shape[1]
        return hidden


class NoAttention(nn.Module):  # type: ignore[misc]
    """Attention left out; its cache counts positions only."""

    def __call__(self, hidden: Any, _: Any = None, cache: Any = None) -> Any:
        """Nothing to add to the residual stream."""
        if cache is not None:
            cache.offset += hidden.shape[1]
        return mx.zeros_like(hidden)


class NoMlp(nn.Module):  # type: ignore[misc]
    """An MLP left out."""

    def __call__(self, hidden: Any) -> Any:
        """Nothing to add to the residual stream."""
        return mx.zeros_like(hidden)


def count_shape(model: Any, anatomy: Anatomy, *, heads: tuple[int, int, int], cache_bytes: int) -> Shape:
    """Count what a forward of `model` reads and multiplies; `cache_bytes` is of one number in the cache."""
    decoder = model.model
    table = _find(decoder, EMBEDDING_NAMES)
    tables = [table.embedding if isinstance(table, TiedHead) else table]
    if (positions := _find(decoder, POSITION_NAMES)) is not None:
        tables.append(positions)
    head = _find(model, HEAD_NAMES) or _find(decoder, HEAD_NAMES)
    if head is None:
        head = table.head if isinstance(table, TiedHead) else table
    outputs, inputs = elements_of(head)
    return Shape(
        layers=tuple(_layer_shape(layer, anatomy) for layer in model.layers),
        head_weights=outputs * inputs,
        head_bytes=_bytes(head) + _bytes(_final_norm(decoder)),
        row_bytes=sum(table.weight[0].nbytes for table in tables),
        heads=heads[0],
        kv_heads=heads[1],
        head_dim=heads[2],
        number_bytes=cache_bytes,
    )


def _final_norm(decoder: Any) -> Any:
    from backends.mlx_norm import FINAL_NORM_NAMES

    return _find(decoder, FINAL_NORM_NAMES)


def _find(module: Any, names: tuple[str, ...]) -> Any:
    return next((module[name] for name in names if name in module), None)


def _sharing_copy(model: Any, shared: Any) -> Any:
    """New modules around the same arrays."""
    kept = [array for _, array in tree_flatten(model.parameters())]
    return copy.deepcopy(model, {id(thing): thing for thing in [*kept, shared]})


def _leave_out(layer: Any, name: str, nothing: Any, *, norm: str | None) -> None:
    """Replace a module by `nothing`, and the norm that only it reads."""
    layer[name] = nothing
    if norm is not None:
        layer[norm] = nn.Identity()


def _slice_mlp(mlp: Any, anatomy: Anatomy, cut: Cut, number: int) -> None:
    """Keep some units: rows of the matrices going in, columns of the one going out, copied."""
    ins, out = [mlp[name] for name in anatomy.mlp_ins], mlp[anatomy.mlp_out]

    def norms() -> NDArray[np.float64]:
        return unit_norms([_numbers(linear) for linear in ins], _numbers(out))

    units = out.weight.shape[1]
    if cut.kept_units(units) == units:
        return
    kept = kept_units(cut, number, units, norms)
    index = kept if isinstance(kept, slice) else mx.array(kept)
    for linear in ins:
        linear.weight = mx.contiguous(linear.weight[index])
        if "bias" in linear:
            linear.bias = mx.contiguous(linear.bias[index])
    # A slice would be a view that keeps the whole matrix alive and strides over it.
    out.weight = mx.contiguous(out.weight[:, index])


def _quantise(layer: Any, bits: int) -> None:
    """Replace every matrix of a layer by one of so many bits."""
    for _, parent in layer.named_modules():
        for name, child in parent.items():
            if isinstance(child, nn.Linear):
                parent[name] = few_bits(child, bits)


def _quantise_head(model: Any, bits: int) -> None:
    for owner in (model, model.model):
        for name in HEAD_NAMES:
            if name in owner:
                owner[name] = few_bits(owner[name], bits)
                return
    name = next(name for name in EMBEDDING_NAMES if name in model.model)
    model.model[name] = TiedHead(model.model[name], bits)


def _numbers(linear: Any) -> NDArray[np.float64]:
    return np.array(linear.weight.astype(mx.float32)).astype(np.float64)


def _layer_shape(layer: Any, anatomy: Anatomy) -> LayerShape:
    attention = layer.get(anatomy.attention, NoAttention())
    mlp = layer.get(anatomy.mlp, NoMlp())
    out = mlp.get(anatomy.mlp_out)
    return LayerShape(
        attention_weights=_weights(attention),
        attention_bytes=_bytes(attention),
        mlp_weights=_weights(mlp),
        mlp_bytes=_bytes(mlp),
        mlp_units=0 if out is None else elements_of(out)[1],
        norm_bytes=_bytes(layer) - _bytes(attention) - _bytes(mlp),
    )


def _weights(module: Any) -> int:
    matrices = [child for _, child in module.named_modules() if is_matrix(child)]
    return sum(outputs * inputs for outputs, inputs in map(elements_of, matrices))


def _bytes(module: Any) -> int:
    return sum(array.nbytes for _, array in tree_flatten(module.parameters()))
