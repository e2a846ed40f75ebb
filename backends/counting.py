"""What a forward of a loaded model reads and multiplies, counted at its matrices, whole or under a cut."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from backends.anatomy import (
    ANATOMIES,
    BESIDE_NAMES,
    EXPERTS_NAMES,
    FINAL_NORM_NAMES,
    HEAD_NAMES,
    POSITION_NAMES,
    TABLE_NAMES,
    TABLE_OF_LAYERS_NAMES,
    Anatomy,
    Heads,
    decoder_of,
    experts_per_token,
    find,
    heads_of,
    keys_of,
    layers_of,
)
from backends.folder import NUMBER_BYTES, ModelFolder
from backends.parts import Parts
from backends.shape import Attention, LayerShape, Shape


def counted(
    parts: Parts, model: Any, folder: ModelFolder, *, dtype: str, windows: Sequence[int | None]
) -> Shape | None:
    """What a forward of a model reads and multiplies; None where nobody knows where it keeps its parts.

    Args:
        parts: The library of the model.
        model: Whole, or with parts left out.
        folder: That it was loaded from.
        dtype: Of a number in its cache.
        windows: Positions that each cache of a layer holds at most; None for all.
    """
    anatomy = ANATOMIES.get(folder.architecture)
    if anatomy is None or (folder.quantised and not folder.is_mlx_quantised):
        return None
    shape = count_shape(
        parts, model, anatomy, number_bytes=NUMBER_BYTES[dtype], routed=experts_per_token(folder)
    )
    layers, read, heads = layers_of(model), keys_of(folder), heads_of(folder)
    attentions = (
        _attention(parts, layer, layers[read[number]], anatomy, heads) for number, layer in enumerate(layers)
    )
    return replace(
        shape,
        layers=tuple(
            replace(counts, attention=attention and replace(attention, window=windows[read[number]]))
            for number, (counts, attention) in enumerate(zip(shape.layers, attentions, strict=True))
        ),
    )


def count_shape(parts: Parts, model: Any, anatomy: Anatomy, *, number_bytes: int, routed: int = 0) -> Shape:
    """Count the matrices of `model`, attention over its cache apart.

    Args:
        parts: The library of the model.
        model: Whole, or with parts left out.
        anatomy: Where its layers keep what.
        number_bytes: Of one number in the cache.
        routed: Experts that a token is sent to in a layer that has experts.
    """
    decoder, head = decoder_of(model), _head(model)
    table = find(decoder, TABLE_NAMES)
    named = getattr(table, "embedding", table), find(decoder, POSITION_NAMES)
    tables = [one for one in (*named, find(decoder, TABLE_OF_LAYERS_NAMES)) if one is not None]
    beside = [one for name in BESIDE_NAMES if (one := getattr(decoder, name, None)) is not None]
    norm = find(decoder, FINAL_NORM_NAMES)
    outputs, inputs = parts.size(head)
    return Shape(
        layers=tuple(_layer_shape(parts, layer, anatomy, routed) for layer in layers_of(model)),
        head_weights=outputs * inputs,
        head_bytes=parts.weight_bytes(head) + parts.weight_bytes(norm),
        row_bytes=sum(map(parts.row_bytes, tables)),
        number_bytes=number_bytes,
        width=inputs,
        scan_products=anatomy.scan_products,
        beside_weights=sum(map(parts.elements, beside)),
        beside_bytes=parts.weight_bytes(*beside),
        held_bytes=parts.weight_bytes(*layers_of(model), head, norm, *tables, *beside),
    )


def multiplied(parts: Parts, model: Any) -> list[Any]:
    """Every matrix that a forward of `model` multiplies with, the output head last."""
    return [*(matrix for layer in layers_of(model) for _, _, matrix in parts.matrices(layer)), _head(model)]


def _head(model: Any) -> Any:
    """The output head; a tied one is the embedding table itself, or in few bits beside it."""
    decoder = decoder_of(model)
    table = find(decoder, TABLE_NAMES)
    return find(model, HEAD_NAMES) or find(decoder, HEAD_NAMES) or getattr(table, "head", table)


def _attention(parts: Parts, layer: Any, read: Any, anatomy: Anatomy, heads: Heads) -> Attention | None:
    """Of a layer that reads the keys and values of the layer `read`: its own, or those of an earlier one."""
    attention = getattr(layer, anatomy.attention, None)
    if attention is None or not parts.elements(attention):
        return None
    if anatomy.heads_differ:
        queries, _ = parts.size(attention.q_proj)
        keys, _ = parts.size(getattr(read, anatomy.attention).k_proj)
        return Attention(numbers=2 * keys, products=2 * queries)
    latent, width = parts.latent(attention, heads), heads.key_width + heads.value_width
    numbers = heads.latent_width + heads.rotary_width if latent else heads.key_value * width
    return Attention(numbers=numbers, products=heads.query * width, latent=latent)


def _layer_shape(parts: Parts, layer: Any, anatomy: Anatomy, routed: int) -> LayerShape:
    """Experts are those in place of the MLP, or those beside it."""
    attention, mlp = (getattr(layer, name, None) for name in (anatomy.attention, anatomy.mlp_of(layer)))
    outs = [getattr(one, anatomy.mlp_out, None) for one in getattr(mlp, "beside", [mlp])]
    inside, beside = find(mlp, EXPERTS_NAMES), find(layer, EXPERTS_NAMES)
    experts = beside if inside is None else inside
    count = 0 if experts is None else parts.experts(experts)
    known = attention, mlp, beside
    return LayerShape(
        attention_weights=_weights(parts, attention),
        attention_bytes=_bytes(parts, attention),
        mlp_weights=_weights(parts, mlp) - _weights(parts, inside),
        mlp_bytes=_bytes(parts, mlp) - _bytes(parts, inside),
        mlp_units=sum(parts.size(out)[1] for out in outs if out is not None) if inside is None else count,
        norm_bytes=parts.weight_bytes(layer) - sum(_bytes(parts, part) for part in known),
        other_weights=parts.elements(layer) - sum(_weights(parts, part) for part in known),
        routed=routed if count else 0,
        expert_weights=_weights(parts, experts) // max(count, 1),
        expert_bytes=_bytes(parts, experts) // max(count, 1),
    )


def _weights(parts: Parts, module: Any) -> int:
    return 0 if module is None else parts.elements(module)


def _bytes(parts: Parts, module: Any) -> int:
    return 0 if module is None else parts.weight_bytes(module)
