import json
from pathlib import Path

import pytest

from backends.base import ModelError
from backends.folder import layer_of, open_folder

CONFIG = {
    "model_type": "llama",
    "num_hidden_layers": 3,
    "layer_types": ["full_attention"] * 3,
    "vocab_size": 10,
    "max_position_embeddings": 64,
    "eos_token_id": 2,
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "config.json").write_text(json.dumps(CONFIG))
    (tmp_path / "model-00001-of-00001.safetensors").touch()
    return tmp_path


def change(folder: Path, **changes: object) -> Path:
    (folder / "config.json").write_text(json.dumps(CONFIG | changes))
    return folder


def test_reads_what_the_config_says(folder: Path):
    opened = open_folder(folder)
    assert (opened.architecture, opened.layers, opened.vocabulary, opened.context) == ("llama", 3, 10, 64)
    assert opened.eos_ids == {2}
    assert opened.config == CONFIG


def test_fewer_layers_shorten_every_list_of_layers(folder: Path):
    opened = open_folder(folder, layers=2)
    assert opened.layers == 2
    assert opened.config["num_hidden_layers"] == 2
    assert opened.config["layer_types"] == ["full_attention"] * 2


def test_generation_config_names_the_ends(folder: Path):
    (folder / "generation_config.json").write_text('{"eos_token_id": [0, 7]}')
    assert open_folder(folder).eos_ids == {0, 7}


def test_no_end_and_no_context_are_not_invented(folder: Path):
    opened = open_folder(change(folder, eos_token_id=None, max_position_embeddings=None))
    assert opened.eos_ids == frozenset()
    assert opened.context is None


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"model_type": None}, "no model_type"),
        ({"num_hidden_layers": None}, "no num_hidden_layers or n_layer"),
    ],
)
def test_refuses(folder: Path, changes: dict[str, object], said: str):
    with pytest.raises(ModelError, match=said):
        open_folder(change(folder, **changes))


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ({}, None),
        ({"quantization": {"group_size": 64, "bits": 4, "mode": "affine"}}, "mlx, affine, 4 bits"),
        ({"quantization": {"group_size": 32, "bits": 4, "mode": "mxfp4"}}, "mlx, mxfp4, 4 bits"),
        ({"quantization_config": {"group_size": 64, "bits": 8}}, "mlx, affine, 8 bits"),
        ({"quantization_config": {"quant_method": "gptq", "bits": 4}}, "gptq"),
    ],
)
def test_says_how_the_weights_were_quantised(folder: Path, config: dict[str, object], said: str | None):
    assert open_folder(change(folder, **config)).quantised == said


@pytest.mark.parametrize("content", ["{", "[]"])
def test_refuses_a_broken_config(folder: Path, content: str):
    (folder / "config.json").write_text(content)
    with pytest.raises(ModelError, match=r"config\.json"):
        open_folder(folder)


@pytest.mark.parametrize(
    ("name", "layer"),
    [
        ("model.layers.12.mlp.up_proj.weight", 12),
        ("gpt_neox.layers.0.attention.bias", 0),
        ("h.7.ln_1.weight", 7),
        ("transformer.h.3.attn.bias", 3),
        ("model.embed_tokens.weight", None),
        ("lm_head.weight", None),
    ],
)
def test_layer_of(name: str, layer: int | None):
    assert layer_of(name) == layer
