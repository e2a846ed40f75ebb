"""Turn the GGUF file of a Llama-like model into a Hugging Face folder that every backend loads.

The rope base is written in both places where libraries look for it: mlx-lm reads only the top-level key and
would use 10000 in silence.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from backends.base import ModelError
from backends.gguf import Floats, read_gguf

_LAYER = {
    "attn_norm": "input_layernorm",
    "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj",
    "ffn_norm": "post_attention_layernorm",
    "ffn_gate": "mlp.gate_proj",
    "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj",
}
_OUTER = {"token_embd": "model.embed_tokens", "output_norm": "model.norm", "output": "lm_head"}
_CONTROL = 3
"""Kind of the tokens that are no text."""


def convert(gguf: Path, folder: Path) -> None:
    """Write config, tokenizer and float32 safetensors of `gguf` into `folder`.

    Raises:
        ModelError: It is of another architecture, or has another tokenizer.
    """
    from safetensors.numpy import save_file

    read = read_gguf(gguf)
    known = (read.settings["general.architecture"], read.settings["tokenizer.ggml.model"])
    if known != ("llama", "gpt2"):
        raise ModelError(f"{gguf.name} is of kind {known}, and only ('llama', 'gpt2') is converted")
    config = _config(read.settings, is_tied="output.weight" not in read.weights)
    heads = {"attn_q": config["num_attention_heads"], "attn_k": config["num_key_value_heads"]}
    weights = dict(_renamed(name, weight, heads) for name, weight in read.weights.items())
    folder.mkdir()
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    (folder / "config.json").write_text(json.dumps(config, indent=2, sort_keys=True) + "\n", encoding="utf-8")
    _save_tokenizer(read.settings, folder)


def _config(settings: dict[str, Any], *, is_tied: bool) -> dict[str, Any]:
    llama = {key.removeprefix("llama."): value for key, value in settings.items()}
    tokens = {key.removeprefix("tokenizer.ggml."): value for key, value in settings.items()}
    heads, base = llama["attention.head_count"], llama["rope.freq_base"]
    return {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "dtype": "float32",
        "hidden_act": "silu",
        "hidden_size": llama["embedding_length"],
        "head_dim": llama["embedding_length"] // heads,
        "intermediate_size": llama["feed_forward_length"],
        "num_attention_heads": heads,
        "num_key_value_heads": llama["attention.head_count_kv"],
        "num_hidden_layers": llama["block_count"],
        "max_position_embeddings": llama["context_length"],
        "rms_norm_eps": llama["attention.layer_norm_rms_epsilon"],
        "rope_theta": base,
        "rope_parameters": {"rope_type": "default", "rope_theta": base},
        "tie_word_embeddings": is_tied,
        "vocab_size": llama["vocab_size"],
        "bos_token_id": tokens["bos_token_id"],
        "eos_token_id": tokens["eos_token_id"],
        "pad_token_id": tokens["padding_token_id"],
    }


def _renamed(name: str, weight: Floats, heads: dict[str, int]) -> tuple[str, Floats]:
    """A weight under its name in the folder, rows of queries and keys in the order of the folder."""
    if not name.startswith("blk."):
        part, kind = name.rsplit(".", 1)
        return f"{_OUTER[part]}.{kind}", weight
    _, number, part, kind = name.split(".")
    if part in heads:
        # GGUF holds the two halves of a rotary pair side by side, the folder one half after the other.
        rows, width = weight.shape
        pairs = weight.reshape(heads[part], rows // heads[part] // 2, 2, width)
        weight = pairs.swapaxes(1, 2).reshape(rows, width)
    return f"model.layers.{number}.{_LAYER[part]}.{kind}", weight


def _save_tokenizer(settings: dict[str, Any], folder: Path) -> None:
    """`tokenizer.json`, and beside it what a chat program asks for."""
    from tokenizers import AddedToken, Tokenizer, decoders, pre_tokenizers
    from tokenizers.models import BPE

    tokens = settings["tokenizer.ggml.tokens"]
    merges = [tuple(merge.split(" ")) for merge in settings["tokenizer.ggml.merges"]]
    tokenizer = Tokenizer(BPE(vocab={token: n for n, token in enumerate(tokens)}, merges=merges))
    kinds = zip(tokens, settings["tokenizer.ggml.token_type"], strict=True)
    control = [AddedToken(token, special=True, normalized=False) for token, kind in kinds if kind == _CONTROL]
    tokenizer.add_special_tokens(control)
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.save(str(folder / "tokenizer.json"))
    ends = {"bos_token": "bos_token_id", "eos_token": "eos_token_id", "pad_token": "padding_token_id"}
    about = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "chat_template": settings.get("tokenizer.chat_template"),
        **{name: tokens[settings[f"tokenizer.ggml.{key}"]] for name, key in ends.items()},
    }
    (folder / "tokenizer_config.json").write_text(json.dumps(about, indent=2) + "\n", encoding="utf-8")
