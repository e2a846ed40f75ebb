"""Which files of a folder are a model's, on a disk where macOS keeps files of its own beside them."""

from __future__ import annotations

from pathlib import Path

import pytest

from backends.base import ModelError
from backends.llama_cpp.load import gguf_of
from bench.suite.from_models import readers_of
from bench.suite.weights import beside, is_read, weights_in


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """As Finder leaves it on a stick: a hidden file for each, and one for the folder."""
    for name in ("model.gguf", "config.json", "tokenizer.json"):
        (tmp_path / name).touch()
        (tmp_path / f"._{name}").touch()
    (tmp_path / ".DS_Store").touch()
    return tmp_path


def test_hidden_files_are_neither_weights_nor_read_beside_them(folder: Path) -> None:
    names = [file.name for file in folder.iterdir()]
    assert weights_in(names, ("*.gguf",)) == {"model.gguf"}
    assert weights_in(["model.safetensors", "._model.safetensors"], ("*.safetensors",)) == {
        "model.safetensors"
    }
    assert [file.name for file in beside(folder)] == ["config.json", "tokenizer.json"]
    assert gguf_of(folder) == folder / "model.gguf"
    assert readers_of(str(folder)) == ("llama_cpp",)


def test_a_folder_with_nothing_else_has_no_weights(folder: Path) -> None:
    (folder / "model.gguf").unlink()
    with pytest.raises(ModelError, match=r"holds no \*\.gguf"):
        gguf_of(folder)
    assert readers_of(str(folder)) == ()
    assert not is_read("a/._b.gguf", ("*.gguf",))
    assert is_read(".a/b.gguf", ("*.gguf",))
