"""What is fetched of a repository, and what is said where it can't be."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import huggingface_hub
import pytest

from bench.errors import UserError
from bench.run import hub
from bench.suite.weights import INDEX, SAFETENSORS

SHARDS = ["model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"]
SIZES = {
    **dict.fromkeys(SHARDS, 6_900_000_000),
    INDEX: 30_000,
    "config.json": 1_000,
    "generation_config.json": 100,
    "tokenizer.json": 9_000_000,
    "tokenizer_config.json": 1_000,
    "chat_template.jinja": 4_000,
    "README.md": 9_000,
    "consolidated.safetensors": 13_800_000_000,
    "original/model.safetensors": 13_800_000_000,
    "onnx/model.onnx": 13_000_000_000,
    "modeling_own.py": 40_000,
    "pytorch_model.bin": 13_800_000_000,
}
NEEDED = {
    *SHARDS,
    *(INDEX, "config.json", "generation_config.json"),
    *("tokenizer.json", "tokenizer_config.json", "chat_template.jinja"),
}
WEIGHT_MAP = {"weight_map": {"a": SHARDS[0], "b": SHARDS[1], "c": SHARDS[1]}}


class Hub:
    """A hub with one repository."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.asked: dict[str, Any] = {}
        index = folder / INDEX
        index.write_text(json.dumps(WEIGHT_MAP))
        siblings = [SimpleNamespace(rfilename=name, size=size) for name, size in SIZES.items()]
        about = SimpleNamespace(sha="0123abcd", siblings=siblings)
        api = SimpleNamespace(model_info=lambda repo, **_: about)
        monkeypatch.setattr(huggingface_hub, "HfApi", lambda: api)
        monkeypatch.setattr(huggingface_hub, "hf_hub_download", lambda *_, **__: str(index))
        monkeypatch.setattr(
            huggingface_hub, "snapshot_download", lambda repo, **more: self.asked.update(more)
        )


def test_the_model_alone_is_fetched_and_its_size_is_said_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    there, said = Hub(tmp_path, monkeypatch), list[str]()
    hub.fetch("owner/name", "v1", progress=lambda text, *_: said.append(text), weight_files=SAFETENSORS)
    assert set(there.asked["allow_patterns"]) == NEEDED
    assert there.asked["revision"] == "0123abcd"
    assert said[-1] == f"downloading owner/name: 13.81 GB in {len(NEEDED)} files"


def test_without_an_index_the_usual_name_is_the_model() -> None:
    names = ["model.safetensors", "consolidated.safetensors", "config.json", "x/model.safetensors", "a.gguf"]
    assert hub.choose(names, SAFETENSORS, index=None) == {"model.safetensors", "config.json"}
    assert hub.choose(["own.safetensors"], SAFETENSORS, index=None) == {"own.safetensors"}
    assert hub.choose(names, ("*.gguf",), index=None) == {"a.gguf", "config.json"}


@pytest.mark.parametrize(
    ("names", "index", "said"),
    [
        (["pytorch_model.bin", "config.json"], None, r"holds no \*\.safetensors but \.bin"),
        ([SHARDS[0]], WEIGHT_MAP, f"it should hold '{SHARDS[1]}', and does not"),
        ([SHARDS[0]], None, f"it should hold '{SHARDS[1]}', and does not"),
    ],
)
def test_a_repository_without_whole_weights_is_refused(names: list[str], index: Any, said: str) -> None:
    with pytest.raises(UserError, match=said):
        hub.choose(names, SAFETENSORS, index=index)


def test_a_hub_that_can_not_be_reached_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    def unreachable(*_: object, **__: object) -> None:
        raise ConnectionError("no route\nto host")

    monkeypatch.setattr(huggingface_hub, "HfApi", lambda: SimpleNamespace(model_info=unreachable))
    with pytest.raises(UserError, match=r"can't fetch owner/name from the hub: no route; .*goes on where"):
        hub.fetch("owner/name", None, progress=lambda *_: None, weight_files=("*.gguf",))
