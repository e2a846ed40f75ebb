"""Turn a GGUF file into a Hugging Face folder that both backends load. Runs as a process of its own.

    python -m bench.run.convert MODEL.gguf FOLDER

transformers reads GGUF but refuses to save what it read, so the weights go through a model made from the
config. The rope base is written in both places where libraries look for it: mlx-lm reads only the
top-level key and would use 10000 in silence.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path


def convert(gguf: Path, folder: Path) -> None:
    """Write config, tokenizer and float32 safetensors of `gguf` into `folder`."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    read = AutoModelForCausalLM.from_pretrained(gguf.parent, gguf_file=gguf.name, dtype=torch.float32)
    config = read.config
    if hasattr(config, "quantization_config"):
        del config.quantization_config
    model = AutoModelForCausalLM.from_config(config)
    model.load_state_dict(read.state_dict())
    model.save_pretrained(folder)
    AutoTokenizer.from_pretrained(gguf.parent, gguf_file=gguf.name).save_pretrained(folder)
    _state_rope_base_twice(folder / "config.json")


def _state_rope_base_twice(file: Path) -> None:
    config = json.loads(file.read_text(encoding="utf-8"))
    config["rope_theta"] = config["rope_parameters"]["rope_theta"]
    file.write_text(json.dumps(config, indent=2, sort_keys=True) + "\n", encoding="utf-8")


if __name__ == "__main__":
    convert(Path(sys.argv[1]), Path(sys.argv[2]))
