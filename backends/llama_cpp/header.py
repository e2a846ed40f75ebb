"""What the header of a GGUF file says of a model: sizes, how its weights are stored, where a text ends."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import xllamacpp

from backends.base import ModelError
from backends.chat import reasoning_ids
from backends.gguf import GgufHeader, Tensor, read_header
from backends.shape import Attention, LayerShape, Shape

CACHE_BYTES = 2
"""Of one number in llama.cpp's cache, float16 unless it is told otherwise."""
_CONTROL = 3
"""Kind of the tokens that are no text."""
_ENDS = ("eos_token_id", "eot_token_id")
_SPECIAL = ("bos_token", "eos_token")
_PLAIN = {"F32": "float32", "F16": "float16", "BF16": "bfloat16"}
_NAMED_FROM = 0.05
"""Share of the bytes from which a kind of storage is named."""
_PART = re.compile(r"-00001-of-(\d{5})\.gguf$")
_ATTENTION = {"attn_q", "attn_k", "attn_v", "attn_qkv", "attn_output"}
_MLP = {"ffn_gate", "ffn_up", "ffn_down"}
_NORMS = {"attn_norm", "ffn_norm", "attn_q_norm", "attn_k_norm", "post_attention_norm", "post_ffw_norm"}


@dataclass(frozen=True, kw_only=True)
class GgufModel:
    """A model in a GGUF file, or in the parts of one."""

    architecture: str
    layers: int
    context: int
    """Longest sequence in tokens that it was made for."""
    vocabulary: int
    parameters: int
    weight_bytes: int
    stored_as: str
    """Such as `Q4_1+Q8_0`, by their share of the bytes."""
    end_ids: frozenset[int]
    control_ids: frozenset[int]
    chat_template: str | None
    special_tokens: dict[str, str]
    """Texts that a chat template asks for, such as `bos_token`."""
    reasoning_ids: tuple[int, int] | None
    shape: Shape | None
    """None where layers hold something else than attention and one MLP."""


def read_model(file: Path) -> GgufModel:
    """Read the header, and those of the other parts of a split model.

    Raises:
        ModelError: One is damaged or missing, or holds no language model.
    """
    header = read_header(file)
    tensors = [*header.tensors, *(t for part in _other_parts(file) for t in read_header(part).tensors)]
    said = _Said(header, file)
    tokens = said.of("tokenizer.ggml.tokens", list)
    kinds = header.settings.get("tokenizer.ggml.token_type", [])
    ends = {header.settings.get(f"tokenizer.ggml.{key}") for key in _ENDS}
    return GgufModel(
        architecture=said.architecture,
        layers=said.number("block_count"),
        context=said.number("context_length"),
        vocabulary=len(tokens),
        parameters=sum(t.elements for t in tensors),
        weight_bytes=sum(t.size_bytes for t in tensors),
        stored_as=_stored_as(tensors),
        end_ids=frozenset(end for end in ends if isinstance(end, int)),
        control_ids=frozenset(n for n, kind in enumerate(kinds) if kind == _CONTROL),
        chat_template=header.settings.get("tokenizer.chat_template"),
        special_tokens={
            name: tokens[number]
            for name in _SPECIAL
            if isinstance(number := header.settings.get(f"tokenizer.ggml.{name}_id"), int)
        },
        reasoning_ids=reasoning_ids({token: number for number, token in enumerate(tokens)}),
        shape=_shape(said, tensors, len(tokens)),
    )


class _Said:
    """Settings of a header, checked as they are asked for."""

    def __init__(self, header: GgufHeader, file: Path) -> None:
        self._settings, self._file = header.settings, file
        self.architecture = str(self.of("general.architecture", str))

    def of(self, key: str, kind: type) -> Any:
        value = self._settings.get(key)
        if not isinstance(value, kind):
            raise ModelError(
                f"{self._file.name} has no usable {key} ({str(value)[:40]})", fix="give a language model"
            )
        return value

    def number(self, key: str) -> int:
        return int(self.of(f"{self.architecture}.{key}", int))

    def optional(self, key: str) -> Any:
        return self._settings.get(f"{self.architecture}.{key}")


def _other_parts(file: Path) -> list[Path]:
    part = _PART.search(file.name)
    if part is None:
        return []
    start = file.name[: part.start()]
    return [file.with_name(f"{start}-{n:05}-of-{part[1]}.gguf") for n in range(2, int(part[1]) + 1)]


def _stored_as(tensors: list[Tensor]) -> str:
    """Kinds of storage of the matrices, the one with most bytes first."""
    names = {int(kind): kind.name.removeprefix("GGML_TYPE_") for kind in xllamacpp.ggml_type}
    sizes: Counter[str] = Counter()
    for tensor in tensors:
        if len(tensor.shape) > 1:
            name = names.get(tensor.kind, f"kind {tensor.kind}")
            sizes[_PLAIN.get(name, name)] += tensor.size_bytes
    least = _NAMED_FROM * sizes.total()
    return "+".join(name for name, size_bytes in sizes.most_common() if size_bytes >= least)


def _shape(said: _Said, tensors: list[Tensor], vocabulary: int) -> Shape | None:
    """Counted sizes, where every layer is attention with one MLP and sees the whole cache."""
    heads, kv_heads = said.optional("attention.head_count"), said.optional("attention.head_count_kv")
    outer = {t.name: t for t in tensors if not t.name.startswith("blk.")}
    table = outer.get("token_embd.weight")
    if not isinstance(heads, int) or table is None or not isinstance(kv_heads or heads, int):
        return None
    width = said.optional("attention.key_length") or said.number("embedding_length") // max(heads, 1)
    attention = Attention(numbers=2 * (kv_heads or heads) * width, products=2 * heads * width)
    layers = [_layer(n, tensors, attention) for n in range(said.number("block_count"))]
    known = [layer for layer in layers if layer is not None]
    if said.optional("attention.sliding_window") or len(known) < len(layers):
        return None
    head = outer.get("output.weight", table)
    norms_bytes = sum(t.size_bytes for name, t in outer.items() if name.startswith("output_norm"))
    return Shape(
        layers=tuple(known),
        head_weights=head.elements,
        head_bytes=head.size_bytes + norms_bytes,
        row_bytes=table.size_bytes // max(vocabulary, 1),
        number_bytes=CACHE_BYTES,
    )


def _layer(number: int, tensors: list[Tensor], attends: Attention) -> LayerShape | None:
    start = f"blk.{number}."
    parts = [(t.name.removeprefix(start).partition(".")[0], t) for t in tensors if t.name.startswith(start)]
    if {name for name, _ in parts} - _ATTENTION - _MLP - _NORMS:
        return None
    attention, mlp, norms = (
        [t for name, t in parts if name in group] for group in (_ATTENTION, _MLP, _NORMS)
    )
    units = [t.shape[1] for name, t in parts if name == "ffn_down" and len(t.shape) == 2]
    return LayerShape(
        attention_weights=_matrix_weights(attention),
        attention_bytes=sum(t.size_bytes for t in attention),
        mlp_weights=_matrix_weights(mlp),
        mlp_bytes=sum(t.size_bytes for t in mlp),
        mlp_units=units[0] if units else 0,
        norm_bytes=sum(t.size_bytes for t in norms),
        attention=attends if attention else None,
    )


def _matrix_weights(tensors: list[Tensor]) -> int:
    return sum(t.elements for t in tensors if len(t.shape) == 2)
