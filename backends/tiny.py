"""A folder with the same layers at a tiny width: as many operations, and next to nothing to read or compute.

Its decode step is the launch floor of a library. The weights are random; nobody looks at its answers.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

HEAD_DIM = 8
HEAD_WIDTHS = (
    "head_dim",
    "global_head_dim",
    "qk_nope_head_dim",
    "qk_rope_head_dim",
    "v_head_dim",
    "kv_lora_rank",
    "q_lora_rank",
)
UNITS = 64
VOCABULARY = 512


def tiny_config(config: dict[str, Any]) -> dict[str, Any]:
    """The config of the same architecture with as many layers and heads, each of them tiny."""
    heads = config.get("num_attention_heads") or config.get("n_head")
    if heads is None:
        raise KeyError("num_attention_heads")
    smaller = {
        **dict.fromkeys(("hidden_size", "n_embd"), heads * HEAD_DIM),
        **dict.fromkeys(("intermediate_size", "moe_intermediate_size", "n_inner"), UNITS),
        **dict.fromkeys(HEAD_WIDTHS, HEAD_DIM),
        **dict.fromkeys(("vocab_size", "vocab_size_per_layer_input"), VOCABULARY),
    }
    ids = {key: 0 for key in ("bos_token_id", "eos_token_id", "pad_token_id") if config.get(key) is not None}
    return {**config, **{key: value for key, value in smaller.items() if config.get(key) is not None}, **ids}


def start_tiny(source: Path, out: Path) -> dict[str, Any]:
    """Write all but the weights of the tiny model of `source` into a folder, and return its config."""
    config = tiny_config(json.loads((source / "config.json").read_text(encoding="utf-8")))
    out.mkdir(parents=True, exist_ok=True)
    (out / "config.json").write_text(json.dumps(config), encoding="utf-8")
    shutil.copyfile(source / "tokenizer.json", out / "tokenizer.json")
    return config
