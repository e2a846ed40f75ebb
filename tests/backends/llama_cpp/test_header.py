"""A GGUF header: quantisation and bytes of the tensors, and refusals of what is no language model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from backends.base import ModelError
from backends.llama_cpp.load import ABOUT, gguf_of
from backends.shape import Attention
from tests.gguf_files import F32, I32, Q4_1, Q8_0, STRING, U32, write_gguf

pytestmark = pytest.mark.skipif(bool(ABOUT.missing), reason=f"type: pip install '{ABOUT.install}'")

TOKENS = ["<end>", "a", "b", "<turn>"]
SETTINGS: dict[str, tuple[Any, Any]] = {
    "general.architecture": (STRING, "llama"),
    "llama.block_count": (U32, 1),
    "llama.context_length": (U32, 64),
    "llama.embedding_length": (U32, 64),
    "llama.attention.head_count": (U32, 2),
    "llama.attention.head_count_kv": (U32, 1),
    "tokenizer.ggml.tokens": ((STRING,), TOKENS),
    "tokenizer.ggml.token_type": ((I32,), [3, 1, 1, 3]),
    "tokenizer.ggml.eos_token_id": (U32, 0),
    "tokenizer.ggml.eot_token_id": (U32, 3),
}
BYTES = {F32: 4.0, Q8_0: 34 / 32, Q4_1: 20 / 32}


def tensors(**kinds: int) -> dict[str, tuple[int, tuple[int, ...], bytes]]:
    shapes = {
        "token_embd.weight": (Q8_0, (4, 64)),
        "output_norm.weight": (F32, (64,)),
        "blk.0.attn_q.weight": (Q4_1, (64, 64)),
        "blk.0.ffn_down.weight": (Q4_1, (64, 128)),
        "blk.0.ffn_norm.weight": (F32, (64,)),
    }
    shapes |= {name: (kind, (64, 64)) for name, kind in kinds.items()}
    made = {}
    for name, (kind, shape) in shapes.items():
        elements = shape[0] * (shape[1] if len(shape) > 1 else 1)
        made[name] = (kind, shape, bytes(int(elements * BYTES[kind])))
    return made


def read(tmp_path: Path, settings: dict[str, tuple[Any, Any]] = SETTINGS, **more: int):
    from backends.llama_cpp.header import read_model

    return read_model(write_gguf(tmp_path / "m.gguf", settings, tensors(**more)))


def test_quantisation_and_bytes_are_those_of_the_tensors(tmp_path: Path) -> None:
    model = read(tmp_path)
    assert model.stored_as == "Q4_1"  # the table is next to nothing
    assert model.parameters == 4 * 64 + 64 + 64 * 64 + 64 * 128 + 64
    assert model.weight_bytes == 272 + 256 + 2560 + 5120 + 256 + 16  # the last aligns the one after the table
    assert (model.architecture, model.layers, model.context, model.vocabulary) == ("llama", 1, 64, 4)
    assert (model.end_ids, model.control_ids) == ({0, 3}, {0, 3})
    mixed = read(tmp_path, **{"output.weight": Q8_0})
    assert mixed.stored_as == "Q4_1+Q8_0"


def test_sizes_of_a_forward_are_counted_from_the_tensors(tmp_path: Path) -> None:
    shape = read(tmp_path).shape
    assert shape is not None
    (layer,) = shape.layers
    assert (layer.attention_bytes, layer.mlp_bytes, layer.norm_bytes) == (2560, 5120, 256)
    assert (layer.attention_weights, layer.mlp_weights, layer.mlp_units) == (64 * 64, 64 * 128, 128)
    assert layer.attention == Attention(numbers=2 * 32, products=2 * 2 * 32)
    assert shape.head_bytes == 288 + 256  # the table is the head
    assert shape.weight_bytes == layer.weight_bytes + shape.head_bytes


@pytest.mark.parametrize("other", ["blk.0.ffn_up_exps.weight", "blk.0.ssm_in.weight"])
def test_layers_of_another_kind_are_not_counted(tmp_path: Path, other: str) -> None:
    assert read(tmp_path, **{other: Q4_1}).shape is None


def test_a_sliding_window_is_not_counted(tmp_path: Path) -> None:
    assert read(tmp_path, SETTINGS | {"llama.attention.sliding_window": (U32, 8)}).shape is None


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("general.architecture", (U32, 1)),
        ("llama.block_count", (STRING, "many")),
        ("llama.context_length", (STRING, "long")),
        ("tokenizer.ggml.tokens", (STRING, "none")),
    ],
)
def test_a_header_that_is_no_language_model_is_refused(tmp_path: Path, key: str, value: Any) -> None:
    with pytest.raises(ModelError, match=f"no usable {key}"):
        read(tmp_path, SETTINGS | {key: value})
    with pytest.raises(ModelError, match=f"no usable {key}"):
        read(tmp_path, {name: v for name, v in SETTINGS.items() if name != key})


def test_the_parts_of_a_split_model_are_counted_together(tmp_path: Path) -> None:
    from backends.llama_cpp.header import read_model

    first, second = (tmp_path / f"m-0000{n}-of-00002.gguf" for n in (1, 2))
    write_gguf(first, SETTINGS, tensors())
    with pytest.raises(ModelError, match="00002-of-00002"):
        read_model(first)
    write_gguf(second, {}, {"output.weight": (F32, (4, 64), bytes(1024))})
    assert read_model(first).weight_bytes == read(tmp_path).weight_bytes + 1024
    assert gguf_of(tmp_path / first.name) == first


def test_the_file_of_a_folder_is_found_or_asked_for(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"holds no \*\.gguf"):
        gguf_of(tmp_path)
    for name in ("m-00001-of-00002.gguf", "m-00002-of-00002.gguf"):
        (tmp_path / name).touch()
    assert gguf_of(tmp_path).name == "m-00001-of-00002.gguf"
    (tmp_path / "other.gguf").touch()
    with pytest.raises(ModelError, match=r"2 GGUF files: m-00001-of-00002\.gguf, other\.gguf; name one"):
        gguf_of(tmp_path)
