"""GGUF files, written for tests from the description of the format; a tiny model among them."""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

import numpy as np

F32, F16, Q4_1, Q8_0 = 0, 1, 3, 8
U32, I32, FLOAT, BOOL, STRING = 4, 5, 6, 7, 8
ALIGN = 32
FORMS = {U32: "<I", I32: "<i", FLOAT: "<f", BOOL: "<?"}
NORMAL, CONTROL = 1, 3
NAMES = {
    "model.embed_tokens": "token_embd",
    "model.norm": "output_norm",
    "input_layernorm": "attn_norm",
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "post_attention_layernorm": "ffn_norm",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
}


def write_gguf(
    file: Path, settings: dict[str, tuple[Any, Any]], weights: dict[str, tuple[int, tuple[int, ...], bytes]]
) -> Path:
    """Write settings (kind, or a tuple of it for a list; value) and weights (kind, shape, bytes)."""
    head = b"GGUF" + struct.pack("<IQQ", 3, len(weights), len(settings))
    for name, (kind, value) in settings.items():
        head += text(name)
        if isinstance(kind, tuple):
            head += struct.pack("<IIQ", 9, kind[0], len(value)) + b"".join(one(kind[0], v) for v in value)
        else:
            head += struct.pack("<I", kind) + one(kind, value)
    data = b""
    for name, (kind, shape, content) in weights.items():
        head += text(name) + struct.pack(f"<I{len(shape)}Q", len(shape), *reversed(shape))
        head += struct.pack("<IQ", kind, len(data))
        data += content + bytes(-len(content) % ALIGN)
    file.write_bytes(head + bytes(-len(head) % ALIGN) + data)
    return file


def one(kind: int, value: Any) -> bytes:
    return text(value) if kind == STRING else struct.pack(FORMS[kind], value)


def text(words: str) -> bytes:
    return struct.pack("<Q", len(words.encode())) + words.encode()


def write_llama(folder: Path, file: Path, **changed: tuple[Any, Any]) -> Path:
    """The llama of `tests.tiny_models` in a folder as a GGUF file: the same float32 weights and tokens.

    `changed` are settings (kind, value) by name, in place of the folder's.
    """
    from safetensors.numpy import load_file

    config = json.loads((folder / "config.json").read_text())
    heads = {"attn_q": config["num_attention_heads"], "attn_k": config["num_key_value_heads"]}
    weights = {}
    for name, weight in load_file(folder / "model.safetensors").items():
        inner, _, kind = name.removeprefix("model.layers.").rpartition(".")
        layer, _, part = inner.partition(".") if name.startswith("model.layers.") else ("", "", inner)
        place = f"blk.{layer}.{NAMES[part]}" if layer else NAMES[part]
        values = _side_by_side(weight, heads[NAMES[part]]) if NAMES[part] in heads else weight
        weights[f"{place}.{kind}"] = (F32, values.shape, np.ascontiguousarray(values).tobytes())
    return write_gguf(file, _settings_of(folder, config) | changed, weights)


def _side_by_side(weight: np.ndarray, heads: int) -> np.ndarray:
    """Rows with the two halves of a rotary pair one after the other."""
    rows, width = weight.shape
    return weight.reshape(heads, 2, rows // heads // 2, width).swapaxes(1, 2).reshape(rows, width)


def _settings_of(folder: Path, config: dict[str, Any]) -> dict[str, tuple[Any, Any]]:
    vocabulary = json.loads((folder / "tokenizer.json").read_text())["model"]["vocab"]
    tokens = sorted(vocabulary, key=vocabulary.get)
    return {
        "general.architecture": (STRING, "llama"),
        "llama.block_count": (U32, config["num_hidden_layers"]),
        "llama.context_length": (U32, config["max_position_embeddings"]),
        "llama.embedding_length": (U32, config["hidden_size"]),
        "llama.feed_forward_length": (U32, config["intermediate_size"]),
        "llama.attention.head_count": (U32, config["num_attention_heads"]),
        "llama.attention.head_count_kv": (U32, config["num_key_value_heads"]),
        "llama.rope.freq_base": (FLOAT, config["rope_theta"]),
        "llama.attention.layer_norm_rms_epsilon": (FLOAT, config["rms_norm_eps"]),
        "llama.vocab_size": (U32, len(tokens)),
        "tokenizer.ggml.model": (STRING, "gpt2"),
        "tokenizer.ggml.pre": (STRING, "gpt-2"),
        "tokenizer.ggml.tokens": ((STRING,), tokens),
        "tokenizer.ggml.token_type": (
            (I32,),
            [CONTROL if t.startswith("<") and len(t) > 1 else NORMAL for t in tokens],
        ),
        "tokenizer.ggml.merges": ((STRING,), ["a b"]),
        "tokenizer.ggml.bos_token_id": (U32, config["bos_token_id"]),
        "tokenizer.ggml.eos_token_id": (U32, config["eos_token_id"]),
        "tokenizer.ggml.padding_token_id": (U32, config["pad_token_id"]),
        "tokenizer.ggml.add_bos_token": (BOOL, True),
    }
