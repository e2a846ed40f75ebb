"""The same layers at a tiny width: as many operations, and next to nothing to read or to compute.

    python -P -m bench.studies.isolate.tiny_model MODEL_FOLDER OUT_FOLDER

Its decode step is the launch floor of a library. The weights are random; nobody looks at its answers.
"""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path
from typing import Any

HEAD_DIM = 8
UNITS = 64
VOCABULARY = 512


def tiny_config(config: dict[str, Any]) -> dict[str, Any]:
    """The config of the same architecture with as many layers and heads, each of them tiny."""
    heads = config.get("num_attention_heads") or config.get("n_head")
    if heads is None:
        raise KeyError("num_attention_heads")
    smaller = {
        **dict.fromkeys(("hidden_size", "n_embd"), heads * HEAD_DIM),
        **dict.fromkeys(("intermediate_size", "n_inner"), UNITS),
        "head_dim": HEAD_DIM,
        "vocab_size": VOCABULARY,
    }
    ids = {key: 0 for key in ("bos_token_id", "eos_token_id", "pad_token_id") if config.get(key) is not None}
    return {**config, **{key: value for key, value in smaller.items() if config.get(key) is not None}, **ids}


def make(source: Path, out: Path) -> None:
    """Write the folder of the tiny model of `source`."""
    import torch
    from transformers import CONFIG_MAPPING, AutoModelForCausalLM

    config = tiny_config(json.loads((source / "config.json").read_text(encoding="utf-8")))
    torch.manual_seed(0)
    AutoModelForCausalLM.from_config(CONFIG_MAPPING[config["model_type"]].from_dict(config)).save_pretrained(
        out
    )
    (out / "config.json").write_text(json.dumps(config), encoding="utf-8")
    shutil.copyfile(source / "tokenizer.json", out / "tokenizer.json")


if __name__ == "__main__":
    make(Path(sys.argv[1]), Path(sys.argv[2]))
