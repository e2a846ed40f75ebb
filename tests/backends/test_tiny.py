"""The tiny model has the layers of its source and none of its width, and its own library loads it."""

import json
from pathlib import Path

import pytest

from backends.about import about_of
from backends.tiny import HEAD_DIM, UNITS, VOCABULARY, tiny_config
from tests.contracts.models import MODEL_BACKENDS, generate, load_tiny
from tests.families import save_tiny
from tests.tiny_models import LAYERS, SAVERS


def test_as_many_layers_and_heads():
    config = {"num_attention_heads": 9, "num_hidden_layers": 30, "hidden_size": 576, "vocab_size": 49152}
    tiny = tiny_config({**config, "intermediate_size": 1536, "eos_token_id": 2})
    assert (tiny["num_hidden_layers"], tiny["hidden_size"], tiny["intermediate_size"]) == (30, 72, UNITS)
    assert tiny["eos_token_id"] == 0


def test_a_config_without_heads_is_no_decoder():
    with pytest.raises(KeyError, match="num_attention_heads"):
        tiny_config({"hidden_size": 4})


@pytest.mark.parametrize("model", list(SAVERS))
@pytest.mark.parametrize("name", list(MODEL_BACKENDS))
def test_its_own_library_loads_it(name: str, model: str, tmp_path: Path):
    source = SAVERS[model](tmp_path / "source")
    tools = about_of(MODEL_BACKENDS[name]).tools
    assert tools is not None
    tools().write_tiny(source, tmp_path / "tiny")
    backend = load_tiny(name, tmp_path / "tiny")
    assert backend.info.layers == LAYERS
    assert backend.info.vocabulary == VOCABULARY
    config = json.loads((tmp_path / "tiny" / "config.json").read_text())
    assert backend.hidden([3, 4]).shape == (
        2,
        HEAD_DIM * (config.get("num_attention_heads") or config["n_head"]),
    )
    assert len(generate(backend, [3, 4, 5], max_new_tokens=3).tokens) == 3


@pytest.mark.parametrize("family", ["deepseek_v3", "gemma4_text", "jamba"])
def test_widths_of_other_kinds_are_tiny_too(family: str, tmp_path: Path):
    source = save_tiny(family, tmp_path / "source")
    for name, load in MODEL_BACKENDS.items():
        tools = about_of(load).tools
        assert tools is not None
        tools().write_tiny(source, tmp_path / name)
        backend = load_tiny(name, tmp_path / name)
        assert generate(backend, [3, VOCABULARY - 1], max_new_tokens=2).forwards == 1
        assert backend.info.parameters < 250_000
