"""A Llama in a GGUF file becomes a folder that the libraries load; no library is needed to make it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file

from backends.base import ModelError
from backends.folder import open_folder
from backends.tokenizer import Tokenizer
from bench.run.convert import convert
from tests.gguf_files import F32, FLOAT, I32, STRING, U32, write_gguf

HEADS, KV_HEADS, WIDTH, UNITS = 2, 1, 8, 16
TOKENS = ["<end>", "<start>", "a", "b", "c", "ab", "Ġ"]
SETTINGS: dict[str, tuple[Any, Any]] = {
    "general.architecture": (STRING, "llama"),
    "llama.block_count": (U32, 1),
    "llama.context_length": (U32, 64),
    "llama.embedding_length": (U32, WIDTH),
    "llama.feed_forward_length": (U32, UNITS),
    "llama.attention.head_count": (U32, HEADS),
    "llama.attention.head_count_kv": (U32, KV_HEADS),
    "llama.rope.freq_base": (FLOAT, 5000.0),
    "llama.attention.layer_norm_rms_epsilon": (FLOAT, 0.5),
    "llama.vocab_size": (U32, len(TOKENS)),
    "tokenizer.ggml.model": (STRING, "gpt2"),
    "tokenizer.ggml.tokens": ((STRING,), TOKENS),
    "tokenizer.ggml.token_type": ((I32,), [3, 3, 1, 1, 1, 1, 1]),
    "tokenizer.ggml.merges": ((STRING,), ["a b"]),
    "tokenizer.ggml.bos_token_id": (U32, 1),
    "tokenizer.ggml.eos_token_id": (U32, 0),
    "tokenizer.ggml.padding_token_id": (U32, 0),
}
SHAPES = {
    "token_embd": (len(TOKENS), WIDTH),
    "output_norm": (WIDTH,),
    "blk.0.attn_norm": (WIDTH,),
    "blk.0.attn_q": (WIDTH, WIDTH),
    "blk.0.attn_k": (WIDTH // HEADS, WIDTH),
    "blk.0.attn_v": (WIDTH // HEADS, WIDTH),
    "blk.0.attn_output": (WIDTH, WIDTH),
    "blk.0.ffn_norm": (WIDTH,),
    "blk.0.ffn_gate": (UNITS, WIDTH),
    "blk.0.ffn_up": (UNITS, WIDTH),
    "blk.0.ffn_down": (WIDTH, UNITS),
}


@pytest.fixture(scope="module")
def weights() -> dict[str, np.ndarray]:
    random = np.random.default_rng(3)
    return {name: random.normal(size=shape).astype(np.float32) for name, shape in SHAPES.items()}


def gguf_of(folder: Path, weights: dict[str, np.ndarray], **changes: tuple[Any, Any]) -> Path:
    stored = {f"{name}.weight": (F32, w.shape, w.tobytes()) for name, w in weights.items()}
    return write_gguf(folder / "m.gguf", {**SETTINGS, **changes}, stored)


def test_the_folder_is_one_that_backends_open(tmp_path: Path, weights: dict[str, np.ndarray]) -> None:
    convert(gguf_of(tmp_path, weights), tmp_path / "made")
    opened = open_folder(tmp_path / "made")
    assert (opened.architecture, opened.layers, opened.context) == ("llama", 1, 64)
    assert opened.eos_ids == {0}
    config = json.loads((tmp_path / "made" / "config.json").read_text())
    assert config["rope_theta"] == config["rope_parameters"]["rope_theta"] == 5000.0
    assert config["tie_word_embeddings"] is True
    tokenizer = Tokenizer(tmp_path / "made")
    assert tokenizer.encode("ab c<end>") == [5, 6, 4, 0]
    assert tokenizer.decode_text([5, 6, 4, 0]) == "ab c"


def test_rows_of_queries_and_keys_change_their_order(tmp_path: Path, weights: dict[str, np.ndarray]) -> None:
    """GGUF: pair after pair. The folder: first all first halves of a head, then all second ones."""
    convert(gguf_of(tmp_path, weights), tmp_path / "made")
    made = load_file(tmp_path / "made" / "model.safetensors")
    assert len(made) == len(SHAPES)
    order = [0, 2, 1, 3]
    keys = weights["blk.0.attn_k"]
    np.testing.assert_array_equal(made["model.layers.0.self_attn.k_proj.weight"], keys[order])
    queries = weights["blk.0.attn_q"]
    rows = [head * 4 + row for head in range(HEADS) for row in order]
    np.testing.assert_array_equal(made["model.layers.0.self_attn.q_proj.weight"], queries[rows])
    np.testing.assert_array_equal(made["model.layers.0.mlp.down_proj.weight"], weights["blk.0.ffn_down"])


def test_another_architecture_is_refused(tmp_path: Path, weights: dict[str, np.ndarray]) -> None:
    file = gguf_of(tmp_path, weights, **{"general.architecture": (STRING, "mamba")})
    with pytest.raises(ModelError, match="mamba"):
        convert(file, tmp_path / "made")


def test_no_model_library_is_imported(tmp_path: Path, weights: dict[str, np.ndarray]) -> None:
    file = gguf_of(tmp_path, weights)
    code = (
        "import sys; from pathlib import Path; from bench.run.convert import convert; "
        f"convert(Path({str(file)!r}), Path({str(tmp_path / 'made')!r})); "
        "print([name for name in ('torch', 'transformers', 'mlx', 'gguf') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
